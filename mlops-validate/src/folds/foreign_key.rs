//! `foreign_key`: every key is in another table.

use std::sync::Arc;

use mlops_core::Result;

use super::keyed::KeyColumns;
use crate::kernel::{Cache, Chunk, Judged, RowRule};
use crate::keys::{KeyChunk, NullRule, Orphans, ReferenceSet};
use crate::memory::Memory;

/// How many of the most frequent orphans are named.
const NAMED: usize = 5;

/// Rows whose key another table does not have.
#[derive(Debug)]
pub(crate) struct ForeignKeyRule {
    pub(crate) key: KeyColumns,
    pub(crate) parent: Arc<ReferenceSet>,
    pub(crate) nulls: NullRule,
}

impl RowRule for ForeignKeyRule {
    fn judge(&self, chunk: &Chunk<'_>, _cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let mut keys = KeyChunk::default();
        self.key.encode(chunk, &mut keys)?;
        self.parent.orphan_mask(&keys, None, self.nulls, &mut out.failed);
        let unchecked = match self.nulls {
            NullRule::Simple => &keys.any_null,
            NullRule::Full => &keys.all_null,
        };
        out.null.copy_from_slice(unchecked);
        Ok(())
    }

    fn memory(&self) -> Memory {
        Memory::Orphans(Orphans::default())
    }

    fn remember(&self, chunk: &Chunk<'_>, failed: &[u64], memory: &mut Memory) -> Result<()> {
        let Memory::Orphans(orphans) = memory else { return Err(super::unique::other_memory()) };
        let mut keys = KeyChunk::default();
        self.key.encode(chunk, &mut keys)?;
        orphans.push(&keys, failed, chunk.first_row, |row| self.key.show(chunk, row));
        Ok(())
    }

    fn detail(&self, memory: &Memory) -> Option<String> {
        let Memory::Orphans(orphans) = memory else { return None };
        let found = orphans.finish(NAMED);
        if found.rows == 0 {
            return None;
        }
        let about = if found.approximate { "about " } else { "" };
        let most: Vec<String> = found
            .samples
            .iter()
            .filter_map(|key| {
                let text = key.text.clone().or_else(|| self.key.describe(key.key))?;
                Some(format!("{text} ({} rows)", key.rows))
            })
            .collect();
        let most = if most.is_empty() { String::new() } else { format!(": {}", most.join(", ")) };
        Some(format!("{about}{} distinct keys are not in the other table{most}", found.distinct))
    }
}
