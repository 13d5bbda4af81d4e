//! A training set without a list of rows that ask: all that a view says between two instants.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{
    SortColumn, cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use futures::TryStreamExt;
use mlops_core::features::{
    EntityRows, Historical, KeyBatch, Scan, ServiceRef, Table, TrainingSet,
};
use mlops_core::time::{Instant, to_micros};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use crate::define::{ResolvedKey, resolve_service};

const OPERATION: &str = "features.range";

impl Features {
    /// The training set of every key and event time that the service's first view has in `[from, until)`:
    /// each such row asks, at its own event time, once, in the order of keys and times. All of them are in
    /// memory at once; ask for shorter times, or bucket by bucket, if that is too much.
    ///
    /// # Errors
    /// As [`FeatureStore::historical`](mlops_core::features::FeatureStore::historical); `Invalid` for a service without views.
    pub async fn range(
        &self,
        service: &ServiceRef,
        from: Instant,
        until: Instant,
        options: Historical,
    ) -> Result<TrainingSet> {
        let registered = self.load().await?;
        let resolved = resolve_service(&registered, service, self.now())?;
        let view = resolved.views.first().ok_or_else(|| {
            Error::invalid(OPERATION, "the service has no view").with("service", service)
        })?;
        let mut scan = Scan::default();
        scan.columns = Some(Vec::new());
        scan.from = Some(to_micros(from)?);
        scan.until = Some(to_micros(until)?);
        scan.position = options.receipt.as_ref().and_then(|r| r.tables.first()).map(|t| t.position);
        let table = &view.view.table;
        let mut batches = self.parts.offline.scan(table, scan).await?;
        let mut parts: Vec<RecordBatch> = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            let wanted: Vec<usize> = (0..=table.keys.len()).collect();
            parts.push(batch.project(&wanted).map_err(|e| broken(&e))?);
        }
        let Some(first) = parts.first() else {
            return Err(Error::not_found(OPERATION, "the view has no rows in that time")
                .with("view", &view.used.view)
                .with("from", from)
                .with("until", until));
        };
        let all = concat_batches(&first.schema(), &parts).map_err(|e| broken(&e))?;
        let rows = distinct(&all, table)?;
        let renamed = rename(&in_order(&rows)?, &view.keys)?;
        self.training_set(service, EntityRows::new(renamed).at(Table::EVENT_TIME), options).await
    }
}

/// The rows of different key and event time, the first of each; a corrected row asks once.
fn distinct(batch: &RecordBatch, table: &Table) -> Result<RecordBatch> {
    let mut columns = batch.columns()[..table.keys.len()].to_vec();
    columns.push(cast(batch.column(table.keys.len()), &DataType::Int64).map_err(|e| broken(&e))?);
    let keys = KeyBatch::from_columns(&columns, batch.num_rows())?;
    let mut seen: HashSet<&[u8]> = HashSet::new();
    let first: BooleanArray =
        keys.iter().map(|key| Some(key.is_some_and(|key| seen.insert(key)))).collect();
    filter_record_batch(batch, &first).map_err(|e| broken(&e))
}

/// By key and time, so that the answer does not depend on how rows are cut into segments.
fn in_order(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter();
    let columns: Vec<SortColumn> =
        columns.map(|values| SortColumn { values: Arc::clone(values), options: None }).collect();
    let order = lexsort_to_indices(&columns, None).map_err(|e| broken(&e))?;
    take_record_batch(batch, &order).map_err(|e| broken(&e))
}

/// The key columns as the service calls them.
fn rename(batch: &RecordBatch, keys: &[ResolvedKey]) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    for (field, key) in fields.iter_mut().zip(keys) {
        *field = Arc::new(field.as_ref().clone().with_name(&key.column));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec())
        .map_err(|e| broken(&e))
}

fn broken(error: &ArrowError) -> Error {
    Error::new(ErrorKind::Internal, OPERATION, error.to_string())
}
