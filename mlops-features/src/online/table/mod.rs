//! The embedded online store: a mapped file for each table, which many processes read while one writes.
//!
//! For a service that reads features in its own memory, in less than a microsecond, while a job beside
//! it brings them up. A read takes no lock of another process, makes no system call and copies nothing.
//!
//! The non-obvious decision is what it does not have: there are no transactions, no pages, no log of
//! changes and no repair. A row is one record and one word that names it; what is replaced is left
//! behind, and goes when the table is rewritten. That is enough because the store is derived. Three
//! losses, and what is left:
//!
//! - The writer is killed: the pages are the kernel's, so every row that was acknowledged is there, and
//!   the row that was being written is there or not. The next writer goes on.
//! - Power is lost: [`advance`](OnlineStore::advance) stores a watermark only when the disk has what was
//!   written before it, so what the watermark says is there. Rows that were written after it may be
//!   lost, and the pages of such rows may be there in part. So each file says in which boot of the
//!   machine it was written, and the first to open it in another one checks every record; if one is
//!   not whole, the table is taken away, with its watermark, and must be materialized again.
//! - The disk is full: room is reserved before it is used, so a write is `Unavailable` and readers go on.
//!   Not so on file systems that copy what is written (btrfs, ZFS): there a page that is written again
//!   needs new room whatever was reserved, and a full disk can end the writing process with `SIGBUS`.
//!   What was acknowledged is there then too, as after a writer that is killed.
//!
//! What it does not do: more than one writer at a time (others wait, then are `Unavailable`);
//! directories that several machines share; forgetting rows by itself ([`OnlineRow::expires`] is
//! ignored, and rewriting a table keeps each key: ttl is applied when it is read). An idle reader keeps
//! the room of a file that was replaced until it reads again. Erased keys are in no file with a name
//! afterwards; what the disk keeps of blocks that it has freed is the disk's.

mod files;
mod generation;
mod handle;
mod layout;
mod lock;
mod map;
mod write;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::features::{
    KeyBatch, LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead, Watermark,
};
use mlops_core::time::Clock;
use mlops_core::{Capability, Result};
use xxhash_rust::xxh3::xxh3_128;

use self::files::io_error;
use self::handle::{Directory, Handle};
use self::lock::WriterLock;

const OP: &str = "features.online";

/// An online store in a directory of mapped files.
///
/// Its futures do their work when they are polled, and wait for nothing but the disk and other writers,
/// these at most for [`EmbeddedOptions::wait`].
#[derive(Debug)]
pub struct EmbeddedOnline {
    directory: Arc<Directory>,
    tables: RwLock<BTreeMap<TableId, Arc<Handle>>>,
}

/// How an [`EmbeddedOnline`] is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbeddedOptions {
    /// How long a writer waits for another one.
    pub wait: Duration,
    /// The file in which the system says which boot of the machine this is. Where it cannot be read, tables
    /// are checked each time they are opened.
    pub boot_id: PathBuf,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { wait: Duration::from_secs(5), boot_id: "/proc/sys/kernel/random/boot_id".into() }
    }
}

impl EmbeddedOptions {
    /// How long a writer waits for another one.
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The file in which the system says which boot of the machine this is.
    pub fn with_boot_id(mut self, path: impl Into<PathBuf>) -> Self {
        self.boot_id = path.into();
        self
    }
}

impl EmbeddedOnline {
    /// Opens the store in a directory, which is made if it is not there. Tables are opened as they are used.
    ///
    /// # Errors
    /// `Denied` and `Unavailable` if the directory cannot be made.
    pub fn open(directory: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(directory, clock, EmbeddedOptions::default())
    }

    /// Opens it with other options. The clock tells those who wait since when another writes.
    ///
    /// # Errors
    /// As [`EmbeddedOnline::open`].
    pub fn open_with(
        directory: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        options: EmbeddedOptions,
    ) -> Result<Self> {
        let path = directory.into();
        fs::create_dir_all(&path)
            .map_err(|e| io_error("the store's directory cannot be made", &path, e))?;
        let boot = fs::read_to_string(&options.boot_id).ok().and_then(|text| {
            // As two words, which a file's head can hold.
            let hash = xxh3_128(text.trim().as_bytes());
            (!text.trim().is_empty()).then_some([(hash >> 64) as u64, hash as u64])
        });
        let lock = WriterLock::new(path.join("writer.lock"), options.wait, clock);
        let directory = Arc::new(Directory { path, lock, boot });
        Ok(Self { directory, tables: RwLock::default() })
    }

    fn table(&self, id: &TableId) -> Arc<Handle> {
        if let Some(table) = self.tables.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Arc::clone(table);
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Handle::new(Arc::clone(&self.directory), id.clone()));
        Arc::clone(tables.entry(id.clone()).or_insert_with(made))
    }
}

#[async_trait]
impl OnlineStore for EmbeddedOnline {
    fn capability(&self) -> Capability {
        Capability::default().with_durable(true).with_many_processes(true)
    }

    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        Ok(Some(self.table(table)))
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        let entries = |read: &TableRead<'_>| {
            let mut entries = Vec::with_capacity(read.keys.len());
            self.table(read.table).visit(read.keys, &mut |_, entry| {
                entries.push(entry.map(Bytes::copy_from_slice));
                Ok(())
            })?;
            Ok(entries)
        };
        reads.iter().map(entries).collect()
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        self.table(table).write(rows, now)
    }

    async fn watermark(&self, table: &TableId) -> Result<Watermark> {
        self.table(table).watermark()
    }

    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()> {
        self.table(table).advance(expected, next)
    }

    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64> {
        self.table(table).erase(keys)
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        let path = &self.directory.path;
        let failed = |e| io_error("the store's directory cannot be read", path, e);
        let mut tables = Vec::new();
        for file in fs::read_dir(path).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".table"));
            // Files that are no table's are somebody else's.
            tables.extend(id.and_then(|id| TableId::try_from(id.to_owned()).ok()));
        }
        tables.sort();
        Ok(tables)
    }

    async fn drop_table(&self, table: &TableId) -> Result<()> {
        self.table(table).remove()
    }
}

#[cfg(test)]
mod tests;
