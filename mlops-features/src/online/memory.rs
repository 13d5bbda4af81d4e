//! An online store in this process, gone with it: the reference, and what tests use.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::features::{
    KeyBatch, LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead, Visit,
    Watermark, merge_entry,
};
use mlops_core::{Capability, Error, ErrorKind, Result};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const SHARDS: usize = 16;

/// An online store in this process; not durable.
///
/// A table is a map in sixteen parts with a lock each, so that a writer of one key does not keep readers
/// of others waiting.
#[derive(Debug, Default)]
pub struct MemoryOnline {
    /// A table that was dropped stays as an empty one, for the handles that see it when it is made again.
    tables: RwLock<BTreeMap<TableId, Arc<MemoryTable>>>,
}

impl MemoryOnline {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn find(&self, id: &TableId) -> Option<Arc<MemoryTable>> {
        read(&self.tables).get(id).cloned()
    }

    fn table(&self, id: &TableId) -> Arc<MemoryTable> {
        if let Some(table) = self.find(id) {
            return table;
        }
        Arc::clone(write(&self.tables).entry(id.clone()).or_default())
    }
}

#[async_trait]
impl OnlineStore for MemoryOnline {
    fn capability(&self) -> Capability {
        Capability::default()
    }

    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        Ok(Some(self.table(table)))
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        let entries = |read: &TableRead<'_>| match self.find(read.table) {
            Some(table) => read.keys.iter().map(|key| table.get(key?)).collect(),
            None => vec![None; read.keys.len()],
        };
        Ok(reads.iter().map(entries).collect())
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        if rows.is_empty() {
            return Ok(OnlineWritten::default());
        }
        let table = self.table(table);
        // Held to the end, so that a drop comes before the batch or after it.
        let _there = table.made();
        let mut done = OnlineWritten::default();
        for row in rows {
            let mut shard = write(table.shard(row.key));
            let entry = shard.get(row.key).map(|entry| &entry[..]);
            match merge_entry(entry, row.order, row.payload, now)? {
                Some(next) => {
                    shard.insert(row.key.into(), next.into());
                    done.changed += 1;
                }
                None => done.stale += 1,
            }
        }
        Ok(done)
    }

    async fn watermark(&self, table: &TableId) -> Result<Watermark> {
        Ok(self.find(table).map_or_else(Watermark::default, |table| *lock(&table.watermark)))
    }

    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()> {
        let handle = self.table(table);
        let _there = handle.made();
        let mut watermark = lock(&handle.watermark);
        if *watermark != expected {
            return Err(moved(table, expected, *watermark));
        }
        *watermark = next;
        Ok(())
    }

    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64> {
        let Some(table) = self.find(table) else { return Ok(0) };
        let keys: HashSet<&[u8]> = keys.iter().flatten().collect();
        let erased = keys.iter().filter(|key| write(table.shard(key)).remove(**key).is_some());
        Ok(erased.count() as u64)
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        let tables = read(&self.tables);
        let there = tables.iter().filter(|(_, table)| *read(&table.there));
        Ok(there.map(|(id, _)| id.clone()).collect())
    }

    async fn drop_table(&self, table: &TableId) -> Result<()> {
        if let Some(table) = self.find(table) {
            let mut there = write(&table.there);
            *there = false;
            *lock(&table.watermark) = Watermark::default();
            for shard in &table.shards {
                write(shard).clear();
            }
        }
        Ok(())
    }
}

/// The error of a watermark that another has moved.
pub(super) fn moved(table: &TableId, expected: Watermark, found: Watermark) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "features.online",
        "the table was brought up by another meanwhile",
    )
    .with("table", table)
    .with("expected_seq", expected.next_seq)
    .with("found_seq", found.next_seq)
    .with_hint("read the watermark again and go on from there")
}

#[derive(Debug, Default)]
struct MemoryTable {
    /// Whether it was made, and not dropped since.
    there: RwLock<bool>,
    watermark: Mutex<Watermark>,
    shards: [RwLock<Shard>; SHARDS],
}

type Shard = HashMap<Box<[u8]>, Bytes, BuildHasherDefault<KeyHasher>>;

/// XXH3 of a key's bytes, several times as fast as the default for such short ones.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length comes before the bytes, whose hash has it already.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl MemoryTable {
    fn shard(&self, key: &[u8]) -> &RwLock<Shard> {
        // Of bits that the map does not place a key by.
        &self.shards[(xxh3_64(key) >> 40) as usize % SHARDS]
    }

    fn get(&self, key: &[u8]) -> Option<Bytes> {
        read(self.shard(key)).get(key).cloned()
    }

    /// Makes it, and keeps it from being dropped.
    fn made(&self) -> RwLockReadGuard<'_, bool> {
        loop {
            let there = read(&self.there);
            if *there {
                return there;
            }
            drop(there);
            *write(&self.there) = true;
        }
    }
}

impl LocalTable for MemoryTable {
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()> {
        for (row, key) in keys.iter().enumerate() {
            // Lent, not cloned, while the part's lock is held: a caller's code does not write to the table
            // that it looks at.
            match key {
                Some(key) => visit(row, read(self.shard(key)).get(key).map(|entry| &entry[..]))?,
                None => visit(row, None)?,
            }
        }
        Ok(())
    }
}

// A thread that panicked left nothing half done: each change is one call of a map.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
