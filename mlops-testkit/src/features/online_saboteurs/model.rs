//! The store that sins: a map, and one branch for each sin.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::features::{
    KeyBatch, LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead, Visit,
    Watermark, merge_entry,
};
use mlops_core::{Capability, Error, ErrorKind, Result};

use super::OnlineSin;

type Entries = BTreeMap<Vec<u8>, Bytes>;

/// An online store that does one thing wrong.
#[derive(Debug, Clone)]
pub(super) struct Model {
    sin: OnlineSin,
    state: Arc<Mutex<State>>,
    /// What this handle has read, if it answers from that.
    cache: Option<Arc<Mutex<BTreeMap<TableId, Entries>>>>,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<TableId, Entries>,
    watermarks: BTreeMap<TableId, Watermark>,
}

impl Model {
    pub(super) fn new(sin: OnlineSin) -> Self {
        Self { sin, state: Arc::default(), cache: None }
    }

    /// As another process opens it.
    pub(super) fn opened_again(&self) -> Self {
        let mut again = self.clone();
        match self.sin {
            OnlineSin::IsNotDurable => again.state = Arc::default(),
            OnlineSin::ReadsStale => again.cache = Some(Arc::default()),
            _ => {}
        }
        again
    }

    fn is(&self, sin: OnlineSin) -> bool {
        self.sin == sin
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key as this store takes it.
    fn key<'a>(&self, key: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match (key, self.sin) {
            (None, OnlineSin::TakesNullForEmpty) => Some(&[]),
            // The four bytes of the length are no text.
            (Some(key), OnlineSin::CutsKeys) => {
                let zero = key.iter().skip(4).position(|byte| *byte == 0);
                Some(zero.map_or(key, |zero| &key[..zero + 4]))
            }
            (key, _) => key,
        }
    }

    fn entries(&self, table: &TableId, keys: &KeyBatch) -> Vec<Option<Bytes>> {
        let mut state = self.state();
        if self.is(OnlineSin::ListsWhatWasRead) {
            state.tables.entry(table.clone()).or_default();
        }
        let find = |entries: &Entries| {
            keys.iter().map(|key| entries.get(self.key(key)?).cloned()).collect()
        };
        let none = Entries::new();
        let there = state.tables.get(table).unwrap_or(&none);
        match &self.cache {
            Some(cache) => {
                let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
                find(cache.entry(table.clone()).or_insert_with(|| there.clone()))
            }
            None => find(there),
        }
    }

    /// The entry after a write; `None` if nothing changes.
    fn merged(&self, old: Option<&[u8]>, row: &OnlineRow<'_>, now: i64) -> Result<Option<Vec<u8>>> {
        let payload = match self.sin {
            OnlineSin::CutsPayloads => &row.payload[..row.payload.len().min(1 << 16)],
            _ => row.payload,
        };
        let merged = merge_entry(old, row.order, payload, now)?;
        if merged.is_none() && self.is(OnlineSin::TheLastToComeWins) {
            return merge_entry(None, row.order, payload, now);
        }
        Ok(merged)
    }
}

#[async_trait]
impl OnlineStore for Model {
    fn capability(&self) -> Capability {
        Capability::default().with_durable(true).with_many_processes(true)
    }

    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        let mut model = self.clone();
        if self.is(OnlineSin::FreezesMemory) {
            let tables = self.state().tables.clone();
            model.state = Arc::new(Mutex::new(State { tables, ..State::default() }));
        }
        Ok(Some(Arc::new(Local { model, table: table.clone() })))
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        let mut reads: Vec<&TableRead<'_>> = reads.iter().collect();
        if self.is(OnlineSin::AnswersByName) {
            reads.sort_by_key(|read| read.table);
        }
        Ok(reads.into_iter().map(|read| self.entries(read.table, read.keys)).collect())
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        let mut done = OnlineWritten::default();
        if rows.is_empty() {
            return Ok(done);
        }
        let mut state = self.state();
        let entries = state.tables.entry(table.clone()).or_default();
        for (at, row) in rows.iter().enumerate() {
            let lost = self.is(OnlineSin::LosesTheLastWrite) && at > 0 && at + 1 == rows.len();
            let ahead = self.is(OnlineSin::IgnoresRowsAhead) && row.order.event_time >= now;
            if lost || ahead {
                done.changed += 1;
                continue;
            }
            let Some(key) = self.key(Some(row.key)) else { continue };
            match self.merged(entries.get(key).map(|entry| &entry[..]), row, now)? {
                Some(next) => {
                    entries.insert(key.to_vec(), next.into());
                    done.changed += 1;
                }
                None if self.is(OnlineSin::CountsStaleAsChanged) => done.changed += 1,
                None => done.stale += 1,
            }
        }
        Ok(done)
    }

    async fn watermark(&self, table: &TableId) -> Result<Watermark> {
        Ok(self.state().watermarks.get(table).copied().unwrap_or_default())
    }

    async fn advance(&self, table: &TableId, expected: Watermark, next: Watermark) -> Result<()> {
        let mut state = self.state();
        let found = state.watermarks.get(table).copied().unwrap_or_default();
        if found != expected && !self.is(OnlineSin::AdvancesAnyhow) {
            return Err(Error::new(ErrorKind::Conflict, "features.online", "is another by now"));
        }
        state.tables.entry(table.clone()).or_default();
        state.watermarks.insert(table.clone(), next);
        Ok(())
    }

    async fn erase(&self, table: &TableId, keys: &KeyBatch) -> Result<u64> {
        let mut state = self.state();
        let mut erased = 0;
        if let Some(entries) = state.tables.get_mut(table) {
            for key in keys.iter().filter_map(|key| self.key(key)) {
                let there = if self.is(OnlineSin::ErasesNothing) {
                    entries.contains_key(key)
                } else {
                    entries.remove(key).is_some()
                };
                erased += u64::from(there || self.is(OnlineSin::CountsErasedTwice));
            }
        }
        if self.is(OnlineSin::ForgetsTheWatermark) {
            state.watermarks.remove(table);
        }
        Ok(erased)
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        Ok(self.state().tables.keys().cloned().collect())
    }

    async fn drop_table(&self, table: &TableId) -> Result<()> {
        let mut state = self.state();
        state.tables.remove(table);
        if !self.is(OnlineSin::KeepsTheWatermark) {
            state.watermarks.remove(table);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Local {
    model: Model,
    table: TableId,
}

impl LocalTable for Local {
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()> {
        for (row, entry) in self.model.entries(&self.table, keys).into_iter().enumerate() {
            visit(row, entry.as_deref())?;
        }
        Ok(())
    }
}
