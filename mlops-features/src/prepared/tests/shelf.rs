//! A store for tests, in this process's memory or as if elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use mlops_core::features::{
    KeyBatch, LocalTable, OnlineRow, OnlineStore, OnlineWritten, TableId, TableRead, Visit,
    Watermark, merge_entry,
};
use mlops_core::{Capability, Result};

#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) elsewhere: bool,
    /// Hands out one entry too few.
    pub(super) short: bool,
    pub(super) tables: Mutex<HashMap<TableId, Arc<Board>>>,
}

#[derive(Debug, Default)]
pub(super) struct Board {
    pub(super) entries: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    short: bool,
}

impl Shelf {
    pub(super) fn board(&self, table: &TableId) -> Arc<Board> {
        let board = || Arc::new(Board { short: self.short, ..Board::default() });
        Arc::clone(self.tables.lock().unwrap().entry(table.clone()).or_insert_with(board))
    }
}

impl LocalTable for Board {
    fn visit(&self, keys: &KeyBatch, visit: &mut Visit<'_>) -> Result<()> {
        let entries = self.entries.lock().unwrap();
        for row in 0..keys.len() - usize::from(self.short) {
            visit(row, keys.get(row).and_then(|key| entries.get(key)).map(Vec::as_slice))?;
        }
        Ok(())
    }
}

#[async_trait]
impl OnlineStore for Shelf {
    fn capability(&self) -> Capability {
        unreachable!("not asked here")
    }

    fn local(&self, table: &TableId) -> Result<Option<Arc<dyn LocalTable>>> {
        Ok((!self.elsewhere).then(|| self.board(table) as Arc<dyn LocalTable>))
    }

    async fn read(&self, reads: &[TableRead<'_>]) -> Result<Vec<Vec<Option<Bytes>>>> {
        let read = reads.iter().map(|read| {
            let mut entries = Vec::new();
            self.board(read.table).visit(read.keys, &mut |_, entry| {
                entries.push(entry.map(Bytes::copy_from_slice));
                Ok(())
            })?;
            Ok(entries)
        });
        read.collect()
    }

    async fn write(
        &self,
        table: &TableId,
        rows: &[OnlineRow<'_>],
        now: i64,
    ) -> Result<OnlineWritten> {
        let board = self.board(table);
        let mut entries = board.entries.lock().unwrap();
        for row in rows {
            let entry = entries.get(row.key).map(Vec::as_slice);
            if let Some(entry) = merge_entry(entry, row.order, row.payload, now)? {
                entries.insert(row.key.to_vec(), entry);
            }
        }
        Ok(OnlineWritten::default())
    }

    async fn watermark(&self, _: &TableId) -> Result<Watermark> {
        unreachable!("not asked here")
    }

    async fn advance(&self, _: &TableId, _: Watermark, _: Watermark) -> Result<()> {
        unreachable!("not asked here")
    }

    async fn erase(&self, _: &TableId, _: &KeyBatch) -> Result<u64> {
        unreachable!("not asked here")
    }

    async fn tables(&self) -> Result<Vec<TableId>> {
        unreachable!("not asked here")
    }

    async fn drop_table(&self, _: &TableId) -> Result<()> {
        unreachable!("not asked here")
    }
}
