//! Bringing the online store up to the log: by place in the log, never by event time.
//!
//! Segment after segment from the watermark on; the watermark moves when a segment's rows are all
//! written. Writing a row again changes nothing, so what a kill interrupts is begun again at the
//! segment, and neither loses nor doubles a row. A late row has a new place in the log, and so it cannot
//! be missed.

use futures::TryStreamExt;
use mlops_core::features::{
    Append, FeatureName, KeyBatch, Lag, Lifecycle, Manifest, Materialize, Materialized,
    MaterializedView, OnlineRow, OnlineWritten, Progress, Pushed, Scan, Segment, Source, Table,
    ViewVersion, Watcher, Watermark, WriteOrder,
};
use mlops_core::{Error, ErrorKind, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampMicrosecondType, UInt64Type};

use super::Features;
use super::view::unknown;
use crate::codec::{PackedBatch, RowCodec};

const OPERATION: &str = "features.materialize";

/// Rows that are written in one call: enough to spread the cost of a round trip and of a lock.
const ROWS: usize = 4_096;

/// How long after its time is over a row may be kept by a store that forgets by itself: readers' clocks differ.
const GRACE_SECONDS: i64 = 3_600;

impl Features {
    pub(super) async fn bring_up(&self, what: Materialize) -> Result<Materialized> {
        let registered = self.load().await?;
        let mut views = Vec::new();
        if what.views.is_empty() {
            let active = |state: Lifecycle| {
                !matches!(state.at(self.now()), Lifecycle::Draft | Lifecycle::Retired)
            };
            views.extend(registered.views.values().filter(|r| active(r.state)));
        }
        for name in &what.views {
            let record = registered.views.get(name).ok_or_else(|| unknown(OPERATION, name))?;
            match record.state.at(self.now()) {
                Lifecycle::Draft => return Err(refused(name, "the view is a draft")
                    .with_hint("make it active first: `mlops features state VIEW active`")),
                Lifecycle::Retired => return Err(refused(name, "the view is retired")),
                _ => views.push(record),
            }
        }
        let mut done = Materialized::default();
        for record in views {
            done.views.push(self.bring_view(record.last(), &what).await?);
        }
        Ok(done)
    }

    async fn bring_view(&self, view: &ViewVersion, what: &Materialize) -> Result<MaterializedView> {
        let mut report = MaterializedView::new(view.definition.name.clone());
        let now = self.parts.clock.now_micros();
        let mut writer = Writer::new(self, view, now, what.progress.clone())?;
        if let Source::Files(_) = view.table.source {
            // There is no log: everything is read, and what is known changes nothing.
            let scan = scan_of(what);
            writer.write(scan, &mut report).await?;
            return Ok(report);
        }
        let table = &view.table.id;
        let manifest = self.parts.offline.manifest(table, None).await?;
        let mut mark = self.parts.online.watermark(table).await?;
        let begin = if what.full || what.range.is_some() { 0 } else { mark.next_seq };
        writer.of = Some(rows_after(&manifest, begin));
        for segment in manifest.segments.iter().filter(|segment| segment.seq.1 >= begin) {
            let mut scan = scan_of(what);
            scan.segment = Some(segment.path.clone());
            scan.position = Some(manifest.position);
            scan.after_seq = begin.checked_sub(1);
            writer.write(scan, &mut report).await?;
            let next_seq = segment.seq.1 + 1;
            if what.range.is_none() && next_seq > mark.next_seq {
                let next = Watermark { next_seq, at: now };
                self.parts.online.advance(table, mark, next).await?;
                mark = next;
            }
        }
        report.next_seq = mark.next_seq;
        Ok(report)
    }
}

fn refused(view: &FeatureName, why: &'static str) -> Error {
    Error::new(ErrorKind::Denied, OPERATION, why).with("view", view)
}

fn scan_of(what: &Materialize) -> Scan {
    let mut scan = Scan::default();
    if let Some((from, until)) = what.range {
        scan.from = Some(from);
        scan.until = Some(until);
    }
    scan
}

/// How many rows of the log have a place from `begin` on: at most, where a segment begins before.
fn rows_after(manifest: &Manifest, begin: u64) -> u64 {
    let behind = |segment: &&Segment| segment.seq.1 >= begin;
    manifest.segments.iter().filter(behind).map(|segment| segment.rows).sum()
}

/// Writes what it reads of one view's log.
struct Writer<'a> {
    features: &'a Features,
    table: &'a Table,
    codec: RowCodec,
    /// In microseconds; 0 for rows of any age.
    ttl: i64,
    now: i64,
    progress: Option<Watcher>,
    rows: u64,
    of: Option<u64>,
}

impl<'a> Writer<'a> {
    fn new(
        features: &'a Features,
        view: &'a ViewVersion,
        now: i64,
        progress: Option<Watcher>,
    ) -> Result<Self> {
        Ok(Self {
            features,
            table: &view.table,
            codec: RowCodec::new(&view.table.columns)?,
            ttl: view.definition.ttl.micros(),
            now,
            progress,
            rows: 0,
            of: None,
        })
    }

    async fn write(&mut self, scan: Scan, report: &mut MaterializedView) -> Result<()> {
        let mut batches = self.features.parts.offline.scan(self.table, scan).await?;
        while let Some(batch) = batches.try_next().await? {
            self.write_batch(&batch, report).await?;
            self.rows += batch.num_rows() as u64;
            if let Some(progress) = &self.progress {
                progress(Progress { rows: self.rows, of: self.of });
            }
        }
        Ok(())
    }

    async fn write_batch(&self, batch: &RecordBatch, report: &mut MaterializedView) -> Result<()> {
        let width = self.table.keys.len();
        let keys = KeyBatch::from_columns(&batch.columns()[..width], batch.num_rows())?;
        let orders = Orders::of(batch, width)?;
        let wanted = greatest(&keys, &orders, self.now);
        report.rows += batch.num_rows() as u64;
        report.stale += (batch.num_rows() - wanted.len()) as u64;
        let mut packed = PackedBatch::new();
        for chunk in wanted.chunks(ROWS) {
            packed.clear();
            self.codec.encode_rows(batch, chunk.iter().copied(), &mut packed)?;
            let rows: Vec<OnlineRow<'_>> = chunk
                .iter()
                .zip(packed.iter())
                .filter_map(|(row, payload)| {
                    let order = orders.at(*row);
                    Some(OnlineRow { key: keys.get(*row)?, order, payload, expires: self.expires(order) })
                })
                .collect();
            let OnlineWritten { changed, stale } =
                self.features.parts.online.write(&self.table.id, &rows, self.now).await?;
            report.changed += changed;
            report.stale += stale;
        }
        Ok(())
    }

    fn expires(&self, order: WriteOrder) -> Option<i64> {
        let last = order.event_time.saturating_add(self.ttl);
        (self.ttl > 0).then(|| last.div_euclid(1_000_000).saturating_add(GRACE_SECONDS))
    }
}

/// The places of a batch's rows in the order of writes.
struct Orders<'a> {
    event_time: &'a [i64],
    created: &'a arrow::array::TimestampMicrosecondArray,
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
