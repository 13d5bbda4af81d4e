//! Merges segments into longer ones, and deletes what was merged long enough ago.
//!
//! Writers go on meanwhile: a merge is put into whatever manifest is the last when it is done, if its
//! segments are still there. Only an erasure in between makes it begin anew.

use mlops_core::Result;
use mlops_core::features::{CompactReport, Compaction, Progress, Segment, Source, Table, TableId};

use super::append::{TRIES, contended};
use super::layout::{born, manifest_folder, position_of};
use super::log::{Log, Replaced};
use super::store::SegmentStore;

const OPERATION: &str = "features.compact";
/// Most segments that are merged at a time.
const FAN_IN: usize = 256;

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
        let planned = plan(self.load(OPERATION, &table.id).await?.log.segments(), &options);
        let of = planned.iter().flatten().map(|segment| segment.rows).sum();
        let mut lost = 0;
        loop {
            // Planned again each time: what was made is perhaps merged further.
            let base = self.load(OPERATION, &table.id).await?;
            let Some(group) = plan(base.log.segments(), &options).into_iter().next() else { break };
            let position = base.log.position() + 1;
            let made = self.merge(OPERATION, table, &group, position, &mut |_| Ok(None)).await?;
            let rows = made.as_ref().map_or(0, |segment| segment.rows);
            let floor = base.log.floor;
            if self.put_merged(table, &group, made, floor).await? {
                report.merged += group.len() as u64;
                report.made += 1;
                report.rows += rows;
                if let Some(watcher) = &options.progress {
                    (watcher.0)(Progress { rows: report.rows, of: Some(of) });
                }
                continue;
            }
            lost += 1;
            if lost == TRIES {
                return Err(contended(OPERATION, table));
            }
        }
        report.deleted = self.delete_replaced(table, options.grace).await?;
        report.position = self.load(OPERATION, &table.id).await?.log.position();
        Ok(report)
    }

    /// Commits a merge; `false` if its segments are not there any more.
    async fn put_merged(
        &self,
        table: &Table,
        group: &[Segment],
        made: Option<Segment>,
        floor: u64,
    ) -> Result<bool> {
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            let mut log = Log::clone(&base.log);
            // An erasure deletes what no manifest named when it began, so perhaps what was made.
            if base.log.floor != floor || !log.replace(group, made.clone(), self.clock.now_micros())
            {
                return Ok(false);
            }
            if self.commit(OPERATION, &table.id, &base, log).await?.is_some() {
                return Ok(true);
            }
        }
        Err(contended(OPERATION, table))
    }

    /// Deletes files that were replaced `grace` ago, and the manifests that need them.
    async fn delete_replaced(&self, table: &Table, grace: i64) -> Result<u64> {
        let latest = self.clock.now_micros().saturating_sub(grace.max(0));
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            let mut log = Log::clone(&base.log);
            let over: Vec<Replaced> =
                log.replaced.iter().filter(|file| file.at <= latest).cloned().collect();
            if over.is_empty() {
                return Ok(0);
            }
            // Files first: what is deleted twice is deleted once, what is forgotten stays for ever.
            self.delete_manifests(&table.id, &over, base.log.position()).await?;
            let mut deleted = 0;
            for file in &over {
                deleted += u64::from(self.delete(OPERATION, &file.path).await?);
            }
            log.replaced.retain(|file| file.at > latest);
            if self.commit(OPERATION, &table.id, &base, log).await?.is_some() {
                return Ok(deleted);
            }
        }
        Err(contended(OPERATION, table))
    }

    async fn delete_manifests(&self, table: &TableId, over: &[Replaced], last: u64) -> Result<()> {
        let spans = over.iter().filter_map(|file| Some(born(&file.path)?..file.position.min(last)));
        let spans: Vec<_> = spans.collect();
        let (Some(first), Some(end)) =
            (spans.iter().map(|span| span.start).min(), spans.iter().map(|span| span.end).max())
        else {
            return Ok(());
        };
        for thousand in first / 1_000..=end / 1_000 {
            let folder = manifest_folder(table, thousand * 1_000);
            for (path, _) in self.list(OPERATION, &folder).await? {
                let position = position_of(&path);
                if position.is_some_and(|p| spans.iter().any(|span| span.contains(&p))) {
                    self.delete(OPERATION, &path).await?;
                }
            }
        }
        Ok(())
    }
}

/// Which segments are merged: runs of neighbours below the target, until they reach it.
fn plan(segments: &[Segment], options: &Compaction) -> Vec<Vec<Segment>> {
    let target = if options.full { u64::MAX } else { options.target_rows };
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    let (mut group, mut rows) = (Vec::new(), 0_u64);
    for segment in segments {
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
