//! What a store of rows needs to know of a view: where rows are, their keys, times and columns.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::types::{FeatureName, FeatureType, KeyType, Span};
use super::view::Source;
use crate::{Error, Result};

/// Names the rows of a view in both stores: `driver_stats.1`.
///
/// The number changes when rows of before no longer fit: with the keys, the source, or the type of a
/// column. A view that changes otherwise keeps its rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableId(Arc<str>);

impl TableId {
    /// The `number`th table of a view, from 1.
    pub fn new(view: &FeatureName, number: u32) -> Self {
        Self(format!("{view}.{number}").into())
    }

    /// The online states of an aggregated view: they are those of one version, `driver_trips..3`.
    pub fn windows(view: &FeatureName, version: u32) -> Self {
        Self(format!("{view}..{version}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for TableId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TableId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for TableId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let parsed = text.rsplit_once('.').and_then(|(view, number)| {
            let number = number.parse().ok()?;
            // One more dot says that these are the states of an aggregated view.
            let (view, windows) = view.strip_suffix('.').map_or((view, false), |view| (view, true));
            let view = FeatureName::new(view).ok()?;
            Some(if windows { Self::windows(&view, number) } else { Self::new(&view, number) })
        });
        // `view.+1` and `view.01` would be second names of `view.1`.
        parsed.filter(|id| id.as_str() == text).ok_or_else(|| {
            Error::invalid("features.table", "is no table").with("table", text.escape_debug())
        })
    }
}

impl From<TableId> for String {
    fn from(id: TableId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// The rows of a view, as a store sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub id: TableId,
    /// The key columns, in order; none for a view that is joined by time alone.
    pub keys: Vec<TableKey>,
    /// The column with the event time.
    pub event_time: String,
    /// The column with the instant when a row became known, if there is one.
    pub created: Option<String>,
    /// The columns of values.
    pub columns: Vec<TableColumn>,
    /// Where the rows come from.
    pub source: Source,
    /// How far ahead of the clock an event time may be when it is appended.
    pub ahead: Span,
}

impl Table {
    /// The column of event times in what a store returns, in microseconds (`Timestamp`, UTC).
    pub const EVENT_TIME: &'static str = "_event_time";
    /// The column of creation times in what a store returns; null where the source does not say.
    pub const CREATED: &'static str = "_created";
    /// The column of places in the log in what a store returns (`UInt64`).
    pub const SEQ: &'static str = "_seq";

    /// A table that is appended to, of these keys, without columns.
    pub fn new(id: TableId, keys: Vec<TableKey>) -> Self {
        Self {
            id,
            keys,
            event_time: "event_time".to_owned(),
            created: None,
            columns: Vec::new(),
            source: Source::Log,
            ahead: Span::minutes(5),
        }
    }

    /// Adds a column.
    pub fn with(mut self, name: impl Into<String>, data_type: FeatureType) -> Self {
        self.columns.push(TableColumn { name: name.into(), data_type });
        self
    }
}

/// A key column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableKey {
    /// Its name in the source.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: KeyType,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableColumn {
    /// Its name in the source, and in what a store returns.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: FeatureType,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_table_comes_back_and_has_no_other_spelling() {
        let view = FeatureName::new("trips").unwrap();
        for id in
            [TableId::new(&view, 1), TableId::windows(&view, 3), TableId::new(&view, u32::MAX)]
        {
            assert_eq!(TableId::try_from(id.to_string()).unwrap(), id);
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<TableId>(&json).unwrap(), id);
        }
        for text in
            ["", "trips", "trips.", "trips...3", ".1", "..1", "trips.+1", "trips.01", "a b.1"]
        {
            assert!(TableId::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
