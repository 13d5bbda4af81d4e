//! Turns: within a process one call at a time changes what a table has online.
//!
//! The stores stand two writers of plain rows; states of windows are read, folded and written, and two who
//! do that at once would do it twice, or fail each other. Between processes the watermark decides, and the
//! later one is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::lock::{Mutex as Turn, OwnedMutexGuard};
use mlops_core::features::TableId;

/// The turns of all tables; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<TableId, Arc<Turn<()>>>>>);

impl Turns {
    /// Waits for the table's turn, which ends when what is returned is dropped.
    pub(super) async fn take(&self, table: &TableId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(table.clone()).or_default())
        };
        turn.lock_owned().await
    }
}
