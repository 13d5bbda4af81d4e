//! The training set: the point-in-time join of all views of a service.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use futures::TryStreamExt;
use mlops_core::features::{
    AsOf, EntityRows, Historical, KeyBatch, KnownAt, Probe, Receipt, ReceiptTable, RowStatus, Scan,
    ServiceRef, Source, TableKey, TrainingSet, Visibility,
};
use mlops_core::lineage::{Edge, Node, NodeKind, Relation};
use mlops_core::tracking::Digest;
use mlops_core::{Error, Result};

use super::Features;
use super::online::with_computed;
use super::receipt::{check_receipt, check_tables, digest_of};
use crate::bucket::bucket_of;
use crate::define::{Resolved, ResolvedView, resolve_service};
use crate::offline::coerce::coerce_asked_keys;
use crate::window::{WindowJoin, WindowPlan};

const OPERATION: &str = "features.historical";

impl Features {
    pub(super) async fn training_set(
        &self,
        service: &ServiceRef,
        rows: EntityRows,
        options: Historical,
    ) -> Result<TrainingSet> {
        let registered = self.load().await?;
        let pinned = options.receipt.as_ref().map_or(service, |receipt| &receipt.service);
        let resolved = resolve_service(&registered, pinned, self.now())?;
        if let Some(receipt) = &options.receipt {
            check_receipt(receipt, service, &resolved)?;
        }
        let rows = bucketed(rows, &resolved, options.bucket)?;
        let times = instants(&rows)?;
        let entities = digest_of(&rows, &times, &resolved)?;
        if let Some(receipt) = &options.receipt
            && options.bucket.is_none()
            && receipt.entities != entities
        {
            return Err(Error::invalid(
                OPERATION,
                "the rows that ask are not those of the receipt",
            )
            .with("rows", rows.batch.num_rows())
            .with("receipt_rows", receipt.rows)
            .with_hint("give the same keys, instants and request columns, in the same order"));
        }
        let known_at =
            options.receipt.as_ref().map_or(options.known_at, |receipt| receipt.known_at);
        let mut receipt = Receipt::new(
            ServiceRef::version(resolved.name.clone(), resolved.version.version),
            resolved.version.digest,
            known_at,
            entities,
            rows.batch.num_rows() as u64,
            self.now(),
        );
        let mut output = Output::of(&rows.batch);
        for (at, view) in resolved.views.iter().enumerate() {
            let keys = key_columns(OPERATION, &rows.batch, view)?;
            let position = options
                .receipt
                .as_ref()
                .and_then(|receipt| receipt.tables.get(at))
                .map(|t| t.position);
            let ask = Ask {
                keys,
                times: Arc::clone(&times),
                known_at,
                position,
                before_seq: None,
                options: &options,
            };
            let answer = self.ask(view, ask).await?;
            receipt.tables.push(self.read_of(view, &answer).await?);
            output.add(view, answer, options.statuses)?;
        }
        if let Some(then) = &options.receipt {
            check_tables(then, &receipt)?;
        }
        let joined = output.batch()?;
        let batch = match self.compiled(&resolved)? {
            Some(compiled) => with_computed(&compiled, &joined, &joined)?,
            None => joined,
        };
        self.leave_lineage(&receipt).await?;
        Ok(TrainingSet::new(batch, receipt))
    }

    /// What one view answers.
    pub(crate) async fn ask(&self, view: &ResolvedView, ask: Ask<'_>) -> Result<AsOf> {
        if view.view.definition.is_aggregated() {
            return self.ask_windows(view, ask).await;
        }
        let columns = view.features.iter().map(|f| f.feature.column().to_owned()).collect();
        let mut probe = Probe::new(ask.keys, ask.times, columns);
        probe.visibility = visibility(view);
        probe.known_at = ask.known_at;
        probe.position = ask.position;
        probe.before_seq = ask.before_seq;
        probe.threads = ask.options.threads;
        probe.progress.clone_from(&ask.options.progress);
        self.parts.offline.as_of(&view.view.table, probe).await
    }

    async fn ask_windows(&self, view: &ResolvedView, ask: Ask<'_>) -> Result<AsOf> {
        let table = &view.view.table;
        let rows = ask.times.len();
        let keys = KeyBatch::from_columns(&ask.keys, rows)?;
        // All of the view's, as online: whether a row is found depends on the longest window of all.
        let features = &view.view.definition.features;
        let plan = Arc::new(WindowPlan::new(table, features)?);
        let position = match (&table.source, ask.position) {
            (Source::Files(_), _) => 0,
            (_, Some(position)) => position,
            (_, None) => self.parts.offline.manifest(&table.id, None).await?.position,
        };
        let mut scan = Scan::default();
        scan.columns = Some(plan.columns());
        scan.position = matches!(table.source, Source::Log).then_some(position);
        scan.before_seq = ask.before_seq;
        let boundary = view.view.definition.boundary;
        let mut join = WindowJoin::new(plan, &keys, &ask.times, boundary, ask.known_at)?;
        if let Some((from, until)) = join.range() {
            (scan.from, scan.until) = (Some(from), Some(until));
            let mut batches = self.parts.offline.scan(table, scan).await?;
            while let Some(batch) = batches.try_next().await? {
                join.push(&batch)?;
            }
        }
        let answer = join.finish()?;
        let used = view.features.iter().filter_map(|used| {
            let place = features.iter().position(|there| there.name == used.feature.name)?;
            answer.columns.get(place).cloned()
        });
        Ok(AsOf::new(answer.rows, used.collect(), answer.event_time, answer.created, position))
    }

    async fn read_of(&self, view: &ResolvedView, answer: &AsOf) -> Result<ReceiptTable> {
        let table = &view.view.table;
        let mut hash = blake3::Hasher::new();
        if let Source::Files(urls) = &table.source {
            hash.update(urls.join("\n").as_bytes());
        } else {
            let position = Some(answer.position);
            for segment in &self.parts.offline.manifest(&table.id, position).await?.segments {
                hash.update(&segment.digest.0);
            }
        }
        let digest = Digest(*hash.finalize().as_bytes());
        let name = view.used.view.clone();
        Ok(ReceiptTable::new(name, table.id.clone(), answer.position, digest))
    }

    /// Every read for training leaves its trace: views → service → the set that was made.
    async fn leave_lineage(&self, receipt: &Receipt) -> Result<()> {
        let Some(lineage) = &self.lineage else { return Ok(()) };
        let service = Node::new(NodeKind::FeatureService, receipt.service.to_string());
        // As a run names it whose input the set becomes: its name, `@`, its digest.
        let set = format!("{}@training:{}", receipt.service, receipt.digest());
        let made = Node::new(NodeKind::Dataset, set);
        lineage.link(&[Edge::new(service, made, Relation::DerivedFrom)]).await
    }
}

/// What one view is asked.
pub(crate) struct Ask<'a> {
    pub(crate) keys: Vec<ArrayRef>,
    /// See [`instants`].
    pub(crate) times: ArrayRef,
    pub(crate) known_at: KnownAt,
    pub(crate) position: Option<u64>,
    /// Only rows of a lower `seq`.
    pub(crate) before_seq: Option<u64>,
    /// Threads and progress.
    pub(crate) options: &'a Historical,
}

/// The columns of the answer, as they come.
struct Output {
    fields: Vec<Arc<Field>>,
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl Output {
    fn of(batch: &RecordBatch) -> Self {
        Self {
            fields: batch.schema().fields().iter().cloned().collect(),
            columns: batch.columns().to_vec(),
            rows: batch.num_rows(),
        }
    }

    fn add(&mut self, view: &ResolvedView, answer: AsOf, statuses: bool) -> Result<()> {
        for (made, column) in view.features.iter().zip(answer.columns) {
            let field = Field::new(&made.output, made.feature.data_type.arrow(), true);
            self.push(field, column)?;
        }
        if statuses {
            let prefix = view.used.prefix();
            let words = answer.rows.iter().map(|row| match row {
                RowStatus::Found => "found",
                RowStatus::NotFound => "not_found",
                RowStatus::Expired => "expired",
            });
            let words: ArrayRef = Arc::new(StringArray::from_iter_values(words));
            self.push(Field::new(format!("{prefix}__status"), DataType::Utf8, false), words)?;
            let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            for (name, times) in [("event_time", answer.event_time), ("created", answer.created)] {
                let times = cast(&times, &instant).map_err(|e| internal(&e))?;
                self.push(Field::new(format!("{prefix}__{name}"), instant.clone(), true), times)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, field: Field, column: ArrayRef) -> Result<()> {
        if self.fields.iter().any(|there| there.name() == field.name()) {
            return Err(Error::invalid(OPERATION, "two columns of the answer have one name")
                .with("column", field.name())
                .with_hint(
                    "rename the column of the rows that ask, or give the service `full_names`",
                ));
        }
        self.fields.push(Arc::new(field));
        self.columns.push(column);
        Ok(())
    }

    fn batch(self) -> Result<RecordBatch> {
        whole(self.fields, self.columns, self.rows)
    }
}

pub(crate) fn whole(
    fields: Vec<Arc<Field>>,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| internal(&e))
}

pub(crate) fn internal(error: &arrow::error::ArrowError) -> Error {
    Error::new(mlops_core::ErrorKind::Internal, OPERATION, error.to_string())
}

/// The key columns of a view from the rows that ask, brought to the keys' types.
pub(crate) fn key_columns(
    operation: &'static str,
    batch: &RecordBatch,
    view: &ResolvedView,
) -> Result<Vec<ArrayRef>> {
    let mut found = Vec::new();
    for key in &view.keys {
        let column = batch.column_by_name(&key.column).ok_or_else(|| {
            Error::invalid(operation, "the rows that ask lack a key column")
                .with("view", view.used.prefix())
                .with("column", &key.column)
                .with("columns", names(batch))
        })?;
        found.push(Arc::clone(column));
    }
    // Errors say the column of the rows, not the key of the view.
    let keys: Vec<TableKey> = view
        .keys
        .iter()
        .map(|key| TableKey { name: key.column.clone(), data_type: key.key.data_type })
        .collect();
    coerce_asked_keys(&found, &keys)
}

fn names(batch: &RecordBatch) -> String {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    names.join(", ")
}

pub(super) fn visibility(view: &ResolvedView) -> Visibility {
    Visibility::new(view.view.definition.ttl, view.view.definition.boundary)
}

/// The instants of the rows that ask, of microseconds or nanoseconds, without nulls.
pub(crate) fn instants(rows: &EntityRows) -> Result<ArrayRef> {
    let column = rows.batch.column_by_name(&rows.event_time).ok_or_else(|| {
        Error::invalid(OPERATION, "the rows that ask lack the column of instants")
            .with("column", &rows.event_time)
            .with("columns", names(&rows.batch))
    })?;
    let (zone, unit) = match column.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => (zone.clone(), TimeUnit::Nanosecond),
        DataType::Timestamp(_, zone) => (zone.clone(), TimeUnit::Microsecond),
        DataType::Date32 | DataType::Date64 => (None, TimeUnit::Microsecond),
        other => {
            return Err(Error::invalid(OPERATION, "the column of instants is no timestamp")
                .with("column", &rows.event_time)
                .with("type", other)
                .with_hint("give timestamps; those without a zone are UTC"));
        }
    };
    if let Some(row) = (0..column.len()).find(|row| column.is_null(*row)) {
        return Err(Error::invalid(OPERATION, "a row asks at no instant")
            .with("column", &rows.event_time)
            .with("row", row));
    }
    let made = cast(column, &DataType::Timestamp(unit, zone)).map_err(|e| internal(&e))?;
    if let Some(row) = (0..made.len()).find(|row| made.is_null(*row)) {
        return Err(Error::invalid(OPERATION, "an instant is out of range")
            .with("column", &rows.event_time)
            .with("row", row));
    }
    Ok(made)
}

/// The rows of the bucket that is asked for: by the hash of all key columns of the service, so that the
/// same rows go together whatever machine asks.
fn bucketed(
    rows: EntityRows,
    resolved: &Resolved,
    bucket: Option<(u32, u32)>,
) -> Result<EntityRows> {
    let Some((i, n)) = bucket else { return Ok(rows) };
    if i >= n {
        return Err(Error::invalid(OPERATION, "there is no such bucket")
            .with("bucket", i)
            .with("buckets", n)
            .with_hint("buckets are numbered from 0"));
    }
    let keys = all_keys(&rows.batch, resolved)?;
    let keep = |row: usize| bucket_of(keys.get(row).unwrap_or_default(), n) == i;
    let mask: BooleanArray = (0..rows.batch.num_rows()).map(|row| Some(keep(row))).collect();
    let batch = filter_record_batch(&rows.batch, &mask).map_err(|e| internal(&e))?;
    Ok(EntityRows::new(batch).at(rows.event_time))
}

/// The distinct key columns of a service, by name, as one key a row.
pub(crate) fn all_keys(batch: &RecordBatch, resolved: &Resolved) -> Result<KeyBatch> {
    let mut columns = std::collections::BTreeMap::new();
    for view in &resolved.views {
        let arrays = key_columns(OPERATION, batch, view)?;
        columns.extend(view.keys.iter().map(|key| key.column.clone()).zip(arrays));
    }
    let columns: Vec<ArrayRef> = columns.into_values().collect();
    KeyBatch::from_columns(&columns, batch.num_rows())
}
