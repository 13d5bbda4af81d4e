//! `unique`, `distinctness` and the counts of different values: one memory of keys for all of them.

use std::sync::Arc;

use mlops_core::validation::{Counts, Exactness, Sample, Status};
use mlops_core::{Error, ErrorKind, Result};
use serde_json::json;

use super::keyed::KeyColumns;
use crate::bits;
use crate::kernel::{Cache, Chunk, Finding, Fold, Judged, RowRule};
use crate::keys::{
    DistinctEstimate, DuplicateFilter, Duplicates, KeyChunk, KeyStore, ReferenceSet,
};
use crate::memory::{KeysMemory, Memory};
use crate::plan::{Conclude, Seen};

/// Remembers every key.
#[derive(Debug)]
pub(crate) struct KeysFold {
    pub(crate) key: KeyColumns,
    /// Whether a null equals a null; if not, rows with one have no key.
    pub(crate) nulls_equal: bool,
    /// Only keys of this filter are remembered: the second of two passes.
    pub(crate) suspects: Option<DuplicateFilter>,
}

impl KeysFold {
    /// The rows that have a key, of those that may go in.
    fn take(&self, keys: &KeyChunk, eligible: Option<&[u64]>, rows: usize) -> Vec<u64> {
        let mut take = Vec::new();
        match eligible {
            Some(eligible) => take.extend_from_slice(eligible),
            None => bits::fill(&mut take, rows),
        }
        if !self.nulls_equal || self.key.slots.len() == 1 {
            bits::and_not(&mut take, &keys.any_null);
        }
        take
    }
}

impl Fold for KeysFold {
    fn memory(&self) -> Memory {
        let store = KeyStore::new(&self.key.encoder);
        Memory::Keys(Box::new(KeysMemory::new(store)))
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Keys(memory) = memory else { return Err(other_memory()) };
        let mut keys = KeyChunk::default();
        self.key.encode(chunk, &mut keys)?;
        if eligible.is_none() && !bits::any(&keys.any_null) && self.suspects.is_none() {
            return memory.store_mut().push(&keys, None);
        }
        let mut take = self.take(&keys, eligible, chunk.rows);
        let eligible_rows = eligible.map_or(chunk.rows as u64, bits::count);
        memory.without_key += eligible_rows - bits::count(&take);
        if let Some(suspects) = &self.suspects {
            let whole = std::mem::take(&mut take);
            suspects.candidates(&keys, Some(&whole), &mut take);
        }
        memory.store_mut().push(&keys, Some(&take))
    }

    fn blames_later(&self) -> bool {
        true
    }

    fn second_pass(&self, memory: &Memory) -> Option<Arc<dyn RowRule>> {
        let Memory::Keys(memory) = memory else { return None };
        let duplicated = memory.found().keys.as_deref().unwrap_or_default();
        let nulls = self.nulls_equal && self.key.slots.len() == 1 && memory.without_key > 1;
        if duplicated.is_empty() && !nulls {
            return None;
        }
        let set = ReferenceSet::of_keys(duplicated, &memory.store);
        Some(Arc::new(InKeys {
            key: self.key.clone(),
            set,
            nulls,
            nulls_compared: self.nulls_equal && self.key.slots.len() > 1,
        }))
    }
}

/// Rows whose key is one of some keys.
#[derive(Debug)]
pub(crate) struct InKeys {
    pub(crate) key: KeyColumns,
    pub(crate) set: ReferenceSet,
    /// Whether rows without a key are meant too.
    pub(crate) nulls: bool,
    /// Whether a key with a null in it is a key.
    pub(crate) nulls_compared: bool,
}

impl RowRule for InKeys {
    fn judge(&self, chunk: &Chunk<'_>, _cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let mut keys = KeyChunk::default();
        self.key.encode(chunk, &mut keys)?;
        let mut missing = Vec::new();
        self.set.missing_mask(&keys.keys, &mut missing);
        bits::fill(&mut out.failed, chunk.rows);
        bits::and_not(&mut out.failed, &missing);
        if !self.nulls_compared {
            bits::and_not(&mut out.failed, &keys.any_null);
        }
        if self.nulls {
            bits::or(&mut out.failed, &keys.any_null);
        }
        Ok(())
    }
}

/// Notes which keys may be there twice: the first of two passes.
#[derive(Debug)]
pub(crate) struct SuspectsFold {
    pub(crate) keys: KeysFold,
    pub(crate) expected_rows: u64,
}

impl Fold for SuspectsFold {
    fn memory(&self) -> Memory {
        let counters = DuplicateFilter::DEFAULT_COUNTERS;
        Memory::Suspects(DuplicateFilter::new(self.expected_rows, counters))
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Suspects(filter) = memory else { return Err(other_memory()) };
        let mut keys = KeyChunk::default();
        self.keys.key.encode(chunk, &mut keys)?;
        let take = self.keys.take(&keys, eligible, chunk.rows);
        filter.push(&keys, Some(&take));
        Ok(())
    }

    fn blames_later(&self) -> bool {
        true
    }

    fn needs_refining(&self) -> bool {
        true
    }

    fn refine(&self, memory: &Memory) -> Option<Arc<dyn Fold>> {
        let Memory::Suspects(filter) = memory else { return None };
        let KeysFold { key, nulls_equal, .. } = &self.keys;
        Some(Arc::new(KeysFold {
            key: key.clone(),
            nulls_equal: *nulls_equal,
            suspects: Some(filter.clone()),
        }))
    }

    fn second_pass(&self, memory: &Memory) -> Option<Arc<dyn RowRule>> {
        self.keys.second_pass(memory)
    }
}

/// Estimates how many keys there are.
#[derive(Debug)]
pub(crate) struct DistinctFold {
    pub(crate) key: KeyColumns,
}

impl Fold for DistinctFold {
    fn memory(&self) -> Memory {
        Memory::Distinct(DistinctEstimate::default())
    }

    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()> {
        let Memory::Distinct(estimate) = memory else { return Err(other_memory()) };
        let mut keys = KeyChunk::default();
        self.key.encode(chunk, &mut keys)?;
        let mut take = Vec::new();
        match eligible {
            Some(eligible) => take.extend_from_slice(eligible),
            None => bits::fill(&mut take, chunk.rows),
        }
        bits::and_not(&mut take, &keys.any_null);
        estimate.push(&keys, Some(&take));
        Ok(())
    }
}

/// What the keys say, nulls that count as equal among them, with so many samples.
fn duplicates(memory: &KeysMemory, nulls_equal: bool, samples: usize) -> Duplicates {
    let known = memory.found();
    let samples = known.samples.iter().copied().take(samples).collect();
    let mut found = Duplicates { samples, keys: None, ..*known };
    // With several columns a null is part of the key; with one, the nulls are a key of their own.
    if nulls_equal && memory.without_key > 0 {
        found.rows += memory.without_key;
        found.distinct += 1;
        if memory.without_key > 1 {
            found.duplicated += 1;
            found.rows_involved += memory.without_key;
            found.extra_rows += memory.without_key - 1;
        }
    }
    found
}

/// No key twice.
#[derive(Debug)]
pub(crate) struct NoneTwice {
    pub(crate) key: KeyColumns,
    pub(crate) nulls_equal: bool,
    pub(crate) mostly: mlops_core::validation::Mostly,
}

impl Conclude for NoneTwice {
    fn blames_rows(&self) -> bool {
        true
    }

    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let Some(Memory::Keys(memory)) = seen.memories.first() else {
            return Finding::plain(Status::Vacuous)
                .with_detail("the second pass has not been made");
        };
        let found = duplicates(memory, self.nulls_equal, seen.samples);
        let skipped = if self.nulls_equal { 0 } else { memory.without_key };
        let judged = seen.rows - skipped;
        let status = match judged {
            0 => Status::Vacuous,
            _ if self.mostly.accepts(found.rows_involved, judged) => Status::Passed,
            _ => Status::Failed,
        };
        let detail = (found.duplicated > 0).then(|| {
            format!(
                "{} keys are there more than once; {} rows would have to go",
                found.duplicated, found.extra_rows
            )
        });
        let samples = found
            .samples
            .iter()
            .map(|(key, rows)| {
                let values = self.key.describe(*key).into_iter().map(Some).collect();
                Sample { row: None, values, count: Some(*rows) }
            })
            .collect();
        Finding {
            status,
            counts: Counts { judged, failed: found.rows_involved, skipped, filtered: 0 },
            observed: None,
            detail,
            samples,
        }
    }
}

/// Different keys as a share of rows with one.
#[derive(Debug)]
pub(crate) struct ShareDistinct {
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) method: Exactness,
    pub(crate) name: String,
}

impl Conclude for ShareDistinct {
    fn conclude(&self, seen: &Seen<'_>) -> Finding {
        let (distinct, rows) = match seen.memories.as_slice() {
            [Memory::Keys(memory), ..] => {
                let found = duplicates(memory, false, 0);
                (found.distinct, found.rows)
            }
            [Memory::Distinct(estimate), Memory::Metric(counts), ..] => {
                (estimate.count(), counts.values())
            }
            _ => (0, 0),
        };
        if rows == 0 {
            let mut finding = Finding::plain(Status::Vacuous);
            finding.counts.skipped = seen.rows;
            return finding;
        }
        let share = (distinct.min(rows) as f64) / rows as f64;
        seen.note(&self.name, share);
        let low = self.min.is_some_and(|min| share < min);
        let high = self.max.is_some_and(|max| share > max);
        let status = if low || high { Status::Failed } else { Status::Passed };
        let mut finding = Finding::plain(status).with_observed(json!(share));
        finding.counts.judged = rows;
        finding.counts.skipped = seen.rows - rows;
        let about = if self.method == Exactness::Sketch { "about " } else { "" };
        finding.with_detail(format!("{about}{distinct} different keys in {rows} rows"))
    }
}

#[cold]
pub(crate) fn other_memory() -> Error {
    Error::new(ErrorKind::Internal, "validate", "a fold was given another fold's memory")
}
