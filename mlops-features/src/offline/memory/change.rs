//! Compaction and erasure.

use std::collections::HashSet;
use std::sync::Arc;

use mlops_core::Result;
use mlops_core::features::{CompactReport, Compaction, Erased, KeyBatch, Segment, Table};

use super::rows::{Rows, has};
use super::{Log, statistics};

impl Log {
    /// Merges neighbours, so that the ranges of `seq` stay disjoint.
    pub(super) fn compact(
        &mut self,
        table: &Table,
        options: &Compaction,
        now: i64,
    ) -> Result<CompactReport> {
        let deleted = self.delete_what_is_over(now);
        let mut manifest = self.last.clone();
        let mut groups: Vec<Vec<Segment>> = Vec::new();
        let small = |segment: &Segment| options.full || segment.rows < options.target_rows;
        for segment in std::mem::take(&mut manifest.segments) {
            match groups.last_mut() {
                Some(group) if small(&segment) && group.iter().all(small) => group.push(segment),
                _ => groups.push(vec![segment]),
            }
        }
        let (mut merged, mut made, mut count) = (0, 0, 0);
        let mut new = Vec::new();
        for group in groups {
            if group.len() == 1 {
                manifest.segments.extend(group);
                continue;
            }
            let parts: Vec<&Rows> = group
                .iter()
                .filter_map(|segment| Some(&**self.segments.get(&segment.path)?))
                .collect();
            let rows = Rows::concat(table, &parts)?.sorted()?;
            made += 1;
            merged += group.len() as u64;
            count += rows.len() as u64;
            let path = format!("memory/{}/{}", table.id, self.made + made);
            manifest.segments.push(statistics::segment(path, &rows));
            let until = now.saturating_add(options.grace);
            let old = group.into_iter().map(move |segment| (segment.path, until));
            new.push((manifest.segments[manifest.segments.len() - 1].path.clone(), rows, old));
        }
        self.made += made;
        for (path, rows, old) in new {
            self.segments.insert(path, Arc::new(rows));
            self.merged.extend(old);
        }
        let position = if made > 0 { self.commit(manifest) } else { self.last.position };
        if let Some(watcher) = &options.progress {
            watcher.0(mlops_core::features::Progress { rows: count, of: Some(count) });
        }
        Ok(CompactReport::new(merged, made, count, deleted, position))
    }

    /// Takes away rows, and all that could be read of before.
    pub(super) fn erase(&mut self, table: &Table, keys: &KeyBatch) -> Result<Erased> {
        let named: HashSet<&str> =
            self.last.segments.iter().map(|segment| &*segment.path).collect();
        let holds = |rows: &Rows| (0..rows.len()).any(|row| has(keys, rows.keys.get(row)));
        let mut held: Vec<String> = self
            .segments
            .iter()
            .filter(|(_, rows)| holds(rows))
            .map(|(path, _)| path.clone())
            .collect();
        held.sort_unstable();
        if held.is_empty() {
            let mut erased = Erased::default();
            erased.position = self.last.position;
            return Ok(erased);
        }
        let mut erased = Erased::default();
        let mut replaced = Vec::new();
        for path in held.iter().filter(|path| named.contains(path.as_str())) {
            let rows = &self.segments[path];
            let stays = |row: &usize| !has(keys, rows.keys.get(*row));
            let left: Vec<usize> = (0..rows.len()).filter(stays).collect();
            erased.rows += (rows.len() - left.len()) as u64;
            let left = rows.take(&left)?;
            self.made += 1;
            let new = (left.len() > 0).then(|| format!("memory/{}/{}", table.id, self.made));
            erased.rewritten.push((path.clone(), new.clone()));
            replaced.push((path.clone(), new.map(|new| (new, left))));
        }
        let mut manifest = self.last.clone();
        let mut segments = Vec::new();
        for segment in manifest.segments {
            match replaced.iter_mut().find(|(path, _)| *path == segment.path) {
                None => segments.push(segment),
                Some((_, new)) => {
                    if let Some((path, rows)) = new.take() {
                        segments.push(statistics::segment(path.clone(), &rows));
                        self.segments.insert(path, Arc::new(rows));
                    }
                }
            }
        }
        manifest.segments = segments;
        self.delete(&held);
        // All of before, not only those that hold the keys: a receipt of one says so at once.
        self.manifests.clear();
        erased.deleted = held;
        erased.position = self.commit(manifest);
        Ok(erased)
    }

    fn delete_what_is_over(&mut self, now: i64) -> u64 {
        let (over, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.merged).into_iter().partition(|(_, until)| *until <= now);
        self.merged = stay;
        let over: Vec<String> = over.into_iter().map(|(path, _)| path).collect();
        self.delete(&over);
        over.len() as u64
    }

    /// Deletes segments. Manifests that name them stay: what they say is answered from those of now.
    fn delete(&mut self, paths: &[String]) {
        self.segments.retain(|path, _| !paths.contains(path));
        self.merged.retain(|(path, _)| !paths.contains(path));
    }
}
