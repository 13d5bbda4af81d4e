//! The point-in-time join, the plain way: for each row that asks, every row of its key.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, TimeUnit};
use mlops_core::features::{AsOf, Boundary, KeyBatch, KnownAt, Probe, RowStatus, Table};
use mlops_core::{Error, Result};

use super::rows::{Rows, Tick, column_type, failed, ticks};

const OPERATION: &str = "features.as_of";

/// What is answered of these rows.
pub(super) fn as_of(table: &Table, rows: &Rows, probe: &Probe, position: u64) -> Result<AsOf> {
    let (asked, times) = check(table, probe)?;
    let mut of_key: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for row in 0..rows.len() {
        if let Some(key) = rows.keys.get(row) {
            of_key.entry(key).or_default().push(row);
        }
    }
    let mut statuses = Vec::with_capacity(times.len());
    let mut winners = Vec::with_capacity(times.len());
    for (at, time) in times.iter().enumerate() {
        let candidates = asked.get(at).and_then(|key| of_key.get(key));
        let winner = candidates.and_then(|candidates| winner(rows, candidates, probe, *time));
        statuses.push(match winner {
            None => RowStatus::NotFound,
            Some(row) if expired(rows.event_times[row], probe.visibility.ttl, *time) => {
                RowStatus::Expired
            }
            Some(_) => RowStatus::Found,
        });
        winners.push(winner);
    }
    let found = winners.iter().zip(&statuses).map(|(winner, status)| {
        winner.filter(|_| *status == RowStatus::Found).map(|row| row as u64)
    });
    let found: UInt64Array = found.collect();
    let column = |name: &String| -> Result<ArrayRef> {
        take(&rows.column_of(table, name)?, &found, None).map_err(failed)
    };
    let columns = probe.columns.iter().map(column).collect::<Result<_>>()?;
    let micros = |ticks: &[Option<Tick>]| -> ArrayRef {
        let of = |winner: &Option<usize>| Some(ticks[(*winner)?]?.0);
        Arc::new(winners.iter().map(of).collect::<Int64Array>())
    };
    let (event_time, created) = (micros(&rows.event_times), micros(&rows.created));
    Ok(AsOf::new(statuses, columns, event_time, created, position))
}

/// The greatest of the candidates that can be seen.
fn winner(rows: &Rows, candidates: &[usize], probe: &Probe, time: Tick) -> Option<usize> {
    let seen = |row: &usize| {
        let in_time = rows.event_times[*row].is_some_and(|event| match probe.visibility.boundary {
            Boundary::Strict => event < time,
            Boundary::Inclusive => event <= time,
        });
        let known_by = match probe.known_at {
            KnownAt::EventTime => Some(time),
            KnownAt::Instant(micros) => Some((micros, 0)),
            _ => None,
        };
        let known = known_by.is_none_or(|by| rows.created[*row].is_some_and(|known| known <= by));
        in_time && known && probe.before_seq.is_none_or(|before| rows.seqs[*row] < before)
    };
    let order = |row: &usize| (rows.event_times[*row], rows.created[*row], rows.seqs[*row]);
    candidates.iter().copied().filter(seen).max_by_key(order)
}

fn expired(event: Option<Tick>, ttl: i64, (micros, nanos): Tick) -> bool {
    ttl > 0 && event < Some((micros.saturating_sub(ttl), nanos))
}

/// The keys and instants of those who ask, if they fit the table.
fn check(table: &Table, probe: &Probe) -> Result<(KeyBatch, Vec<Tick>)> {
    let rows = probe.times.len();
    let bad = |why: &'static str| Error::invalid(OPERATION, why).with("table", &table.id);
    if probe.keys.len() != table.keys.len() {
        return Err(bad("asks with another number of keys")
            .with("keys", probe.keys.len())
            .with("expected", table.keys.len()));
    }
    for (key, column) in table.keys.iter().zip(&probe.keys) {
        if *column.data_type() != key.data_type.arrow() {
            return Err(bad("asks with a key of another type")
                .with("column", &key.name)
                .with("type", column.data_type())
                .with("expected", key.data_type));
        }
        if column.len() != rows {
            return Err(bad("keys and times are not of one length").with("column", &key.name));
        }
    }
    let unit = probe.times.data_type();
    if !matches!(unit, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)) {
        return Err(
            bad("times are no timestamps of microseconds or nanoseconds").with("type", unit)
        );
    }
    for name in &probe.columns {
        column_type(table, name)?;
    }
    let times = ticks(&probe.times, "times")?.into_iter().collect::<Option<Vec<_>>>();
    let times = times.ok_or_else(|| bad("a row asks of no time"))?;
    Ok((KeyBatch::from_columns(&probe.keys, rows)?, times))
}
