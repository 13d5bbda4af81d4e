//! Bringing the online store up to the log: by place in the log, never by event time.
//!
//! Segment after segment from the watermark on; the watermark moves when a segment's rows are all
//! written. Writing a row again changes nothing, so what a kill interrupts is begun again at the
//! segment, and neither loses nor doubles a row. A late row has a new place in the log, and so it cannot
//! be missed.

use arrow::array::RecordBatch;
use mlops_core::features::{
    Append, Appended, FeatureName, Lag, Lifecycle, Manifest, Materialize, Materialized,
    MaterializedView, Pushed, Scan, Segment, Source, ViewRecord, Watermark,
};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use super::online::online_table;
use super::part::Part;
use super::view::unknown;

const OPERATION: &str = "features.materialize";

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
            let record =
                registered.views.get(name).ok_or_else(|| unknown(OPERATION, name, &registered))?;
            match record.state.at(self.now()) {
                Lifecycle::Draft => {
                    return Err(refused(name, "the view is a draft")
                        .with_hint("make it active first: `mlops features state VIEW active`"));
                }
                Lifecycle::Retired => return Err(refused(name, "the view is retired")),
                _ => views.push(record),
            }
        }
        let mut done = Materialized::default();
        for record in views {
            done.views.push(self.bring_view(record, &what).await?);
        }
        Ok(done)
    }

    async fn bring_view(
        &self,
        record: &ViewRecord,
        what: &Materialize,
    ) -> Result<MaterializedView> {
        let view = record.last();
        let mut report = MaterializedView::new(view.definition.name.clone());
        let now = self.parts.clock.now_micros();
        let table = online_table(view);
        let mut part = Part::new(self, record, &table, now, what.progress.clone())?;
        if let Source::Files(_) = view.table.source {
            // There is no log: everything is read, and what is known changes nothing.
            part.write(scan_of(what), &mut report).await?;
            return Ok(report);
        }
        if what.range.is_some() && view.definition.is_aggregated() {
            return Err(Error::invalid(
                OPERATION,
                "an aggregated view has no range to be materialized",
            )
            .with("view", &view.definition.name)
            .with_hint(
                "its states are folds of the whole log: materialize without a range, or `full`",
            ));
        }
        let manifest = self.parts.offline.manifest(&view.table.id, None).await?;
        let mut mark = self.parts.online.watermark(&table).await?;
        if what.full && view.definition.is_aggregated() {
            // States of before would take the log for folded.
            self.parts.online.drop_table(&table).await?;
            mark = self.parts.online.watermark(&table).await?;
        }
        let begin = if what.full || what.range.is_some() { 0 } else { mark.next_seq };
        part.of = Some(rows_after(&manifest, begin));
        for segment in manifest.segments.iter().filter(|segment| segment.seq.1 >= begin) {
            let mut scan = scan_of(what);
            scan.segment = Some(segment.path.clone());
            scan.position = Some(manifest.position);
            scan.after_seq = begin.checked_sub(1);
            part.write(scan, &mut report).await?;
            let next_seq = segment.seq.1 + 1;
            if what.range.is_none() && next_seq > mark.next_seq {
                let next = Watermark { next_seq, at: now };
                self.parts.online.advance(&table, mark, next).await?;
                mark = next;
            }
        }
        report.next_seq = mark.next_seq;
        Ok(report)
    }

    /// Appends rows, and brings them online when they are durable.
    pub(super) async fn push_rows(
        &self,
        name: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Pushed> {
        let operation = "features.push";
        let registered = self.load().await?;
        let record =
            registered.views.get(name).ok_or_else(|| unknown(operation, name, &registered))?;
        if record.state.at(self.now()) == Lifecycle::Draft {
            return Err(Error::new(ErrorKind::Denied, operation, "the view is a draft")
                .with("view", name)
                .with_hint("append to it, or make it active"));
        }
        let appended = self.append_rows(name, batch, options).await?;
        let changed = self.bring_pushed(record, appended).await.map_err(|error| {
            error.with_hint("the rows are in the log; the next materialization brings them online")
        })?;
        Ok(Pushed { appended, changed })
    }

    async fn bring_pushed(&self, record: &ViewRecord, appended: Appended) -> Result<u64> {
        let view = record.last();
        let table = online_table(view);
        let now = self.parts.clock.now_micros();
        let mut report = MaterializedView::new(view.definition.name.clone());
        let mark = self.parts.online.watermark(&table).await?;
        if view.definition.is_aggregated() || mark.next_seq >= appended.first_seq {
            // A state is a fold of the log in its order, so what is before goes first; mostly nothing is.
            let what = Materialize::default();
            return Ok(self.bring_view(record, &what).await?.changed);
        }
        // What is before is somebody else's materialization; these rows need not wait for it.
        let mut part = Part::new(self, record, &table, now, None)?;
        let mut scan = Scan::default();
        scan.position = Some(appended.position);
        scan.after_seq = appended.first_seq.checked_sub(1);
        part.write(scan, &mut report).await?;
        Ok(report.changed)
    }

    /// Appends rows to the log alone.
    pub(super) async fn append_rows(
        &self,
        name: &FeatureName,
        batch: RecordBatch,
        options: Append,
    ) -> Result<Appended> {
        let view = self.writable("features.append", name).await?;
        self.parts.offline.append(&view.table, batch, options).await
    }

    pub(super) async fn lags(&self) -> Result<Vec<Lag>> {
        let registered = self.load().await?;
        let mut lags = Vec::new();
        for (name, record) in &registered.views {
            if matches!(record.state.at(self.now()), Lifecycle::Retired) {
                continue;
            }
            let view = record.last();
            let mut lag = Lag::new(name.clone());
            if view.table.source == Source::Log {
                let manifest = self.parts.offline.manifest(&view.table.id, None).await?;
                let mark = self.parts.online.watermark(&online_table(view)).await?;
                lag.rows = manifest.next_seq.saturating_sub(mark.next_seq);
                let behind = manifest.segments.iter().filter(|s| s.seq.1 >= mark.next_seq);
                lag.waiting_since = behind.map(|segment| segment.created.0).min();
                lag.newest_event_time = manifest.segments.iter().map(|s| s.event_time.1).max();
                lag.appended_at = (manifest.position > 0).then_some(manifest.last_created);
                lag.materialized_at = (mark.at > 0).then_some(mark.at);
            }
            lags.push(lag);
        }
        Ok(lags)
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
