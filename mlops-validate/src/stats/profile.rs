//! What a table looks like, in counts.
//!
//! A profile is made in one pass, merged from parts, stored with a model and compared later: drift and
//! checks of distribution read nothing else. Everything in it is a count, an extreme or an exact sum,
//! so parts merge to the same profile in any order; the one exception, whether a column is sorted, is
//! known only for rows that were read in sequence and forgotten by a merge.
//!
//! What it does not do: keep rows, look into nested values (lists and structs are counted), or bound
//! the length of the smallest and largest text, which are exact.

mod categories;
mod column;
mod fill;
mod order;
mod value;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub use self::categories::{MAX_CATEGORIES, MAX_CATEGORY_BYTES};
pub use self::column::ColumnProfile;
pub(super) use self::fill::type_text;
pub use self::order::Order;
pub use self::value::Value;
pub(super) use self::value::hex;

const OPERATION: &str = "validate.profile";
/// What a reader of this version understands.
const VERSION: u32 = 1;

/// The profile of a table.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use mlops_validate::stats::{Profile, Variance};
///
/// # fn main() -> mlops_core::Result<()> {
/// let batch = RecordBatch::try_from_iter([
///     ("carrier", Arc::new(StringArray::from(vec!["UA", "AA", "UA"])) as ArrayRef),
///     ("delay", Arc::new(Float64Array::from(vec![Some(2.0), None, Some(4.0)]))),
/// ]).unwrap();
/// let mut profile = Profile::of(batch.schema_ref());
/// profile.update(&batch)?;
///
/// let delay = profile.column("delay").unwrap();
/// assert_eq!((delay.rows(), delay.nulls()), (3, 1));
/// assert_eq!(delay.moments().unwrap().variance(Variance::Sample), Some(2.0));
/// let carriers = profile.column("carrier").unwrap().categories().unwrap();
/// assert_eq!(carriers["UA"], 2);
///
/// let stored = profile.to_json();
/// let mut week = Profile::from_json(&stored)?;
/// week.merge(&profile)?;
/// assert_eq!(week.rows(), 6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    version: u32,
    rows: u64,
    columns: Vec<ColumnProfile>,
}

impl Profile {
    /// The profile of a table without rows.
    pub fn of(schema: &Schema) -> Self {
        let columns = schema.fields().iter().map(|field| ColumnProfile::of(field)).collect();
        Self { version: VERSION, rows: 0, columns }
    }

    /// Goes on with the rows of `batch`.
    ///
    /// # Errors
    /// `Invalid` if the columns are not those of the profile, by position; nothing was added.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema_ref();
        let fits = schema.fields().len() == self.columns.len()
            && schema.fields().iter().zip(&self.columns).all(|(field, column)| {
                field.name() == column.name() && type_text(field.data_type()) == column.data_type()
            });
        if !fits {
            return Err(Error::invalid(OPERATION, "a batch has other columns than the profile")
                .with("profile", self.layout())
                .with("batch", Self::of(schema).layout()));
        }
        // Into a copy of nothing first: an error in one column must not leave half a batch.
        let mut next = Self::of(schema);
        for (column, array) in next.columns.iter_mut().zip(batch.columns()) {
            column.update(array, None)?;
        }
        next.rows = batch.num_rows() as u64;
        self.append(&next)
    }

    /// Adds a profile of other rows of the table; the order of merges does not matter. Whether columns
    /// are sorted is not known afterwards.
    ///
    /// # Errors
    /// `Invalid` if the columns are not the same; nothing was added.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.combine(other, ColumnProfile::merge)
    }

    /// Adds a profile of the rows that follow: like one pass over both.
    ///
    /// # Errors
    /// As [`Profile::merge`].
    pub fn append(&mut self, next: &Self) -> Result<()> {
        self.combine(next, ColumnProfile::append)
    }

    fn combine(
        &mut self,
        other: &Self,
        with: impl Fn(&mut ColumnProfile, &ColumnProfile) -> Result<()>,
    ) -> Result<()> {
        let alike = self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(|(a, b)| a.is_like(b));
        if !alike {
            return Err(Error::invalid(OPERATION, "two profiles have different columns")
                .with("one", self.layout())
                .with("other", other.layout()));
        }
        for (column, more) in self.columns.iter_mut().zip(&other.columns) {
            with(column, more)?;
        }
        self.rows = self.rows.saturating_add(other.rows);
        Ok(())
    }

    fn layout(&self) -> String {
        let columns = self.columns.iter().map(|c| format!("{} {}", c.name(), c.data_type()));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns, in the table's order.
    pub fn columns(&self) -> &[ColumnProfile] {
        &self.columns
    }

    /// The first column of a name.
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name() == name)
    }

    /// As JSON: the same text for the same profile.
    pub fn to_json(&self) -> String {
        // No map has keys other than text, and no number is infinite.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Profile::to_json`] wrote.
    ///
    /// # Errors
    /// `Invalid` for text that is no profile or contradicts itself; `Unsupported` for one of a later version.
    pub fn from_json(text: &str) -> Result<Self> {
        let profile: Self = serde_json::from_str(text)
            .map_err(|source| Error::invalid(OPERATION, "not a profile").with_source(source))?;
        if profile.version > VERSION {
            return Err(Error::new(
                mlops_core::ErrorKind::Unsupported,
                OPERATION,
                "a profile of a later version",
            )
            .with("version", profile.version)
            .with("known", VERSION));
        }
        let sound = |column: &ColumnProfile| column.is_sound() && column.rows() == profile.rows;
        match profile.columns.iter().find(|column| !sound(column)) {
            Some(column) => Err(Error::invalid(OPERATION, "a profile contradicts itself")
                .with("column", column.name())),
            None => Ok(profile),
        }
    }
}

#[cfg(test)]
mod tests;
