//! Takes rows of some keys away, everywhere: in the segments, in those of positions of before, in
//! manifests, whose statistics tell of them, and in what killed writers left.
//!
//! **Order.** The commit first; it raises the floor to its own position. All who began before it lose the
//! compare-and-set, and their files are told by their names: born at or below the floor, and in no manifest.
//! Such files are listed and deleted after the commit, and by every erasure and compaction that comes
//! later; so one that was killed in the middle of deleting is ended by the next, and so is what a writer
//! left who lost and was killed.

use arrow::compute::not;
use mlops_core::features::{Erased, KeyBatch, Segment, Source, Table, TableId};
use mlops_core::{Error, ErrorKind, Result};

use super::append::{TRIES, contended};
use super::error::internal;
use super::file::{BATCH_ROWS, RowFile};
use super::keys::KeySet;
use super::layout::{below, born, folder, position_of};
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
        let writer = self.writer(&table.id);
        let _turn = writer.lock().await;
        for _ in 0..TRIES {
            let base = self.load(OPERATION, &table.id).await?;
            erased.position = base.log.position();
            let next = match self.without(table, &base, &keys).await {
                Err(error) if self.moved(OPERATION, &table.id, &base, &error).await? => continue,
                next => next?,
            };
            let Some((next, rewritten, rows)) = next else {
                erased.deleted = self.end_erasure(OPERATION, &table.id).await?;
                return Ok(erased);
            };
            if let Some(log) = self.commit(OPERATION, &table.id, &base, next.clone()).await? {
                erased.position = log.position();
                erased.rows = rows;
                erased.rewritten = rewritten;
                erased.deleted = self.end_erasure(OPERATION, &table.id).await?;
                return Ok(erased);
            }
            self.discard(OPERATION, &base.log, &next).await?;
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

    /// Deletes what the last erasure has to delete and nobody has deleted yet; returns it.
    pub(super) async fn end_erasure(
        &self,
        operation: &'static str,
        table: &TableId,
    ) -> Result<Vec<String>> {
        let now = self.load(operation, table).await?;
        let floor = now.log.floor;
        let mut deleted = Vec::new();
        if floor == 0 {
            return Ok(deleted);
        }
        let named = now.log.named();
        let committed = match self.path_at(operation, table, &now, floor).await {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            path => Some(path?),
        };
        let manifests = format!("{}/manifests/", folder(table));
        for (path, _) in self.list(operation, &folder(table)).await? {
            let over = if path.starts_with(&manifests) {
                let lost = committed.as_ref().is_some_and(|committed| *committed != path);
                position_of(&path).is_some_and(|at| at < floor || (at == floor && lost))
            } else {
                // Who commits after the floor gives names of after the floor.
                born(&path).is_some_and(|at| at <= floor) && !named.contains(path.as_str())
            };
            if over && self.delete(operation, &path).await? {
                deleted.push(path);
            }
        }
        Ok(deleted)
    }
}
