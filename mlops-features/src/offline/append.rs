//! Appends rows: checked, sorted, written, committed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, TimestampMicrosecondArray, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use mlops_core::features::{Append, Appended, Segment, Source, Table};
use mlops_core::time::{MAX_MICROS, from_micros_lossy};
use mlops_core::{Error, ErrorKind, Result};

use super::coerce::{coerce_column, coerce_keys, coerce_time};
use super::error::internal;
use super::file::BATCH_ROWS;
use super::layout::{
    SEGMENT_ROWS, SMALL_BYTES, SMALL_SEGMENTS, below, is_key, segment_name, segment_schema,
};
use super::log::{Loaded, Log};
use super::store::SegmentStore;
use super::write::SegmentWriter;

const OPERATION: &str = "features.append";
/// How often a commit is tried; each time another writer was faster.
pub(super) const TRIES: usize = 64;
/// 0001-01-01T00:00:00Z.
const MIN_EVENT_TIME: i64 = -62_135_596_800_000_000;

/// Rows that may be stored.
struct Checked {
    keys: Vec<ArrayRef>,
    event_time: TimestampMicrosecondArray,
    created: TimestampMicrosecondArray,
    /// Those of the segment's schema after the store's own.
    values: Vec<ArrayRef>,
}

impl SegmentStore {
    pub(super) async fn append_rows(
        &self,
        table: &Table,
        batch: &RecordBatch,
        options: Append,
    ) -> Result<Appended> {
        let rows = check(table, batch, self.clock.now_micros())?;
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            if let Some(token) = &options.token
                && let Some(appended) = self.used_token(OPERATION, &base.log, token).await?
            {
                return Ok(appended);
            }
            let first_seq = base.log.manifest.next_seq;
            let mut appended = Appended {
                rows: batch.num_rows() as u64,
                first_seq,
                position: base.log.position(),
            };
            if batch.num_rows() == 0 && options.token.is_none() {
                return Ok(appended);
            }
            appended.position += 1;
            // Read now, not when the append began to wait: the stamp is what a reader saw or not.
            let now = self.clock.now_micros();
            let stamp = now.max(base.log.manifest.last_created);
            let mut log = Log::clone(&base.log);
            log.manifest.segments.extend(self.write_rows(table, &rows, &base, stamp).await?);
            log.manifest.next_seq = first_seq
                .checked_add(appended.rows)
                .ok_or_else(|| internal(OPERATION, "no seq is left"))?;
            if rows.created.null_count() > 0 {
                log.manifest.last_created = stamp;
            }
            if let Some(token) = &options.token {
                log.manifest.tokens.push((token.clone(), appended));
            }
            if let Err(error) = self.merge_small(table, &mut log, now).await {
                self.discard(OPERATION, &base.log, &log).await?;
                if self.moved(OPERATION, &table.id, &base, &error).await? {
                    continue;
                }
                return Err(error);
            }
            self.shed_replaced(&mut log, now).await;
            if self.commit(OPERATION, &table.id, &base, log.clone()).await?.is_some() {
                return Ok(appended);
            }
            self.discard(OPERATION, &base.log, &log).await?;
        }
        Err(contended(OPERATION, table))
    }

    /// Rows as segments, which nothing names yet.
    async fn write_rows(
        &self,
        table: &Table,
        rows: &Checked,
        base: &Loaded,
        stamp: i64,
    ) -> Result<Vec<Segment>> {
        let position = base.log.position() + 1;
        let all = rows.event_time.len();
        let mut segments = Vec::new();
        for start in (0..all).step_by(SEGMENT_ROWS) {
            let length = SEGMENT_ROWS.min(all - start);
            let first_seq = base.log.manifest.next_seq + start as u64;
            let part = rows.slice(start, length, stamp);
            let order = part.order()?;
            let seq = UInt64Array::from_iter_values(first_seq..first_seq + length as u64);
            let columns = part.keys.into_iter().chain([
                Arc::new(part.event_time.with_timezone("UTC")) as ArrayRef,
                Arc::new(part.created.with_timezone("UTC")),
                Arc::new(seq),
            ]);
            let columns: Vec<_> = columns.chain(part.values).collect();
            let schema = segment_schema(table);
            let name = segment_name(&table.id, position, first_seq, self.clock.now_micros());
            let path = below(&self.root, &name);
            let keys = table.keys.len();
            let mut writer = SegmentWriter::new(OPERATION, &self.store, path, name, keys);
            // In slices, so that the sorted copy is never there as a whole.
            for at in (0..length).step_by(2 * BATCH_ROWS) {
                let slice = order.slice(at, (2 * BATCH_ROWS).min(length - at));
                let taken: Result<Vec<_>, _> =
                    columns.iter().map(|column| take(column, &slice, None)).collect();
                let taken = taken.map_err(|e| internal(OPERATION, e))?;
                let batch = RecordBatch::try_new(Arc::clone(&schema), taken);
                writer.add(&batch.map_err(|e| internal(OPERATION, e))?).await?;
            }
            segments.extend(writer.finish().await?);
        }
        Ok(segments)
    }

    /// Merges the newest small segments when there are many, so that rows that come one by one do
    /// not drown the manifest.
    ///
    /// From the newest back as long as the next is at most twice what was gathered. So each row is
    /// merged again only when its segment doubles: a logarithm of times.
    async fn merge_small(&self, table: &Table, log: &mut Log, now: i64) -> Result<()> {
        let small = |segment: &Segment| segment.bytes < SMALL_BYTES;
        let segments = log.segments();
        if segments.iter().filter(|segment| small(segment)).count() <= SMALL_SEGMENTS {
            return Ok(());
        }
        let (mut from, mut gathered) = (segments.len(), 0);
        for segment in segments.iter().rev().take_while(|segment| small(segment)) {
            if gathered > 0 && segment.rows > 2 * gathered {
                break;
            }
            gathered += segment.rows;
            from -= 1;
        }
        let merged = segments[from..].to_vec();
        if merged.len() < 2 {
            return Ok(());
        }
        let position = log.position() + 1;
        let made = self.merge(OPERATION, table, &merged, position, &mut |_| Ok(None)).await?;
        // What this very append wrote was never seen by anyone; the others may be.
        log.replace(&merged, made, now);
        Ok(())
    }
}

impl Checked {
    /// A part of the rows; those of unknown creation get `stamp`.
    fn slice(&self, start: usize, length: usize, stamp: i64) -> Self {
        let created = self.created.slice(start, length);
        let created = match created.null_count() {
            0 => created,
            _ => PrimitiveArray::from_iter_values(created.iter().map(|c| c.unwrap_or(stamp))),
        };
        let slice = |column: &ArrayRef| column.slice(start, length);
        Self {
            keys: self.keys.iter().map(slice).collect(),
            event_time: self.event_time.slice(start, length),
            created,
            values: self.values.iter().map(slice).collect(),
        }
    }

    /// The rows' places by key, event time, created and `seq`.
    fn order(&self) -> Result<UInt32Array> {
        let rows = self.event_time.len() as u32;
        let (event_time, created) = (self.event_time.values(), self.created.values());
        let times = |row: u32| (event_time[row as usize], created[row as usize], row);
        let order: Vec<u32> = match self.keys.as_slice() {
            [] => {
                let mut order: Vec<_> = (0..rows).collect();
                order.sort_unstable_by_key(|row| times(*row));
                order
            }
            [key] if key.as_primitive_opt::<Int64Type>().is_some() => {
                let keys = key.as_primitive::<Int64Type>().values();
                let mut order: Vec<_> =
                    (0..rows).map(|row| (keys[row as usize], times(row))).collect();
                order.sort_unstable();
                order.into_iter().map(|(_, (_, _, row))| row).collect()
            }
            keys => {
                let fields = keys.iter().map(|key| SortField::new(key.data_type().clone()));
                let converter = RowConverter::new(fields.collect());
                let converted = converter.and_then(|converter| converter.convert_columns(keys));
                let keys = converted.map_err(|e| internal(OPERATION, e))?;
                let mut order: Vec<_> = (0..rows).collect();
                order.sort_unstable_by(|a, b| {
                    let by_key = keys.row(*a as usize).cmp(&keys.row(*b as usize));
                    by_key.then_with(|| times(*a).cmp(&times(*b)))
                });
                order
            }
        };
        Ok(order.into())
    }
}

/// Brings a batch to the table's types.
fn check(table: &Table, batch: &RecordBatch, now: i64) -> Result<Checked> {
    if let Source::Files(files) = &table.source {
        return Err(Error::invalid(OPERATION, "the table is of files, and cannot be appended to")
            .with("table", &table.id)
            .with("files", files.join(", ")));
    }
    let column = |name: &str| {
        batch.column_by_name(name).cloned().ok_or_else(|| {
            let schema = batch.schema();
            let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Error::invalid(OPERATION, "the rows lack a column")
                .with("table", &table.id)
                .with("column", name)
                .with("columns", names.join(", "))
        })
    };
    let keys: Result<Vec<_>> = table.keys.iter().map(|key| column(&key.name)).collect();
    let keys = coerce_keys(&keys?, &table.keys)?;
    for (key, values) in table.keys.iter().zip(&keys) {
        no_nulls(&key.name, values, "a key")?;
    }
    let event_time = coerce_time(&column(&table.event_time)?, &table.event_time)?;
    no_nulls(&table.event_time, &event_time, "an event time")?;
    let event_time = event_time.as_primitive::<TimestampMicrosecondType>().clone();
    check_range(&table.event_time, &event_time)?;
    let latest = now.saturating_add(table.ahead.micros());
    if let Some(row) = event_time.values().iter().position(|time| *time > latest) {
        return Err(Error::invalid(OPERATION, "an event time is ahead of the clock")
            .with("column", &table.event_time)
            .with("row", row)
            .with("value", from_micros_lossy(event_time.value(row)))
            .with("clock", from_micros_lossy(now))
            .with("ahead", table.ahead)
            .with_hint("check the unit of the column; a view may allow more with `ahead`"));
    }
    let created = table.created.as_ref().and_then(|name| Some((name, batch.column_by_name(name)?)));
    let created = match created {
        Some((name, values)) => {
            let created = coerce_time(values, name)?;
            let created = created.as_primitive::<TimestampMicrosecondType>().clone();
            check_range(name, &created)?;
            created
        }
        None => PrimitiveArray::new_null(batch.num_rows()),
    };
    let values = table.columns.iter().filter(|column| !is_key(table, &column.name));
    let values = values.map(|column| match batch.column_by_name(&column.name) {
        Some(values) => coerce_column(values, column.data_type, &column.name),
        None => Ok(new_null_array(&column.data_type.arrow(), batch.num_rows())),
    });
    Ok(Checked { keys, event_time, created, values: values.collect::<Result<_>>()? })
}

fn no_nulls(name: &str, values: &ArrayRef, what: &str) -> Result<()> {
    match (0..values.len()).find(|row| values.is_null(*row)) {
        Some(row) if values.null_count() > 0 => {
            Err(Error::invalid(OPERATION, format!("{what} is null"))
                .with("column", name)
                .with("row", row))
        }
        _ => Ok(()),
    }
}

fn check_range(name: &str, times: &TimestampMicrosecondArray) -> Result<()> {
    let outside = |row: &usize| {
        times.is_valid(*row) && !(MIN_EVENT_TIME..=MAX_MICROS).contains(&times.value(*row))
    };
    match (0..times.len()).find(outside) {
        None => Ok(()),
        Some(row) => Err(Error::invalid(OPERATION, "an instant is outside the years 1 to 9999")
            .with("column", name)
            .with("row", row)
            .with("microseconds", times.value(row))),
    }
}

/// Others were faster, again and again.
#[cold]
pub(super) fn contended(operation: &'static str, table: &Table) -> Error {
    Error::new(ErrorKind::Unavailable, operation, "other writers were faster each time")
        .with("table", &table.id)
        .with("tries", TRIES)
        .with_hint("append fewer, larger batches")
}
