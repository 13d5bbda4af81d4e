//! One view on its way from the log to the online store.
//!
//! Of a plain view the rows that can be answers are packed and written. Of an aggregated view the rows
//! of each key are folded into the state that is there, and the state is written: as one row whose place
//! in the order of writes is how much of the log it has folded, so that of two materializers that race the
//! one that saw more wins.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{TimestampMicrosecondType, UInt64Type};
use futures::TryStreamExt;
use mlops_core::features::{
    KeyBatch, MaterializedView, OnlineRow, OnlineWritten, Progress, Scan, TableRead, Watcher,
    Watermark, WriteOrder,
};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use super::place::{How, Place};
use crate::codec::PackedBatch;
use crate::window::{Folder, KeyRows, payload};

const OPERATION: &str = "features.materialize";

/// Rows that are written in one call: enough to spread the cost of a round trip and of a lock.
const ROWS: usize = 4_096;

/// Writes what it reads of one view's log.
pub(super) struct Part<'a> {
    features: &'a Features,
    place: &'a Place,
    /// What the place had when this began: states are folds of all before, so it must not have less.
    mark: Watermark,
    now: i64,
    progress: Option<Watcher>,
    rows: u64,
    /// Rows there are, if that is known.
    pub(super) of: Option<u64>,
}

impl<'a> Part<'a> {
    pub(super) fn new(
        features: &'a Features,
        place: &'a Place,
        mark: Watermark,
        now: i64,
        progress: Option<Watcher>,
    ) -> Self {
        Self { features, place, mark, now, progress, rows: 0, of: None }
    }

    /// Writes what a scan of one segment returns.
    pub(super) async fn write(
        &mut self,
        mut scan: Scan,
        report: &mut MaterializedView,
    ) -> Result<()> {
        let mut folder = match &self.place.how {
            How::Rows(_) => None,
            How::Windows(plan) => {
                scan.columns = Some(plan.columns());
                Some(Folder::new(Arc::clone(plan)))
            }
        };
        let mut batches = self.features.parts.offline.scan(&self.place.table, scan).await?;
        let mut keys = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            match &mut folder {
                None => self.write_rows(&batch, report).await?,
                Some(folder) => {
                    keys.extend(folder.push(&batch)?);
                    if keys.iter().map(KeyRows::rows).sum::<usize>() >= ROWS {
                        self.write_states(&keys, report).await?;
                        keys.clear();
                    }
                }
            }
            self.rows += batch.num_rows() as u64;
            report.rows += batch.num_rows() as u64;
            if let Some(progress) = &self.progress {
                progress(Progress { rows: self.rows, of: self.of });
            }
        }
        keys.extend(folder.and_then(|mut folder| folder.end()));
        self.write_states(&keys, report).await
    }

    async fn write_rows(&self, batch: &RecordBatch, report: &mut MaterializedView) -> Result<()> {
        let How::Rows(codec) = &self.place.how else { return Ok(()) };
        let width = self.place.table.keys.len();
        let keys = KeyBatch::from_columns(&batch.columns()[..width], batch.num_rows())?;
        let orders = Orders::of(batch, width)?;
        let wanted = greatest(&keys, &orders, self.now);
        report.stale += (batch.num_rows() - wanted.len()) as u64;
        let mut packed = PackedBatch::new();
        for chunk in wanted.chunks(ROWS) {
            packed.clear();
            codec.encode_rows(batch, chunk.iter().copied(), &mut packed)?;
            let rows: Vec<OnlineRow<'_>> = chunk
                .iter()
                .zip(packed.iter())
                .filter_map(|(row, payload)| {
                    let order = orders.at(*row);
                    let expires = self.expires(order.event_time);
                    Some(OnlineRow { key: keys.get(*row)?, order, payload, expires })
                })
                .collect();
            self.put(&rows, report).await?;
        }
        Ok(())
    }

    async fn write_states(&self, keys: &[KeyRows], report: &mut MaterializedView) -> Result<()> {
        let How::Windows(plan) = &self.place.how else { return Ok(()) };
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.features.parts.online.watermark(&self.place.online).await?;
        if found.next_seq < self.mark.next_seq {
            return Err(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                "the states that were there are gone: somebody materializes the view anew",
            )
            .with("table", &self.place.online)
            .with_hint("wait until that is done, then materialize again"));
        }
        let mut asked = KeyBatch::new();
        for key in keys {
            asked.push(key.key())?;
        }
        let read = TableRead { table: &self.place.online, keys: &asked };
        let before = self.features.parts.online.read(&[read]).await?.pop().unwrap_or_default();
        let mut states = Vec::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            let entry = before.get(place).and_then(Option::as_ref);
            let state = entry.map(|bytes| payload(bytes)).transpose()?;
            match key.fold(plan, state, self.now)? {
                Some(folded) => states.push((key, folded)),
                None => report.stale += 1,
            }
        }
        let rows: Vec<OnlineRow<'_>> = states
            .iter()
            .map(|(key, folded)| OnlineRow {
                key: key.key(),
                order: folded.order,
                payload: &folded.payload,
                expires: self.forgotten(folded.empty_from),
            })
            .collect();
        self.put(&rows, report).await
    }

    async fn put(&self, rows: &[OnlineRow<'_>], report: &mut MaterializedView) -> Result<()> {
        let OnlineWritten { changed, stale } =
            self.features.parts.online.write(&self.place.online, rows, self.now).await?;
        report.changed += changed;
        report.stale += stale;
        Ok(())
    }

    fn expires(&self, event_time: i64) -> Option<i64> {
        let ttl = self.place.ttl;
        (ttl > 0).then(|| self.forgotten(event_time.saturating_add(ttl))).flatten()
    }

    /// The second from which on what is of no use after `micros` may be forgotten, if anything may.
    fn forgotten(&self, micros: i64) -> Option<i64> {
        let after = self.features.parts.forget?.micros();
        Some(micros.saturating_add(after).div_euclid(1_000_000).saturating_add(1))
    }
}

/// The places of a batch's rows in the order of writes.
struct Orders<'a> {
    event_time: &'a [i64],
    created: &'a TimestampMicrosecondArray,
    seq: &'a [u64],
}

impl<'a> Orders<'a> {
    /// Of a batch as a scan returns it, whose keys are `width` columns.
    fn of(batch: &'a RecordBatch, width: usize) -> Result<Self> {
        let broken = || Error::new(ErrorKind::Internal, OPERATION, "a scan returned other columns");
        let times = |at: usize| {
            batch.columns().get(at).and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
        };
        let seq = batch.columns().get(width + 2).and_then(|c| c.as_primitive_opt::<UInt64Type>());
        Ok(Self {
            event_time: times(width).ok_or_else(broken)?.values(),
            created: times(width + 1).ok_or_else(broken)?,
            seq: seq.ok_or_else(broken)?.values(),
        })
    }

    fn at(&self, row: usize) -> WriteOrder {
        let known = self.created.is_valid(row);
        WriteOrder {
            event_time: self.event_time[row],
            created: if known { self.created.value(row) } else { WriteOrder::UNKNOWN },
            seq: self.seq[row],
        }
    }
}

/// The rows that can be answers from `now` on: for each run of one key the greatest whose time has come,
/// and all that are ahead. Where a key comes again later, the store compares.
fn greatest(keys: &KeyBatch, orders: &Orders<'_>, now: i64) -> Vec<usize> {
    let mut wanted: Vec<usize> = Vec::new();
    // The row of this run that answers now, as far as it was seen.
    let mut current: Option<usize> = None;
    for row in 0..keys.len() {
        let Some(key) = keys.get(row) else { continue };
        let before = current.filter(|at| keys.get(*at) == Some(key));
        if before.is_none() {
            wanted.extend(current.take());
        }
        if orders.event_time[row] >= now {
            wanted.push(row);
        } else if before.is_none_or(|at| orders.at(at) < orders.at(row)) {
            current = Some(row);
        }
    }
    wanted.extend(current);
    wanted.sort_unstable();
    wanted
}
