//! The cases of `OnlineStore`, and the fixture they run on.

mod keys;
mod merge;
mod tables;
mod together;
mod watermark;

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use mlops_core::features::{
    Entry, FeatureName, KeyBatch, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead,
    Visibility, WriteOrder,
};

use super::{BlockOn, FeatureBackend, FeatureCase, run_here};
use crate::Absent;

/// Opens the same store anew: another process, as far as the contract goes.
pub type ReopenOnline = Arc<dyn Fn() -> Arc<dyn OnlineStore> + Send + Sync>;

/// A fresh, empty online store.
#[derive(Clone)]
pub struct OnlineFixture {
    /// The store.
    pub store: Arc<dyn OnlineStore>,
    /// Opens the store once more; there if its capability is `durable` or `many_processes`.
    pub reopen: Option<ReopenOnline>,
    /// Runs what a case does on another thread.
    pub block_on: BlockOn,
    /// What must live as long as the store: its directory, its server.
    pub keep: Arc<dyn Any + Send + Sync>,
}

impl Debug for OnlineFixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineFixture").field("store", &self.store).finish_non_exhaustive()
    }
}

impl OnlineFixture {
    /// A store without a second opener, and with nothing to keep alive.
    pub fn new(store: Arc<dyn OnlineStore>) -> Self {
        Self { store, reopen: None, block_on: run_here, keep: Arc::new(()) }
    }

    /// A handle that another process would have, or else a second one of this process.
    fn other(&self) -> Arc<dyn OnlineStore> {
        self.reopen.as_ref().map_or_else(|| Arc::clone(&self.store), |reopen| reopen())
    }

    /// A thread that runs this to its end.
    fn spawn(&self, work: BoxFuture<'static, ()>) -> std::thread::JoinHandle<()> {
        let block_on = self.block_on;
        std::thread::spawn(move || block_on(work))
    }
}

impl FeatureBackend<OnlineFixture> {
    /// A backend that needs no runtime.
    pub fn online(name: &'static str, open: fn() -> Result<OnlineFixture, Absent>) -> Self {
        Self { name, open, capability: |fixture| fixture.store.capability(), block_on: run_here }
    }
}

/// All cases of `OnlineStore`.
pub fn online_cases() -> Vec<FeatureCase<OnlineFixture>> {
    [merge::cases(), keys::cases(), tables::cases(), watermark::cases(), together::cases()].concat()
}

/// The instant of writes, where a case does not say another one.
const NOW: i64 = 1_000;

fn table(number: u32) -> TableId {
    TableId::new(&FeatureName::new("view").unwrap(), number)
}

fn order(event_time: i64, created: i64, seq: u64) -> WriteOrder {
    WriteOrder { event_time, created, seq }
}

/// Keys of one text each.
fn keys<K: AsRef<[u8]>>(texts: impl IntoIterator<Item = K>) -> KeyBatch {
    let mut keys = KeyBatch::new();
    for text in texts {
        keys.text(text.as_ref());
        keys.end(true).unwrap();
    }
    keys
}

fn key(text: impl AsRef<[u8]>) -> Vec<u8> {
    keys([text]).get(0).unwrap().to_vec()
}

fn row<'a>(key: &'a [u8], order: WriteOrder, payload: &'a [u8]) -> OnlineRow<'a> {
    OnlineRow { key, order, payload, expires: None }
}

async fn write(store: &dyn OnlineStore, table: &TableId, rows: &[OnlineRow<'_>]) -> OnlineWritten {
    store.write(table, rows, NOW).await.unwrap()
}

async fn read(store: &dyn OnlineStore, table: &TableId, keys: &KeyBatch) -> Vec<Option<Bytes>> {
    let mut found = store.read(&[TableRead { table, keys }]).await.unwrap();
    assert_eq!(found.len(), 1, "one answer for each table");
    let found = found.remove(0);
    assert_eq!(found.len(), keys.len(), "one answer for each key");
    found
}

/// The entry of the key of this text.
async fn entry(store: &dyn OnlineStore, table: &TableId, text: impl AsRef<[u8]>) -> Option<Bytes> {
    read(store, table, &keys([text])).await.remove(0)
}

/// The payload that answers at an instant.
fn payload(entry: &[u8], t: i64) -> Option<Vec<u8>> {
    let row = Entry::parse(entry).unwrap().at(Visibility::default(), t).unwrap();
    row.map(|row| row.payload.to_vec())
}

/// The payload of the key of this text that answers at an instant.
async fn answer(
    store: &dyn OnlineStore,
    table: &TableId,
    text: impl AsRef<[u8]>,
    t: i64,
) -> Option<Vec<u8>> {
    entry(store, table, text).await.and_then(|entry| payload(&entry, t))
}

fn written(changed: u64, stale: u64) -> OnlineWritten {
    OnlineWritten { changed, stale }
}
