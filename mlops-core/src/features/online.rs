//! The contract of an online store: the last rows of each key, for requests.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::keys::KeyBatch;
use super::order::WriteOrder;
use super::table::TableId;
use crate::{Capability, Result};

/// Keeps an [`Entry`](super::Entry) for each table and key.
///
/// It is derived: whatever it loses can be materialized again from the offline store, from the
/// watermark on.
///
/// # Contract
/// **Write.** Each row changes its key's entry as [`merge_entry`](super::merge_entry) says, atomically: two
/// writers of one key, in any processes, end as one after the other. **Durability.** What was acknowledged
/// survives SIGKILL of the process. After a power loss a table is as it was acknowledged, or
/// its watermark says how much of the log it lacks: never more than it has. **Readers.** Any number, in
/// other processes too, while rows are written; each sees an entry whole.
///
/// # Errors
/// `Unavailable`: the store did not answer within its bound; try again. `Invalid`: an entry or key that is
/// too large. `Corrupt`.
#[async_trait]
pub trait OnlineStore: Debug + Send + Sync + 'static {
    /// What it can do.
    fn capability(&self) -> Capability;

    /// The table in this process's memory, for reads that need not wait; `None` if the store is elsewhere.
    ///
    /// The handle stays valid, and sees what is written later, also if the table is dropped and made again.
    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>>;

    /// The entries of keys of several tables, in their order, in one round trip.
    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>>;

    /// Writes rows; `now` is the instant that [`merge_entry`](super::merge_entry) is given.
    ///
    /// # Contract
    /// **Partial.** If it fails, some rows may be written; writing all again ends well.
    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten>;

    /// How much of the log the table has; the default if it has none.
    async fn watermark(&self, table: &TableId) -> Result<Watermark>;

    /// Says how much of the log the table has, after all of it was written.
    ///
    /// # Contract
    /// **Conflict.** The watermark is no longer `expected`. **Durability.** The rows that were written before
    /// are as durable as this.
    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()>;

    /// Takes away the entries of keys, and returns how many there were.
    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64>;

    /// The tables that are there.
    async fn tables(&self) -> Result<Vec<TableId>>;

    /// Takes away a table with its watermark; one that is not there is ignored.
    async fn drop_table(&self, table: &TableId) -> Result<()>;
}

/// A table in this process's memory.
pub trait LocalTable: Debug + Send + Sync + 'static {
    /// Hands the entry of each key, in order, to `visit`; `None` for a key that has none, or that is none.
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()>;
}

/// Takes the entry of one key: the row's number, and the bytes.
pub type Visit<'a> = dyn FnMut(usize, Option<&[u8]>) -> Result<()> + 'a;

/// Keys of one table.
#[derive(Debug, Clone, Copy)]
pub struct TableRead<'a> {
    /// The table.
    pub table: &'a TableId,
    /// The keys; one that is null has no entry.
    pub keys: &'a KeyBatch,
}

/// A row to write.
#[derive(Debug, Clone, Copy)]
pub struct OnlineRow<'a> {
    /// Its key, as [`KeyBatch`] makes it.
    pub key: &'a [u8],
    /// Its place in the order of writes.
    pub order: WriteOrder,
    /// Its values, packed.
    pub payload: &'a [u8],
    /// Seconds since 1970 when the entry may be forgotten, if it may; stores that do not forget by
    /// themselves ignore it.
    pub expires: Option<i64>,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlineWritten {
    /// Entries that changed.
    pub changed: u64,
    /// Rows that changed nothing, because a greater one is there.
    pub stale: u64,
}

/// How much of the offline log an online table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The `seq` of the first row that it lacks.
    pub next_seq: u64,
    /// When it was brought there, in microseconds since 1970.
    pub at: i64,
}
