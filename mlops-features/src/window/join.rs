//! The aggregates of many keys, each at many instants, from one pass over the log.
//!
//! Rows of keys that nobody asks for are dropped as they come, and so are those that no window
//! reaches. What is left is put in order key by key, and a window for each (resolution, length) moves
//! once over the rows of the key and the instants that are asked for. So the work grows with rows and
//! instants, not with their product, nor with the length of windows.
//!
//! Memory: 30 bytes for each kept row and 9 for each of its columns, and texts; 20 bytes for each row that
//! asks, and its answer. Who needs less asks bucket by bucket of keys.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType};
use mlops_core::features::{Boundary, KeyBatch, KnownAt, RowStatus, WriteOrder};
use mlops_core::{Error, Result};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::answer::{Filling, WindowAnswer};
use super::log::Log;
use super::plan::WindowPlan;
use super::rows::Rows;
use super::sliding::Sliding;

/// A join in the making: batches of the log are pushed, then it is finished.
///
/// Batches may come in any order, and a row only once.
#[derive(Debug)]
pub(crate) struct WindowJoin {
    plan: Arc<WindowPlan>,
    boundary: Boundary,
    known_at: KnownAt,
    asked: Asked,
    log: Log,
}

/// Who asks, key by key.
#[derive(Debug)]
struct Asked {
    keys: HashMap<Box<[u8]>, u32, Xxh3DefaultBuilder>,
    /// For each row its key's number; `NONE` without a key.
    of_row: Vec<u32>,
    times: Vec<Time>,
    /// Ticks in a microsecond: two where instants have parts of one, else one.
    ticks: i64,
    /// The first and the last instant of rows with a key, in microseconds.
    span: Option<(i64, i64)>,
}

const NONE: u32 = u32::MAX;

/// An instant: its whole microseconds, and its place among rows' instants, in ticks.
#[derive(Debug, Clone, Copy)]
struct Time {
    micros: i64,
    tick: i64,
}

impl WindowJoin {
    /// A join for rows of these keys and instants (`Timestamp` of microseconds or nanoseconds).
    ///
    /// # Errors
    /// `Invalid` for instants of another type, null, or of another number than keys.
    pub(crate) fn new(
        plan: Arc<WindowPlan>,
        keys: &KeyBatch,
        times: &ArrayRef,
        boundary: Boundary,
        known_at: KnownAt,
    ) -> Result<Self> {
        let asked = Asked::new(keys, times)?;
        let log = Log::new(&plan);
        Ok(Self { plan, boundary, known_at, asked, log })
    }

    /// The event times that can matter, from and until (exclusive), for the scan; `None` if no row has a
    /// key.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        let (first, last) = self.asked.span?;
        Some((self.plan.reach(first), last.saturating_add(1)))
    }

    /// Takes in rows as `OfflineStore::scan` returns them, with the plan's columns.
    ///
    /// # Errors
    /// `Invalid` for a batch of another table; for more than 4 billion rows, or 4 GiB of texts in a column.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some((from, until)) = self.range() else { return Ok(()) };
        let rows = Rows::read(&self.plan, batch)?;
        let mut last: Option<(&[u8], Option<u32>)> = None;
        for row in 0..rows.len() {
            let event_time = rows.event_time(row);
            if event_time < from || event_time >= until {
                continue;
            }
            let Some(key) = rows.keys.get(row) else { continue };
            let number = match last {
                Some((before, number)) if before == key => number,
                _ => self.asked.keys.get(key).copied(),
            };
            last = Some((key, number));
            if let Some(number) = number {
                if self.log.len() >= NONE as usize {
                    return Err(Error::invalid("features.window", "too many rows in one join")
                        .with_hint("join the rows bucket by bucket"));
                }
                self.log.push(number, &rows, row)?;
            }
        }
        Ok(())
    }

    /// The answer of all that was pushed.
    ///
    /// # Errors
    /// `Invalid` if the texts of a column of the answer have more than 2 GiB.
    pub(crate) fn finish(self) -> Result<WindowAnswer> {
        let asks = by_key(&self.asked.of_row, self.asked.keys.len());
        let events = by_key(&self.log.keys, self.asked.keys.len());
        let late = self.known_at == KnownAt::EventTime;
        let mut sweep = Sweep {
            windows: windows(&self.plan, late),
            columns: Filling::all(&self.plan, self.asked.of_row.len()),
            newest: vec![None; self.asked.of_row.len()],
            join: &self,
            order: Vec::new(),
        };
        let mut rows = Vec::new();
        for number in 0..self.asked.keys.len() {
            let kept = events.of(number);
            if kept.is_empty() {
                continue;
            }
            rows.clear();
            rows.extend_from_slice(asks.of(number));
            rows.sort_by_key(|row| self.asked.times[*row as usize].tick);
            sweep.key(kept, &rows)?;
        }
        let created = |order: &Option<WriteOrder>| {
            order.map(|order| order.created).filter(|created| *created != WriteOrder::UNKNOWN)
        };
        let event_time = |order: &Option<WriteOrder>| order.map(|order| order.event_time);
        let status = |order: &Option<WriteOrder>| match order {
            Some(_) => RowStatus::Found,
            None => RowStatus::NotFound,
        };
        Ok(WindowAnswer {
            rows: sweep.newest.iter().map(status).collect(),
            event_time: Arc::new(sweep.newest.iter().map(event_time).collect::<Int64Array>()),
            created: Arc::new(sweep.newest.iter().map(created).collect::<Int64Array>()),
            columns: sweep.columns.into_iter().map(Filling::finish).collect(),
        })
    }
}

/// The windows of a plan, those of a group and its lanes in their order.
fn windows(plan: &WindowPlan, late: bool) -> Vec<Vec<Sliding>> {
    let groups = plan.groups.iter().enumerate();
    groups
        .map(|(place, group)| {
            let lanes = group.lanes.iter();
            lanes.map(|lane| Sliding::new(place, &group.slots, lane, late)).collect()
        })
        .collect()
}

struct Sweep<'a> {
    join: &'a WindowJoin,
    windows: Vec<Vec<Sliding>>,
    columns: Vec<Filling>,
    newest: Vec<Option<WriteOrder>>,
    /// The rows of a key, with the tick from which each can be seen.
    order: Vec<(i64, u32)>,
}

impl Sweep<'_> {
    /// Answers the rows that ask of one key, which are in order of time.
    fn key(&mut self, kept: &[u32], rows: &[u32]) -> Result<()> {
        let WindowJoin { plan, log, asked, .. } = self.join;
        self.order.clear();
        self.order.extend(kept.iter().filter_map(|row| {
            let seen = self.join.seen_from(log.order(*row as usize))?;
            Some((seen, *row))
        }));
        self.order.sort_by_key(|(seen, _)| *seen);
        self.windows.iter_mut().flatten().for_each(Sliding::clear);
        let (mut next, mut newest) = (0, None);
        for row in rows {
            let row = *row as usize;
            let time = asked.times[row];
            for window in self.windows.iter_mut().flatten() {
                window.advance(plan.groups[window.group].start(window.window, time.micros));
            }
            while let Some((_, event)) = self.order.get(next).filter(|(seen, _)| *seen <= time.tick)
            {
                let event = *event as usize;
                let order = log.order(event);
                newest = newest.max(Some(order));
                for window in self.windows.iter_mut().flatten() {
                    let group = &plan.groups[window.group];
                    let tile = group.tile(order.event_time);
                    if tile >= group.start(window.window, time.micros) {
                        window.add(tile, order, |column| log.cell(column, event));
                    }
                }
                next += 1;
            }
            self.newest[row] = newest.filter(|order| plan.reaches(order.event_time, time.micros));
            for (lanes, place) in self.windows.iter_mut().zip(0..) {
                for (window, lane) in lanes.iter_mut().zip(0..) {
                    let states = window.states();
                    for (output, column) in plan.outputs.iter().zip(&mut self.columns) {
                        if (output.group, output.lane) == (place, lane) {
                            column.set(row, output.value(states, output.in_lane))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl WindowJoin {
    /// The tick from which a row can be seen; `None` if it never can.
    fn seen_from(&self, order: WriteOrder) -> Option<i64> {
        let strict = i64::from(self.boundary == Boundary::Strict);
        let ticks = self.asked.ticks;
        let seen = order.event_time.saturating_mul(ticks).checked_add(strict)?;
        let known = order.created != WriteOrder::UNKNOWN;
        match self.known_at {
            KnownAt::Now => Some(seen),
            KnownAt::Instant(instant) => (known && order.created <= instant).then_some(seen),
            _ => known.then(|| seen.max(order.created.saturating_mul(ticks))),
        }
    }
}

impl Asked {
    fn new(keys: &KeyBatch, times: &ArrayRef) -> Result<Self> {
        let invalid = |problem: &'static str| Error::invalid("features.window", problem);
        if keys.len() != times.len() || keys.len() >= NONE as usize {
            return Err(invalid("there must be an instant for each key, and fewer than 2³²")
                .with("keys", keys.len())
                .with("instants", times.len()));
        }
        if times.null_count() > 0 {
            return Err(invalid("a row that asks has no instant"));
        }
        let (ticks, times): (i64, Vec<Time>) = match times.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = times.as_primitive::<TimestampMicrosecondType>().values();
                (1, values.iter().map(|t| Time { micros: *t, tick: *t }).collect())
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                let values = times.as_primitive::<TimestampNanosecondType>().values();
                let time = |t: &i64| {
                    let micros = t.div_euclid(1000);
                    Time { micros, tick: 2 * micros + i64::from(t.rem_euclid(1000) > 0) }
                };
                (2, values.iter().map(time).collect())
            }
            other => {
                return Err(invalid("instants are timestamps of microseconds or nanoseconds")
                    .with("type", other));
            }
        };
        let mut numbers: HashMap<Box<[u8]>, u32, _> = HashMap::default();
        let mut span: Option<(i64, i64)> = None;
        let mut of_row = Vec::with_capacity(keys.len());
        for (key, time) in keys.iter().zip(&times) {
            let Some(key) = key else {
                of_row.push(NONE);
                continue;
            };
            let (first, last) = span.unwrap_or((time.micros, time.micros));
            span = Some((first.min(time.micros), last.max(time.micros)));
            let next = numbers.len() as u32;
            of_row.push(match numbers.get(key) {
                Some(number) => *number,
                None => *numbers.entry(key.into()).or_insert(next),
            });
        }
        Ok(Self { keys: numbers, of_row, times, ticks, span })
    }
}

/// Rows by key: those of key `k` stand at `starts[k]..starts[k + 1]`, in their order.
struct ByKey {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl ByKey {
    fn of(&self, key: usize) -> &[u32] {
        &self.rows[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

fn by_key(of_row: &[u32], keys: usize) -> ByKey {
    let mut starts = vec![0_u32; keys + 2];
    let with_key = || of_row.iter().enumerate().filter(|(_, key)| **key != NONE);
    with_key().for_each(|(_, key)| starts[*key as usize + 2] += 1);
    for key in 1..starts.len() {
        starts[key] += starts[key - 1];
    }
    let mut rows = vec![0; starts[keys + 1] as usize];
    for (row, key) in with_key() {
        let place = &mut starts[*key as usize + 1];
        rows[*place as usize] = row as u32;
        *place += 1;
    }
    starts.pop();
    ByKey { starts, rows }
}
