//! Bringing the online store up to the log: by place in the log, never by event time.
//!
//! Segment after segment from the watermark on; the watermark moves when a segment's rows are all
//! written. Writing a row again changes nothing, so what a kill interrupts is begun again at the
//! segment, and neither loses nor doubles a row. A late row has a new place in the log, and so it cannot
//! be missed.

use mlops_core::features::{
    FeatureName, Lifecycle, Manifest, Materialize, Materialized, MaterializedView, Registered,
    Scan, Segment, Source, TableId, ViewRecord, Watermark,
};
use mlops_core::{Error, ErrorKind, Result};

use super::Features;
use super::part::Part;
use super::place::{How, Place, places};
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
        let mut failed = None;
        for record in views {
            let name = &record.last().definition.name;
            match self.bring_view(&registered, record, &what).await {
                Ok(view) => done.views.push(view),
                // What is wrong with one view does not hold up the others.
                Err(error) => failed = failed.or(Some(error.with("view", name))),
            }
        }
        failed.map_or(Ok(done), Err)
    }

    async fn bring_view(
        &self,
        registered: &Registered,
        record: &ViewRecord,
        what: &Materialize,
    ) -> Result<MaterializedView> {
        let view = record.last();
        let mut report = MaterializedView::new(view.definition.name.clone());
        if what.range.is_some() && view.definition.is_aggregated() {
            return Err(Error::invalid(
                OPERATION,
                "an aggregated view has no range to be materialized",
            )
            .with_hint(
                "its states are folds of the whole log: materialize without a range, or `full`",
            ));
        }
        for place in places(registered, record)? {
            self.bring_place(&place, what, &mut report).await?;
        }
        Ok(report)
    }

    /// Brings one online table up.
    pub(super) async fn bring_place(
        &self,
        place: &Place,
        what: &Materialize,
        report: &mut MaterializedView,
    ) -> Result<()> {
        let _turn = self.parts.turns.take(&place.online).await;
        let now = self.parts.clock.now_micros();
        let table = &place.online;
        let files = matches!(place.table.source, Source::Files(_));
        // States of before would take the log for folded; and of files nobody says that a row was replaced.
        if what.full && (files || matches!(place.how, How::Windows(_))) {
            self.parts.online.drop_table(table).await?;
        }
        let mut mark = self.parts.online.watermark(table).await?;
        if files {
            // There is no log: everything is read, and what is known changes nothing.
            return self.part(place, mark, now, what).write(scan_of(what), report).await;
        }
        let manifest = self.parts.offline.manifest(&place.table.id, None).await?;
        if mark.next_seq > manifest.next_seq {
            if !what.full {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    OPERATION,
                    "the online store has more of the log than there is: it is another log's",
                )
                .with("table", table)
                .with("online", mark.next_seq)
                .with("log", manifest.next_seq)
                .with_hint("give each store its own prefix; `full` takes what is there away"));
            }
            self.parts.online.drop_table(table).await?;
            mark = self.parts.online.watermark(table).await?;
        }
        let begin = if what.full || what.range.is_some() { 0 } else { mark.next_seq };
        let mut part = self.part(place, mark, now, what);
        part.of = Some(rows_after(&manifest, begin));
        for segment in manifest.segments.iter().filter(|segment| segment.seq.1 >= begin) {
            let mut scan = scan_of(what);
            scan.segment = Some(segment.path.clone());
            scan.position = Some(manifest.position);
            scan.after_seq = begin.checked_sub(1);
            part.write(scan, report).await?;
            let next_seq = segment.seq.1 + 1;
            if what.range.is_none() {
                mark = self.advance(table, mark, Watermark { next_seq, at: now }).await?;
            }
        }
        report.next_seq = mark.next_seq;
        Ok(())
    }

    fn part<'a>(
        &'a self,
        place: &'a Place,
        mark: Watermark,
        now: i64,
        what: &Materialize,
    ) -> Part<'a> {
        Part::new(self, place, mark, now, what.progress.clone())
    }

    /// Moves the watermark forward. Another process that brought the same rows may have been first.
    async fn advance(
        &self,
        table: &TableId,
        mark: Watermark,
        next: Watermark,
    ) -> Result<Watermark> {
        if mark.next_seq >= next.next_seq {
            return Ok(mark);
        }
        match self.parts.online.advance(table, mark, next).await {
            Ok(()) => Ok(next),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let found = self.parts.online.watermark(table).await?;
                if found.next_seq >= next.next_seq {
                    return Ok(found);
                }
                // Less than before: somebody took the table away to make it anew.
                if found.next_seq < mark.next_seq {
                    return Err(error);
                }
                self.parts.online.advance(table, found, next).await.map(|()| next)
            }
            Err(error) => Err(error),
        }
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
pub(super) fn rows_after(manifest: &Manifest, begin: u64) -> u64 {
    let behind = |segment: &&Segment| segment.seq.1 >= begin;
    manifest.segments.iter().filter(behind).map(|segment| segment.rows).sum()
}
