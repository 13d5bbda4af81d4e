//! What changes a table, by the one who holds the lock.

use std::collections::HashSet;
use std::sync::Arc;

use mlops_core::features::{KeyBatch, OnlineRow, OnlineWritten, Watermark, merge_entry};
use mlops_core::{Error, Result};

use super::super::{memory::moved, shown};
use super::OP;
use super::files::{remove, sync_names};
use super::generation::{Generation, Place};
use super::handle::Handle;
use super::layout::{self, Amount, MAX_ENTRY, MAX_KEY, Size};
use super::lock::Locked;

impl Handle {
    /// Writes rows, one after the other.
    pub(super) fn write(&self, rows: &[OnlineRow<'_>], now: i64) -> Result<OnlineWritten> {
        let mut done = OnlineWritten::default();
        rows.iter().try_for_each(|row| self.check(row))?;
        if rows.is_empty() {
            return Ok(done);
        }
        let locked = self.directory.lock.take()?;
        let mut generation = match self.current_for(&locked)? {
            Some(generation) => generation,
            None => self.rewrite(&locked, None, Amount::of(rows), |_| true)?,
        };
        let mut interrupted = generation.begin();
        let mut scratch = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let hash = layout::hash(row.key);
            let place = find(&generation, hash, row.key)?;
            let entry = place.record.map(|record| record.entry);
            let merged = merge_entry(entry, row.order, row.payload, now)
                .map_err(|error| error.with("table", &self.id).with("key", shown(row.key)))?;
            let Some(next) = merged else {
                done.stale += 1;
                continue;
            };
            self.check_entry(row.key, next.len())?;
            if !generation.put(place, hash, row.key, &next, &mut scratch)? {
                let mut coming = Amount::of(&rows[at..]);
                coming.bytes += layout::record_size(row.key.len(), next.len()) as u64;
                generation = self.rewrite(&locked, Some(&generation), coming, |_| true)?;
                interrupted = generation.begin();
                let place = find(&generation, hash, row.key)?;
                if !generation.put(place, hash, row.key, &next, &mut scratch)? {
                    return Err(generation.too_small());
                }
            }
            done.changed += 1;
        }
        generation.end(interrupted);
        Ok(done)
    }

    /// Moves the watermark when the disk has what was written before.
    pub(super) fn advance(&self, expected: Watermark, next: Watermark) -> Result<()> {
        let locked = self.directory.lock.take()?;
        let generation = self.current_for(&locked)?;
        let found = generation.as_ref().map_or(Ok(Watermark::default()), |g| g.mark())?;
        if found != expected {
            return Err(moved(&self.id, expected, found));
        }
        let generation = match generation {
            Some(generation) => generation,
            None => self.rewrite(&locked, None, Amount::default(), |_| true)?,
        };
        generation.sync()?;
        generation.set_mark(next);
        generation.sync()
    }

    /// Rewrites the table without these keys, so that no byte of them is in its file.
    pub(super) fn erase(&self, keys: &KeyBatch) -> Result<u64> {
        let locked = self.directory.lock.take()?;
        // What a writer that was killed has left.
        remove(&self.next)?;
        let Some(generation) = self.current_for(&locked)? else { return Ok(0) };
        let mut gone = HashSet::new();
        for key in keys.iter().flatten() {
            if find(&generation, layout::hash(key), key)?.record.is_some() {
                gone.insert(key);
            }
        }
        // A row that was being written when its writer was killed may be of these keys, and has no slot.
        let interrupted = generation.begin();
        generation.end(interrupted);
        if !gone.is_empty() || interrupted {
            let keep = |key: &[u8]| !gone.contains(key);
            self.rewrite(&locked, Some(&generation), Amount::default(), keep)?;
        }
        Ok(gone.len() as u64)
    }

    /// Removes the table's file. One that cannot be read is removed too.
    pub(super) fn remove(&self) -> Result<()> {
        let _locked = self.directory.lock.take()?;
        let found = Generation::open(&self.id, &self.path).ok().flatten();
        if let Some(generation) = found {
            generation.set_retired(true);
        }
        remove(&self.next)?;
        remove(&self.path)?;
        self.hold(None);
        sync_names(&self.directory.path)
    }

    /// Writes what is kept into a file with room for what comes, which takes the place of the old one.
    ///
    /// Readers go on with the old one, whose name is gone, until they look again.
    fn rewrite(
        &self,
        _locked: &Locked<'_>,
        old: Option<&Generation>,
        coming: Amount,
        keep: impl FnMut(&[u8]) -> bool,
    ) -> Result<Arc<Generation>> {
        let there = old.map_or(Amount::default(), Generation::amount);
        let size = Size::of(there, coming).ok_or_else(|| {
            Error::invalid(OP, "a table of more than 256 TiB").with("table", &self.id)
        })?;
        let mark = old.map_or(Ok(Watermark::default()), Generation::mark)?;
        let mut next = Generation::create(&self.id, &self.next, size, self.directory.boot, mark)?;
        let filled = old.map_or(Ok(()), |old| old.copy_into(&next, keep));
        // Its watermark promises that the disk has the rest, so that must be so before it has its name.
        if let Err(error) = filled.and_then(|()| next.sync()) {
            remove(&self.next)?;
            return Err(error);
        }
        // Before the name changes: if we are killed in between, readers look again in vain, until the next
        // writer. The other way round they would never look.
        if let Some(old) = old {
            old.set_retired(true);
        }
        next.move_to(&self.path)?;
        let next = Arc::new(next);
        self.hold(Some(Arc::clone(&next)));
        Ok(next)
    }

    fn check(&self, row: &OnlineRow<'_>) -> Result<()> {
        if row.key.len() > MAX_KEY {
            return Err(self.too_large("a key is too large", row.key, row.key.len(), MAX_KEY));
        }
        self.check_entry(row.key, row.payload.len())
    }

    fn check_entry(&self, key: &[u8], bytes: usize) -> Result<()> {
        if bytes > MAX_ENTRY {
            return Err(self.too_large("an entry is too large", key, bytes, MAX_ENTRY));
        }
        Ok(())
    }

    #[cold]
    fn too_large(&self, what: &'static str, key: &[u8], bytes: usize, most: usize) -> Error {
        Error::invalid(OP, what)
            .with("table", &self.id)
            .with("key", shown(key))
            .with("bytes", bytes)
            .with("at_most", most)
    }
}

fn find<'a>(generation: &'a Generation, hash: u64, key: &[u8]) -> Result<Place<'a>> {
    generation.find(&mut generation.tail(), hash, key)
}
