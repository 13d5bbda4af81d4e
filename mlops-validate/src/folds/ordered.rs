//! `ordered`: values rise, or fall, from row to row.
//!
//! What is remembered of rows that follow one another is their first and last value and how often the
//! order was broken between them. Runs that touch become one, in whatever order they are merged; runs
//! with a gap between stay apart until the end, when they are put together in the order of their rows.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};
use mlops_core::Result;
use mlops_core::validation::{Counts, Direction, Mostly, NanPolicy, Sample, Status};
use serde::{Deserialize, Serialize};

use super::unique::other_memory;
use crate::bits;
use crate::kernel::{Chunk, Finding, Fold};
use crate::memory::Memory;
use crate::plan::{Conclude, Seen};
use crate::scalar::{Scalar, Scalars};
use crate::tally::display;

/// Most places that are kept where the order was broken.
const PLACES: usize = 1000;

/// How the values follow one another.
#[derive(Debug, Clone)]
pub(crate) struct OrderedFold {
    pub(crate) slot: usize,
    pub(crate) direction: Direction,
    pub(crate) strict: bool,
    pub(crate) redacted: bool,
}

/// Runs of rows, the first first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OrderMemory {
    runs: Vec<Run>,
    /// The first rows that are out of order within a run; at most [`PLACES`].
    places: Vec<(u64, String)>,
}

/// Rows `first_row..end` that follow one another; values between that are null are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    first_row: u64,
    end: u64,
    /// First and last value and the last value's row, if there is any.
    ends: Option<(Place, Place)>,
    values: u64,
    broken: u64,
    nan: u64,
}

/// A value and its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    row: u64,
    value: Scalar,
    text: String,
}

impl OrderedFold {
    fn in_order(&self, before: &Scalar, after: &Scalar) -> bool {
        let order = before.compare(after);
        let right = match self.direction {
            Direction::Ascending => Ordering::Less,
            Direction::Descending => Ordering::Greater,
        };
        order == right || !self.strict && order == Ordering::Equal
    }

    fn text(&self, column: &ArrayRef, row: usize) -> String {
        if self.redacted {
            return "(redacted)".to_owned();
        }
        display(column, row).unwrap_or_default()
    }
}

impl Fold for OrderedFold {
    fn memory(&self) -> Memory {
        Memory::Order(OrderMemory::default())
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Order(memory) = memory else { return Err(other_memory()) };
        let column = chunk.column(self.slot)?;
        let scalars = Scalars::new(column)?;
        let mut run = Run {
            first_row: chunk.first_row,
            end: chunk.first_row + chunk.rows as u64,
            ends: None,
            values: 0,
            broken: 0,
            nan: 0,
        };
        let mut first: Option<(usize, Scalar)> = None;
        let mut last: Option<(usize, Scalar)> = None;
        for row in 0..column.len() {
            if eligible.is_some_and(|eligible| !bits::get(eligible, row)) {
                continue;
            }
            let Some(value) = scalars.get(row) else { continue };
            run.values += 1;
            if value.is_nan() {
                run.nan += 1;
                continue;
            }
            if let Some((_, before)) = &last
                && !self.in_order(before, &value)
            {
                run.broken += 1;
                if memory.places.len() < PLACES {
                    memory.places.push((chunk.first_row + row as u64, self.text(column, row)));
                }
            }
            if first.is_none() {
                first = Some((row, value.clone()));
            }
            last = Some((row, value));
        }
        let place = |(row, value): (usize, Scalar)| Place {
            row: chunk.first_row + row as u64,
            value,
            text: self.text(column, row),
        };
        run.ends = first.map(place).zip(last.map(place));
        memory.add(run, self);
        Ok(())
    }
}

impl OrderMemory {
    /// Adds a run where it belongs, and joins it with the one that ends where it begins.
    fn add(&mut self, run: Run, fold: &OrderedFold) {
        let position = self.runs.partition_point(|known| known.first_row <= run.first_row);
        let touches = position > 0 && self.runs[position - 1].end == run.first_row;
        if touches {
            if let Some(place) = self.runs[position - 1].append(run, fold)
                && self.places.len() < PLACES
            {
                self.places.push(place);
            }
        } else {
            self.runs.insert(position, run);
        }
    }

    /// Both memories; runs that touch are joined in the end.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.places.extend(other.places);
        self.places.sort_unstable();
        self.places.truncate(PLACES);
        self.runs.extend(other.runs);
        self.runs.sort_by_key(|run| (run.first_row, run.end));
        self
    }
}

impl Run {
    /// Puts `next`, whose rows come later, behind this one; returns its first value, if that is out
    /// of order.
    fn append(&mut self, next: Self, fold: &OrderedFold) -> Option<(u64, String)> {
        let mut place = None;
        self.end = next.end;
        self.values += next.values;
        self.broken += next.broken;
        self.nan += next.nan;
        if let (Some((_, last)), Some((first, _))) = (&self.ends, &next.ends)
            && !fold.in_order(&last.value, &first.value)
        {
            self.broken += 1;
            place = Some((first.row, first.text.clone()));
        }
        self.ends = match (self.ends.take(), next.ends) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (ends, None) | (None, ends) => ends,
        };
        place
    }
}

/// No value is out of order.
#[derive(Debug)]
pub(crate) struct InOrder {
    pub(crate) fold: OrderedFold,
    pub(crate) mostly: Mostly,
    pub(crate) nan: NanPolicy,
}

impl Conclude for InOrder {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let Some(Memory::Order(memory)) = seen.memories.first() else {
            return Finding::plain(Status::Vacuous);
        };
        let mut runs = memory.runs.iter().cloned();
        let Some(mut all) = runs.next() else { return Finding::plain(Status::Vacuous) };
        let mut places = memory.places.clone();
        places.extend(runs.filter_map(|run| all.append(run, &self.fold)));
        places.sort_unstable();
        let (failed, skipped_nan) = match self.nan {
            NanPolicy::Fail => (all.broken + all.nan, 0),
            NanPolicy::Skip => (all.broken, all.nan),
            NanPolicy::Pass => (all.broken, 0),
        };
        let judged = all.values - skipped_nan;
        let status = match judged {
            0 => Status::Vacuous,
            _ if self.mostly.accepts(failed, judged) => Status::Passed,
            _ => Status::Failed,
        };
        let samples = places.into_iter().take(seen.samples).map(|(row, text)| Sample {
            row: Some(row),
            values: vec![Some(text)],
            count: None,
        });
        Finding {
            status,
            counts: Counts { judged, failed, skipped: seen.rows - judged, filtered: 0 },
            observed: None,
            detail: (all.nan > 0).then(|| format!("{} values are NaN", all.nan)),
            samples: samples.collect(),
        }
    }
}
