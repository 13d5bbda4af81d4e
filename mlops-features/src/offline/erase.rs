//! Takes rows of some keys away, everywhere: in the segments, in those of positions of before, in
//! manifests, whose statistics tell of them, and in what killed writers left.
//!
//! **Order.** What is to be deleted is listed before the commit, so that no writer who commits after it can
//! have a file on the list: all who began before lose the compare-and-set, and write under new names. The list is
//! part of the manifest; so an erasure that was killed in the middle of deleting is ended by the next.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::compute::not;
use mlops_core::features::{Erased, KeyBatch, Segment, Source, Table, TableId};
use mlops_core::{Error, ErrorKind, Result};

use super::append::{TRIES, contended};
use super::error::internal;
use super::file::{BATCH_ROWS, RowFile};
use super::keys::KeySet;
use super::layout::{below, folder, position_of};
use super::log::{Loaded, Log};
use super::store::SegmentStore;

const OPERATION: &str = "features.erase";

impl SegmentStore {
    pub(super) async fn erase_keys(&self, table: &Table, keys: &KeyBatch) -> Result<Erased> {
        if let Source::Files(files) = &table.source {
            let message = "the rows are in files that are not the store's";
            return Err(Error::new(ErrorKind::Unsupported, OPERATION, message)
                .with("table", &table.id)
                .with("files", files.join(", "))
                .with_hint("take the rows out of the files where they are made"));
        }
        let keys = KeySet::new(keys, &table.keys);
        let mut erased = Erased::default();
        erased.deleted = self.end_erasure(OPERATION, &table.id).await?;
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            erased.position = base.log.position();
            let Some((log, rewritten, rows)) = self.without(table, &base, &keys).await? else {
                return Ok(erased);
            };
            if let Some(log) = self.commit(OPERATION, &table.id, &base, log).await? {
                erased.position = log.position();
                erased.rows = rows;
                erased.rewritten = rewritten;
                erased.deleted.extend(self.end_erasure(OPERATION, &table.id).await?);
                return Ok(erased);
            }
        }
        Err(contended(OPERATION, table))
    }

    /// The next log, without the keys; `None` if they have no rows.
    async fn without(
        &self,
        table: &Table,
        base: &Loaded,
        keys: &KeySet,
    ) -> Result<Option<(Log, Vec<(String, Option<String>)>, u64)>> {
        let mut log = Log::clone(&base.log);
        let (mut rewritten, mut rows) = (Vec::new(), 0);
        let mut segments = Vec::with_capacity(log.segments().len());
        for segment in base.log.segments() {
            if keys.is_empty() || !self.has_keys(segment, keys).await? {
                segments.push(segment.clone());
                continue;
            }
            let position = base.log.position() + 1;
            let mut others = |batch: &_| {
                let mask = keys.mask(batch)?;
                not(&mask).map(Some).map_err(|e| internal(OPERATION, e))
            };
            let parts = std::slice::from_ref(segment);
            let made = self.merge(OPERATION, table, parts, position, &mut others).await?;
            rows += segment.rows - made.as_ref().map_or(0, |made| made.rows);
            rewritten.push((segment.path.clone(), made.as_ref().map(|made| made.path.clone())));
            segments.extend(made);
        }
        if rewritten.is_empty() {
            return Ok(None);
        }
        let kept: HashSet<&str> = segments
            .iter()
            .map(|s| s.path.as_str())
            .chain(log.pages.iter().map(String::as_str))
            .collect();
        let there = self.list(OPERATION, &folder(&table.id)).await?;
        let doomed = there.into_iter().map(|(path, _)| path);
        let manifests = format!("{}/manifests/", folder(&table.id));
        let doomed = doomed.filter(|path| !kept.contains(path.as_str()));
        log.doomed = doomed.filter(|path| !path.starts_with(&manifests)).collect();
        log.floor = base.log.position() + 1;
        log.replaced = Vec::new();
        log.manifest.segments = segments;
        Ok(Some((log, rewritten, rows)))
    }

    async fn has_keys(&self, segment: &Segment, keys: &KeySet) -> Result<bool> {
        let path = below(&self.root, &segment.path);
        let file = RowFile::segment(OPERATION, &self.store, path, segment).await?;
        let groups = file.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| keys.may_be_in(group)).map(|(at, _)| at);
        let groups: Vec<usize> = groups.collect();
        if groups.is_empty() {
            return Ok(false);
        }
        let pieces = file.cut(groups, 16 * BATCH_ROWS);
        // Of a table without keys the times tell how many rows there are.
        let columns: Vec<usize> = (0..keys.columns().max(1)).collect();
        let mut pieces = file.read(&columns, pieces);
        while let Some(batch) = pieces.next().await? {
            if keys.mask(&batch)?.true_count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes what the last erasure listed and has not deleted yet; returns what it deleted.
    pub(super) async fn end_erasure(
        &self,
        operation: &'static str,
        table: &TableId,
    ) -> Result<Vec<String>> {
        let log = Arc::clone(&self.load(operation, table).await?.log);
        let mut deleted = Vec::new();
        for path in &log.doomed {
            if self.delete(operation, path).await? {
                deleted.push(path.clone());
            }
        }
        if log.floor > 0 {
            let manifests = format!("{}/manifests", folder(table));
            for (path, _) in self.list(operation, &manifests).await? {
                let old = position_of(&path).is_some_and(|position| position < log.floor);
                if old && self.delete(operation, &path).await? {
                    deleted.push(path);
                }
            }
        }
        Ok(deleted)
    }
}
