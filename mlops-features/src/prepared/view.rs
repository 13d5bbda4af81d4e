//! What a prepared read needs to know of each view of a service, and what it makes of it.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use mlops_core::features::{FeatureType, KeyType, RowStatus, TableId, Visibility};
use mlops_core::{Error, Result};

use crate::codec::{Column, Projection, RowCodec, Value};

/// A view of a service, resolved.
#[derive(Debug, Clone)]
pub struct PreparedView {
    /// What the service calls it.
    pub alias: String,
    /// Its rows in the online store.
    pub table: TableId,
    /// The columns of a request that hold its key, in the key's order.
    pub keys: Vec<RequestKey>,
    /// What can be seen of it.
    pub visibility: Visibility,
    /// The features that the service takes of it, in order.
    pub features: Vec<PreparedFeature>,
    /// How they come of what the store keeps.
    pub kind: PreparedKind,
}

/// A column of a request that holds a part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The column's name in the request.
    pub column: String,
    /// The key's type.
    pub data_type: KeyType,
}

/// A feature of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedFeature {
    /// The name of its column in the answer.
    pub name: String,
    /// Its type.
    pub data_type: FeatureType,
}

/// How the features of a view come of what the store keeps.
#[derive(Debug, Clone)]
pub enum PreparedKind {
    /// They are columns of the row that answers.
    Rows {
        /// What reads its rows.
        codec: Arc<RowCodec>,
        /// For each feature the table's column.
        columns: Vec<String>,
    },
    /// They are computed of a state that the one row of an entry holds.
    Aggregated(Arc<dyn Aggregated>),
}

/// Computes the features of an aggregated view of a key's state.
pub trait Aggregated: Debug + Send + Sync + 'static {
    /// Answers at `now`, in microseconds since 1970. `state` is the payload of the key's greatest row; without
    /// one the answer is that of no rows. A feature that is not set is null.
    ///
    /// # Errors
    /// `Corrupt` for what is no state.
    fn answer(&self, state: Option<&[u8]>, now: i64, out: &mut Cells<'_>) -> Result<RowStatus>;
}

/// One row of an answer, as far as it is of one view.
#[derive(Debug)]
pub struct Cells<'a> {
    columns: &'a mut [Column],
    row: usize,
}

impl<'a> Cells<'a> {
    pub(super) fn new(columns: &'a mut [Column], row: usize) -> Self {
        Self { columns, row }
    }

    /// Sets the value of the view's `feature`th feature.
    ///
    /// # Errors
    /// `Invalid` if it has another type; `Internal` if there is no such feature, or it was set before.
    pub fn set(&mut self, feature: usize, value: Value<'_>) -> Result<()> {
        match self.columns.get_mut(feature) {
            Some(column) if column.valid().len() == self.row => column.push(value),
            _ => Err(super::internal("an aggregate was answered twice, or is not asked for")
                .with("feature", feature)),
        }
    }

    /// Sets what was not set to null.
    pub(super) fn finish(self) {
        for column in self.columns {
            column.fill_null(self.row + 1);
        }
    }
}

/// All views of a service, with what is shared between them.
#[derive(Debug)]
pub(super) struct Plan {
    /// The columns of a request, each once.
    pub(super) keys: Vec<RequestKey>,
    /// The keys that views have, each once, as positions in `keys`.
    pub(super) sets: Vec<Vec<usize>>,
    pub(super) views: Vec<View>,
    pub(super) features: Vec<PreparedFeature>,
    /// For each feature its view.
    pub(super) owners: Vec<usize>,
    pub(super) schema: SchemaRef,
}

#[derive(Debug)]
pub(super) struct View {
    pub(super) alias: String,
    pub(super) table: TableId,
    /// Which of the plan's sets is its key.
    pub(super) set: usize,
    pub(super) visibility: Visibility,
    pub(super) kind: Kind,
    /// Its features among the plan's.
    pub(super) features: std::ops::Range<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Rows(Arc<RowCodec>, Projection),
    Aggregated(Arc<dyn Aggregated>),
}

impl Plan {
    pub(super) fn new(views: Vec<PreparedView>) -> Result<Self> {
        let mut plan = Self {
            keys: Vec::new(),
            sets: Vec::new(),
            views: Vec::with_capacity(views.len()),
            features: Vec::new(),
            owners: Vec::new(),
            schema: Arc::new(Schema::empty()),
        };
        for view in views {
            let alias = view.alias.clone();
            plan.add(view).map_err(|error| error.with("view", alias))?;
        }
        let mut names = HashSet::new();
        if let Some(twice) = plan.features.iter().find(|f| !names.insert(f.name.as_str())) {
            return Err(Error::invalid("features.prepare", "two features have one name")
                .with("feature", &twice.name)
                .with_hint("ask for full names, or give the views aliases"));
        }
        let fields = plan.features.iter().map(|f| Field::new(&f.name, f.data_type.arrow(), true));
        plan.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(plan)
    }

    fn add(&mut self, view: PreparedView) -> Result<()> {
        let kind = match view.kind {
            PreparedKind::Rows { codec, columns } => {
                let projection = codec.project(&columns)?;
                let found = projection.columns();
                let found = found.iter().map(Column::data_type);
                if !found.eq(view.features.iter().map(|feature| feature.data_type)) {
                    return Err(Error::invalid(
                        "features.prepare",
                        "the features are not of the types of their columns",
                    ));
                }
                Kind::Rows(codec, projection)
            }
            PreparedKind::Aggregated(answer) => Kind::Aggregated(answer),
        };
        let set = view.keys.into_iter().map(|key| self.key(key)).collect::<Result<Vec<_>>>()?;
        let known = self.sets.iter().position(|other| *other == set);
        let set = known.unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        let first = self.features.len();
        self.owners.extend(view.features.iter().map(|_| self.views.len()));
        self.features.extend(view.features);
        self.views.push(View {
            alias: view.alias,
            table: view.table,
            set,
            visibility: view.visibility,
            kind,
            features: first..self.features.len(),
        });
        Ok(())
    }

    fn key(&mut self, key: RequestKey) -> Result<usize> {
        match self.keys.iter().position(|known| known.column == key.column) {
            Some(known) if self.keys[known].data_type == key.data_type => Ok(known),
            Some(known) => Err(Error::invalid(
                "features.prepare",
                "one column of a request is the key of two views, and of two types",
            )
            .with("column", &key.column)
            .with("type", key.data_type)
            .with("other_type", self.keys[known].data_type)),
            None => {
                self.keys.push(key);
                Ok(self.keys.len() - 1)
            }
        }
    }
}
