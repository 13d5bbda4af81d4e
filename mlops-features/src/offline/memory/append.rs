//! Appending: what is refused, and what is stamped.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use mlops_core::features::{Append, Appended, KeyBatch, Source, Table};
use mlops_core::time::MAX_MICROS;
use mlops_core::{Error, Result};

use super::rows::{Rows, Tick, ticks};
use super::{Log, statistics};
use crate::offline::coerce::{coerce_column, coerce_keys};

const OPERATION: &str = "features.append";
/// The year 1.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
/// How many tokens are remembered.
const TOKENS: usize = 10_000;

impl Log {
    pub(super) fn append(
        &mut self,
        table: &Table,
        batch: &RecordBatch,
        options: Append,
        now: i64,
    ) -> Result<Appended> {
        if let Source::Files(urls) = &table.source {
            return Err(Error::invalid(OPERATION, "the rows of this table are in files")
                .with("table", &table.id)
                .with("files", urls.join(", ")));
        }
        let before = |(token, answer): &(mlops_core::Key, Appended)| {
            (Some(token) == options.token.as_ref()).then_some(*answer)
        };
        if let Some(answer) = self.last.tokens.iter().find_map(before) {
            return Ok(answer);
        }
        let stamp = now.max(self.last.last_created);
        let first_seq = self.last.next_seq;
        let rows = read(table, batch, (first_seq, stamp), now)?;
        let count = rows.len() as u64;
        if count == 0 {
            return Ok(Appended { rows: 0, first_seq, position: self.last.position });
        }
        let sorted = rows.sorted()?;
        let stamped = says_when(table, batch).is_none_or(|column| column.null_count() > 0);
        let mut manifest = self.last.clone();
        manifest.next_seq = first_seq + count;
        if stamped {
            manifest.last_created = stamp;
        }
        self.made += 1;
        let segment = statistics::segment(format!("memory/{}/{}", table.id, self.made), &sorted);
        let position = self.last.position + 1;
        let answer = Appended { rows: count, first_seq, position };
        if let Some(token) = options.token {
            manifest.tokens.push((token, answer));
            let old = manifest.tokens.len().saturating_sub(TOKENS);
            manifest.tokens.drain(..old);
        }
        self.segments.insert(segment.path.clone(), Arc::new(sorted));
        manifest.segments.push(segment);
        self.commit(manifest);
        Ok(answer)
    }
}

fn says_when<'a>(table: &Table, batch: &'a RecordBatch) -> Option<&'a ArrayRef> {
    table.created.as_ref().and_then(|name| batch.column_by_name(name))
}

/// The rows of a batch, if all of them are right; the first gets this `seq`, and those whose source
/// does not say when they were known this instant.
fn read(
    table: &Table,
    batch: &RecordBatch,
    (first_seq, stamp): (u64, i64),
    now: i64,
) -> Result<Rows> {
    let names: Vec<&str> = table.keys.iter().map(|key| &*key.name).collect();
    let keys = names.iter().map(|name| column(table, batch, name).cloned());
    let key_columns = coerce_keys(&keys.collect::<Result<Vec<_>>>()?, &table.keys)?;
    for (name, keys) in names.iter().zip(&key_columns) {
        if let Some(row) = (0..keys.len()).find(|row| keys.is_null(*row)) {
            return Err(wrong(table, name, row, "is null in a key"));
        }
    }
    let rows = batch.num_rows();
    let event_times = ticks(column(table, batch, &table.event_time)?, &table.event_time)?;
    let limit = now.saturating_add(table.ahead.micros());
    for (row, tick) in event_times.iter().enumerate() {
        let refuse = |why| Err(wrong(table, &table.event_time, row, why));
        match tick {
            None => return refuse("is null as an event time"),
            Some((_, nanos)) if *nanos > 0 => return refuse("has parts of a microsecond"),
            Some((micros, _)) if *micros > MAX_MICROS || *micros < FIRST_MICROS => {
                return refuse("is outside the years 1 to 9999");
            }
            Some((micros, _)) if *micros > limit => {
                let error = wrong(table, &table.event_time, row, "is ahead of the clock");
                return Err(error.with("event time", micros).with("clock", now));
            }
            Some(_) => {}
        }
    }
    let created = match says_when(table, batch) {
        Some(column) => ticks(column, table.created.as_deref().unwrap_or_default())?,
        None => vec![None; rows],
    };
    if let Some(row) = created.iter().position(|tick| tick.is_some_and(|(_, nanos)| nanos > 0)) {
        let name = table.created.as_deref().unwrap_or_default();
        return Err(wrong(table, name, row, "has parts of a microsecond"));
    }
    let stamped = |tick: Option<Tick>| tick.or(Some((stamp, 0)));
    let mut columns = Vec::new();
    for wanted in &table.columns {
        if let Some(column) = batch.column_by_name(&wanted.name) {
            let column = coerce_column(column, wanted.data_type, &wanted.name)?;
            columns.push((wanted.name.clone(), column));
        }
    }
    Ok(Rows {
        keys: KeyBatch::from_columns(&key_columns, rows)?,
        key_columns,
        event_times,
        created: created.into_iter().map(stamped).collect(),
        seqs: (first_seq..).take(rows).collect(),
        columns,
    })
}

/// A column that must be there.
pub(super) fn column<'a>(
    table: &Table,
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema();
        let there: Vec<&str> = schema.fields().iter().map(|field| &**field.name()).collect();
        Error::invalid(OPERATION, "a column is missing")
            .with("table", &table.id)
            .with("column", name)
            .with("there are", there.join(", "))
    })
}

fn wrong(table: &Table, column: &str, row: usize, why: &'static str) -> Error {
    Error::invalid(OPERATION, why).with("table", &table.id).with("column", column).with("row", row)
}
