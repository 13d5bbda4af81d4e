//! What a prepared read fills: columns for many rows, or one row. Their memory is kept from one read to
//! the next.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use mlops_core::Result;
use mlops_core::features::{Entry, OnlineAnswer, RowStatus, Status, Visibility};

use super::internal;
use super::keys::Keys;
use super::view::{Cells, Kind, Plan, View};
use crate::codec::{Column, Payloads, Value};

/// The features of many rows.
///
/// One value serves read after read, of any prepared service; after a read that failed it is of no use
/// until the next.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    plan: Option<Arc<Plan>>,
    rows: usize,
    features: Vec<Column>,
    /// For each view.
    statuses: Vec<Vec<RowStatus>>,
    /// Rows of the view that is being read.
    payloads: Payloads,
}

/// The features of one row; see [`Columns`].
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub(super) keys: Option<Keys>,
    pub(super) columns: Columns,
}

impl Columns {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The features, in the order of [`Prepared::features`](super::Prepared::features).
    pub fn columns(&self) -> &[Column] {
        &self.features
    }

    /// What became of each row in a view, by the view's place in the service.
    pub fn view(&self, view: usize) -> Option<&[RowStatus]> {
        self.statuses.get(view).map(Vec::as_slice)
    }

    /// What the value of a feature in a row is; `NotFound` too if there is no such row.
    #[inline]
    pub fn status(&self, feature: usize, row: usize) -> Status {
        let owner = self.plan.as_ref().and_then(|plan| plan.owners.get(feature));
        let view = owner.and_then(|view| self.statuses.get(*view)?.get(row));
        let column = self.features.get(feature).and_then(|column| column.valid().get(row));
        match (view, column) {
            (Some(view), Some(valid)) => Status::of(*view, !valid),
            _ => Status::NotFound,
        }
    }

    /// As Arrow, without a copy of the values.
    ///
    /// # Errors
    /// `Internal` after a read that failed.
    pub fn into_answer(self) -> Result<OnlineAnswer> {
        let Some(plan) = self.plan else { return Err(internal("nothing was read")) };
        let columns = self.features.into_iter().map(Column::into_array).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&plan.schema), columns, &options);
        let batch = batch.map_err(|e| internal("the read had failed").with_source(e))?;
        Ok(OnlineAnswer::new(batch, self.statuses))
    }

    /// Begins a read.
    pub(super) fn begin(&mut self, plan: &Arc<Plan>, rows: usize) -> Result<()> {
        if !self.plan.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, plan)) {
            let types = plan.features.iter().map(|feature| Column::new(feature.data_type));
            self.features = types.collect::<Result<_>>()?;
            self.statuses = vec![Vec::new(); plan.views.len()];
            self.plan = Some(Arc::clone(plan));
        }
        self.features.iter_mut().for_each(Column::clear);
        self.statuses.iter_mut().for_each(Vec::clear);
        self.rows = rows;
        Ok(())
    }

    /// Reads one view: `visit` hands the entry of each row to what it is given, in order.
    pub(super) fn read(
        &mut self,
        index: usize,
        view: &View,
        now: i64,
        visit: impl FnOnce(&mut dyn FnMut(usize, Option<&[u8]>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let Self { features, statuses, payloads, rows, .. } = self;
        let (columns, statuses) = (&mut features[view.features.clone()], &mut statuses[index]);
        payloads.clear();
        let mut order = true;
        let visited = match &view.kind {
            Kind::Rows(codec, projection) => visit(&mut |row, entry| {
                order &= row == statuses.len();
                let (status, payload) = see(entry, view.visibility, now)?;
                statuses.push(status);
                match payload {
                    Some(payload) => payloads.push(codec, payload),
                    None => payloads.push_none(codec),
                }
            })
            .and_then(|()| projection.decode(payloads, columns)),
            Kind::Aggregated(answer) => visit(&mut |row, entry| {
                order &= row == statuses.len();
                // A state's row has no instant of its own: whatever row is the greatest is the state.
                let (_, state) = see(entry, Visibility::default(), i64::MAX)?;
                let mut cells = Cells::new(columns, statuses.len());
                let status = answer.answer(state, now, &mut cells)?;
                cells.finish();
                statuses.push(status);
                Ok(())
            }),
        };
        visited.map_err(|error| error.with("view", &view.alias))?;
        if order && statuses.len() == *rows {
            Ok(())
        } else {
            Err(internal("the store handed out entries for other rows").with("view", &view.alias))
        }
    }
}

impl Row {
    /// No row.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a feature.
    #[inline]
    pub fn value(&self, feature: usize) -> Value<'_> {
        self.columns.features.get(feature).map_or(Value::Null, |column| column.value(0))
    }

    /// What the value is.
    #[inline]
    pub fn status(&self, feature: usize) -> Status {
        self.columns.status(feature, 0)
    }

    /// The value of a `float` feature.
    #[inline]
    pub fn float(&self, feature: usize) -> Option<f64> {
        if let Value::Float(value) = self.value(feature) { Some(value) } else { None }
    }

    /// The value of an `int` feature.
    #[inline]
    pub fn int(&self, feature: usize) -> Option<i64> {
        if let Value::Int(value) = self.value(feature) { Some(value) } else { None }
    }

    /// The value of a `string` feature.
    #[inline]
    pub fn text(&self, feature: usize) -> Option<&str> {
        if let Value::String(value) = self.value(feature) { Some(value) } else { None }
    }

    /// All values, in the order of [`Prepared::features`](super::Prepared::features).
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        self.columns.features.iter().map(|column| column.value(0))
    }
}

/// What of an entry can be seen.
#[inline]
fn see(
    entry: Option<&[u8]>,
    visibility: Visibility,
    now: i64,
) -> Result<(RowStatus, Option<&[u8]>)> {
    let Some(entry) = entry else { return Ok((RowStatus::NotFound, None)) };
    Ok(match Entry::parse(entry)?.at(visibility, now)? {
        None => (RowStatus::NotFound, None),
        Some(row) if visibility.expired(row.order.event_time, now) => (RowStatus::Expired, None),
        Some(row) => (RowStatus::Found, Some(row.payload)),
    })
}
