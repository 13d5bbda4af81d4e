//! Merges segments into longer ones, and deletes what was merged long enough ago.
//!
//! Writers go on meanwhile: a merge is put into whatever manifest is the last when it is done, if its
//! segments are still there. Only an erasure in between makes it begin anew.

use mlops_core::Result;
use mlops_core::features::{CompactReport, Compaction, Progress, Segment, Source, Table};

use super::append::{TRIES, contended};
use super::log::{Log, Replaced};
use super::store::SegmentStore;

const OPERATION: &str = "features.compact";
/// Most segments that are merged at a time.
const FAN_IN: usize = 256;
/// With more replaced files in the manifest, an append deletes old ones.
const REPLACED: usize = 64;
/// How old: an hour, as for a compaction.
const REPLACED_GRACE: i64 = 3_600_000_000;
/// With more than this, files of appends that come very fast, five minutes.
const MANY_REPLACED: usize = 1_024;
const MANY_REPLACED_GRACE: i64 = 300_000_000;
/// How old a file that nothing names must be at least before it is deleted: longer than any append or
/// compaction takes.
const ORPHAN_MICROS: i64 = 86_400_000_000;

impl SegmentStore {
    pub(super) async fn compact_segments(
        &self,
        table: &Table,
        options: Compaction,
    ) -> Result<CompactReport> {
        let mut report = CompactReport::default();
        if matches!(table.source, Source::Files(_)) {
            return Ok(report);
        }
        self.end_erasure(OPERATION, &table.id).await?;
        let start = self.load(OPERATION, &table.id).await?.log;
        // What is appended meanwhile is for the next time: else this might never end.
        let end = start.manifest.next_seq;
        let planned = plan(start.segments(), &options, end);
        let of = planned.iter().flatten().map(|segment| segment.rows).sum();
        let mut lost = 0;
        while lost < TRIES {
            // Planned again each time: what was made is perhaps merged further.
            let base = self.load(OPERATION, &table.id).await?;
            let Some(group) = plan(base.log.segments(), &options, end).into_iter().next() else {
                report.deleted = self.delete_replaced(table, options.grace).await?;
                self.sweep(&table.id, options.grace.max(ORPHAN_MICROS)).await?;
                report.position = self.load(OPERATION, &table.id).await?.log.position();
                return Ok(report);
            };
            let position = base.log.position() + 1;
            let made = match self.merge(OPERATION, table, &group, position, &mut |_| Ok(None)).await
            {
                Err(error) if self.moved(OPERATION, &table.id, &base, &error).await? => {
                    lost += 1;
                    continue;
                }
                made => made?,
            };
            if !self.put_merged(table, &group, made.as_ref(), base.log.floor).await? {
                lost += 1;
                if let Some(made) = made {
                    self.delete(OPERATION, &made.path).await?;
                }
                continue;
            }
            report.merged += group.len() as u64;
            report.made += 1;
            report.rows += made.map_or(0, |segment| segment.rows);
            if let Some(watcher) = &options.progress {
                // Rows that are merged in two steps are counted twice in the report.
                (watcher.0)(Progress { rows: report.rows.min(of), of: Some(of) });
            }
        }
        Err(contended(OPERATION, table))
    }

    /// Commits a merge; `false` if it is not committed, because its segments are not there any more or
    /// others were faster.
    async fn put_merged(
        &self,
        table: &Table,
        group: &[Segment],
        made: Option<&Segment>,
        floor: u64,
    ) -> Result<bool> {
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            let mut log = Log::clone(&base.log);
            let now = self.clock.now_micros();
            // An erasure deletes what was born before it and is not named, so also what was made.
            if base.log.floor != floor || !log.replace(group, made.cloned(), now) {
                return Ok(false);
            }
            if self.commit(OPERATION, &table.id, &base, log).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes files that were replaced `grace` ago.
    async fn delete_replaced(&self, table: &Table, grace: i64) -> Result<u64> {
        let latest = self.clock.now_micros().saturating_sub(grace.max(0));
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        let mut deleted = 0;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            let (over, stays): (Vec<Replaced>, _) =
                base.log.replaced.iter().cloned().partition(|file| file.at <= latest);
            if over.is_empty() {
                return Ok(deleted);
            }
            // Files first: what is deleted twice is deleted once, what is forgotten stays for long.
            for file in &over {
                deleted += u64::from(self.delete(OPERATION, &file.path).await?);
            }
            let mut log = Log::clone(&base.log);
            log.replaced = stays;
            if self.commit(OPERATION, &table.id, &base, log).await?.is_some() {
                return Ok(deleted);
            }
        }
        Err(contended(OPERATION, table))
    }

    /// Deletes files that were replaced long ago, if there are so many that the manifest grows long; for
    /// tables that are appended to, and never compacted.
    ///
    /// What the store does not delete now stays in the manifest: an append does not fail for it.
    pub(super) async fn shed_replaced(&self, log: &mut Log, now: i64) {
        let grace = match log.replaced.len() {
            0..=REPLACED => return,
            n if n <= MANY_REPLACED => REPLACED_GRACE,
            _ => MANY_REPLACED_GRACE,
        };
        let mut stays = Vec::new();
        for file in std::mem::take(&mut log.replaced) {
            let over = file.at <= now.saturating_sub(grace);
            if !over || self.delete(OPERATION, &file.path).await.is_err() {
                stays.push(file);
            }
        }
        log.replaced = stays;
    }
}

/// Which segments are merged, of rows before `end`: runs of neighbours below the target, until they reach it.
fn plan(segments: &[Segment], options: &Compaction, end: u64) -> Vec<Vec<Segment>> {
    let target = if options.full { u64::MAX } else { options.target_rows };
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    let (mut group, mut rows) = (Vec::new(), 0_u64);
    for segment in segments.iter().filter(|segment| segment.seq.1 < end) {
        let long = segment.rows >= target;
        if long || rows >= target || group.len() == FAN_IN {
            groups.push(std::mem::take(&mut group));
            rows = 0;
        }
        if !long {
            group.push(segment.clone());
            rows = rows.saturating_add(segment.rows);
        }
    }
    groups.push(group);
    groups.retain(|group| group.len() > 1);
    groups
}
