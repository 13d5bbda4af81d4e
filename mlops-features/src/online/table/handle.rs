//! A table as one process has it: the file that is current, found again when another takes its place.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use mlops_core::features::{KeyBatch, LocalTable, TableId, Visit, Watermark};
use mlops_core::{Error, ErrorKind, Result};

use super::OP;
use super::files::{paths, remove, sync_names};
use super::generation::{Boot, Generation};
use super::layout::{self, RECORD};
use super::lock::{Locked, WriterLock};

/// Keys that are looked for together.
const BLOCK: usize = 32;

/// What all tables of a store share.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) lock: WriterLock,
    pub(super) boot: Boot,
}

/// A table, there or not.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) id: TableId,
    pub(super) directory: Arc<Directory>,
    pub(super) path: PathBuf,
    /// Where the next file is made.
    pub(super) next: PathBuf,
    current: RwLock<Option<Arc<Generation>>>,
}

impl Handle {
    pub(super) fn new(directory: Arc<Directory>, id: TableId) -> Self {
        let (path, next) = paths(&directory.path, &id);
        Self { id, directory, path, next, current: RwLock::default() }
    }

    /// The file to read: one word tells whether it is still the one.
    #[inline]
    pub(super) fn current(&self) -> Result<Option<Arc<Generation>>> {
        match self.held() {
            Some(generation) if !generation.is_retired() => Ok(Some(generation)),
            _ => self.load(None),
        }
    }

    /// The file to write, for the one who holds the lock; `None` if there is no table.
    pub(super) fn current_for(&self, locked: &Locked<'_>) -> Result<Option<Arc<Generation>>> {
        let held = self.held().filter(|held| !held.is_retired() && held.is_in_place());
        let Some(generation) =
            held.map_or_else(|| self.load(Some(locked)), |held| Ok(Some(held)))?
        else {
            return Ok(None);
        };
        if !generation.is_writable() {
            return Err(Error::new(ErrorKind::Denied, OP, "the table may only be read")
                .with("path", self.path.display()));
        }
        // It has its name still: a writer was killed before the next file took its place.
        generation.set_retired(false);
        Ok(Some(generation))
    }

    pub(super) fn hold(&self, generation: Option<Arc<Generation>>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = generation;
    }

    pub(super) fn watermark(&self) -> Result<Watermark> {
        self.current()?.map_or(Ok(Watermark::default()), |generation| generation.mark())
    }

    #[inline]
    fn held(&self) -> Option<Arc<Generation>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cold]
    fn load(&self, locked: Option<&Locked<'_>>) -> Result<Option<Arc<Generation>>> {
        let found = self.open(locked)?.map(Arc::new);
        self.hold(found.clone());
        Ok(found)
    }

    /// Opens the file, and after a new start of the machine looks whether it is sound.
    fn open(&self, locked: Option<&Locked<'_>>) -> Result<Option<Generation>> {
        let boot = self.directory.boot;
        let Some(found) = Generation::open(&self.id, &self.path)? else { return Ok(None) };
        if found.is_of(boot) {
            return Ok(Some(found));
        }
        if found.is_sound() {
            found.set_boot(boot);
            return Ok(Some(found));
        }
        drop(found);
        // Power was lost in the middle of writes. What is left cannot be told from what is lost, so the
        // table begins anew, without a watermark.
        let own;
        let _locked = if let Some(locked) = locked {
            locked
        } else {
            own = self.directory.lock.take()?;
            &own
        };
        // Another process may have done it meanwhile.
        match Generation::open(&self.id, &self.path)? {
            Some(again) if !again.is_of(boot) && !again.is_sound() => {
                again.set_retired(true);
                remove(&self.path)?;
                sync_names(&self.directory.path)?;
                Ok(None)
            }
            other => Ok(other),
        }
    }
}

impl LocalTable for Handle {
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()> {
        let Some(generation) = self.current()? else {
            return (0..keys.len()).try_for_each(|row| visit(row, None));
        };
        let mut tail = generation.tail();
        let mut hashes = [0; BLOCK];
        for first in (0..keys.len()).step_by(BLOCK) {
            let rows = first..(first + BLOCK).min(keys.len());
            let hashes = &mut hashes[..rows.len()];
            for (hash, row) in hashes.iter_mut().zip(rows.clone()) {
                *hash = keys.get(row).map_or(0, layout::hash);
            }
            if rows.len() > 1 {
                // What memory is slow to bring is asked for together: the slots, then the records.
                let mut words = [0; BLOCK];
                for (word, hash) in words.iter_mut().zip(&*hashes) {
                    *word = generation.first_slot(*hash);
                }
                for word in words[..rows.len()].iter().filter(|word| **word != 0) {
                    black_box(tail.bytes(layout::place(*word), RECORD).map(|head| head[0]));
                }
            }
            for (row, hash) in rows.zip(&*hashes) {
                let record = match keys.get(row) {
                    Some(key) => generation.find(&mut tail, *hash, key)?.record,
                    None => None,
                };
                visit(row, record.map(|record| record.entry))?;
            }
        }
        Ok(())
    }
}
