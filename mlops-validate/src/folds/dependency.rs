//! `functional_dependency`: rows that agree in some columns agree in others.

use std::sync::Arc;

use mlops_core::Result;
use mlops_core::validation::{Counts, Mostly, Sample, Status};

use super::keyed::KeyColumns;
use super::unique::{InKeys, other_memory};
use crate::kernel::{Chunk, Finding, Fold, RowRule};
use crate::keys::{Dependency, KeyChunk, KeyStore, ReferenceSet};
use crate::memory::Memory;
use crate::plan::{Conclude, Seen};

/// Remembers which key has which value.
#[derive(Debug)]
pub(crate) struct DependencyFold {
    pub(crate) from: KeyColumns,
    pub(crate) to: KeyColumns,
}

impl Fold for DependencyFold {
    fn memory(&self) -> Memory {
        Memory::Dependency(Dependency::default())
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Dependency(memory) = memory else { return Err(other_memory()) };
        let (mut from, mut to) = (KeyChunk::default(), KeyChunk::default());
        self.from.encode(chunk, &mut from)?;
        self.to.encode(chunk, &mut to)?;
        memory.push(&from, &to, eligible, chunk.first_row, |row| self.from.show(chunk, row));
        Ok(())
    }

    fn blames_later(&self) -> bool {
        true
    }

    fn second_pass(&self, memory: &Memory) -> Option<Arc<dyn RowRule>> {
        let Memory::Dependency(memory) = memory else { return None };
        let keys = memory.conflict_keys();
        if keys.is_empty() {
            return None;
        }
        let set = ReferenceSet::of_keys(&keys, &KeyStore::new(&self.from.encoder));
        let key = self.from.clone();
        Some(Arc::new(InKeys { key, set, nulls: false, nulls_compared: false }))
    }
}

/// No key has two values.
#[derive(Debug)]
pub(crate) struct OneValueEach {
    pub(crate) mostly: Mostly,
}

impl Conclude for OneValueEach {
    fn blames_rows(&self) -> bool {
        true
    }

    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let Some(Memory::Dependency(memory)) = seen.memories.first() else {
            return Finding::plain(Status::Vacuous);
        };
        let found = memory.finish(seen.samples);
        let status = match found.rows {
            0 => Status::Vacuous,
            rows if self.mostly.accepts(found.rows_involved, rows) => Status::Passed,
            _ => Status::Failed,
        };
        let detail = (found.conflicts > 0).then(|| {
            format!("{} of {} keys have several values", found.conflicts, found.determinants)
        });
        let sample = |(_, rows, text): (u128, u64, Option<String>)| Sample {
            row: None,
            values: vec![text],
            count: Some(rows),
        };
        Finding {
            status,
            counts: Counts {
                judged: found.rows,
                failed: found.rows_involved,
                skipped: seen.rows - found.rows,
                filtered: 0,
            },
            observed: None,
            detail,
            samples: found.samples.into_iter().map(sample).collect(),
        }
    }
}
