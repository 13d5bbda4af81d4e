//! The way in, online: rows of the log become states of keys.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use mlops_core::features::WriteOrder;
use mlops_core::{Error, Result};

use super::plan::WindowPlan;
use super::rows::Rows;
use super::state::State;

/// Gathers the rows of each key from batches of a scan, which are in order of keys within a segment.
///
/// The rows of a key must be folded all at once, because a state knows only up to where it folded the
/// log. So a key is handed out when the next one begins, or at the segment's end.
///
/// Memory: the batches in which the rows of the open key stand.
#[derive(Debug)]
pub(crate) struct Folder {
    plan: Arc<WindowPlan>,
    open: Option<KeyRows>,
}

/// All rows of a key in a part of the log.
#[derive(Debug)]
pub(crate) struct KeyRows {
    key: Box<[u8]>,
    runs: Vec<(Arc<Rows>, Range<usize>)>,
}

/// A state to be written to an online store, with its place in the order of writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The state that folded more of the log is the greater one.
    pub(crate) order: WriteOrder,
    /// Its bytes.
    pub(crate) payload: Vec<u8>,
    /// The instant, in microseconds since 1970, from which on it answers as a key without rows, if none are
    /// added.
    pub(crate) empty_from: i64,
}

impl Folder {
    /// Nothing gathered yet.
    pub(crate) fn new(plan: Arc<WindowPlan>) -> Self {
        Self { plan, open: None }
    }

    /// Takes in a batch with the plan's columns, and returns the keys that are complete.
    ///
    /// # Errors
    /// `Invalid` for a batch of another table.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<KeyRows>> {
        let rows = Arc::new(Rows::read(&self.plan, batch)?);
        let mut complete = Vec::new();
        let mut start = 0;
        while start < rows.len() {
            let Some(key) = rows.keys.get(start) else {
                return Err(Error::invalid("features.window", "a row of the log has no key"));
            };
            let mut end = start + 1;
            while end < rows.len() && rows.keys.get(end) == Some(key) {
                end += 1;
            }
            let run = (rows.clone(), start..end);
            match &mut self.open {
                Some(open) if *open.key == *key => open.runs.push(run),
                open => complete.extend(open.replace(KeyRows { key: key.into(), runs: vec![run] })),
            }
            start = end;
        }
        Ok(complete)
    }

    /// The last key, at the end of a segment.
    pub(crate) fn end(&mut self) -> Option<KeyRows> {
        self.open.take()
    }
}

impl KeyRows {
    /// The key, as `KeyBatch` makes it.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.runs.iter().map(|(_, run)| run.len()).sum()
    }

    /// The state after these rows: of the state before, if there is one (see
    /// [`payload`](super::payload)), at the instant `now`. `None` if it has all of them.
    ///
    /// # Errors
    /// `Corrupt`; `Conflict` for the state of another plan; `Invalid` if too many rows are ahead of the clock.
    pub(crate) fn fold(
        &self,
        plan: &WindowPlan,
        before: Option<&[u8]>,
        now: i64,
    ) -> Result<Option<Folded>> {
        let mut state = match before {
            Some(bytes) => State::read(plan, bytes)?,
            None => State::new(plan),
        };
        let known = state.next_seq;
        state.advance(plan, now);
        for (rows, run) in &self.runs {
            for row in run.clone().filter(|row| rows.seq(*row) >= known) {
                state.next_seq = state.next_seq.max(rows.seq(row).saturating_add(1));
                state.add(plan, rows.order(row), |column| rows.cell(column, row))?;
            }
        }
        if state.next_seq == known {
            return Ok(None);
        }
        Ok(Some(Folded {
            order: WriteOrder { event_time: 0, created: 0, seq: state.next_seq },
            payload: state.write(plan),
            empty_from: state.empty_from(plan),
        }))
    }
}
