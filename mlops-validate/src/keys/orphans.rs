//! The keys of a child table that its parent does not have, with their numbers of rows.
//!
//! Exact up to [`Orphans::KEYS`] different orphans. Beyond, only those with the smallest hashes are
//! kept: which they are depends on the set of orphans alone, and their numbers of rows stay exact,
//! because a key that is among the smallest at the end was so all the time. The number of
//! different orphans is then estimated from how closely the hashes kept lie (relative standard error 0.2 %),
//! and the most frequent are the most frequent *of those*; the result says that it is approximate.
//! The number of orphan rows is always exact.

use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::map::KeyMap;
use super::{FirstTexts, Key, KeyChunk, for_each_row};

/// Gathers orphans over chunks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Orphans {
    limit: usize,
    rows: u64,
    keys: KeyMap<Seen>,
    /// The largest key kept, once some were left out.
    last: Option<(u64, u128)>,
    texts: FirstTexts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    rows: u64,
    first_row: u64,
}

/// What is known of the orphans of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrphanResult {
    /// Rows that refer to no parent.
    pub(crate) rows: u64,
    /// Different keys of such rows.
    pub(crate) distinct: u64,
    /// Whether `distinct` is an estimate and `samples` may lack a more frequent key.
    pub(crate) approximate: bool,
    /// The keys of most rows; the smaller key first among equals.
    pub(crate) samples: Vec<OrphanKey>,
}

/// One key that the parent does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrphanKey {
    /// The key.
    pub(crate) key: u128,
    /// Rows with it.
    pub(crate) rows: u64,
    /// The first of them.
    pub(crate) first_row: u64,
    /// Its text, if it is among the first 1,024 orphans of the table.
    pub(crate) text: Option<String>,
}

impl Default for Orphans {
    fn default() -> Self {
        Self::with_limit(Self::KEYS)
    }
}

impl Orphans {
    /// Different orphans that are counted exactly. Twice as many may be in memory: about 35 MB.
    pub(crate) const KEYS: usize = 1 << 18;

    fn with_limit(limit: usize) -> Self {
        Self { limit, rows: 0, keys: KeyMap::default(), last: None, texts: FirstTexts::default() }
    }

    /// Adds the rows whose bit is set, those of
    /// [`ReferenceSet::orphan_mask`](super::ReferenceSet::orphan_mask). The chunk's first row has the number
    /// `first_row`; `text` gives the text of a row of the chunk and is called for few.
    pub(crate) fn push(
        &mut self,
        chunk: &KeyChunk,
        orphans: &[u64],
        first_row: u64,
        mut text: impl FnMut(usize) -> String,
    ) {
        for_each_row(chunk.len(), Some(orphans), |row| {
            let key = chunk.key(row);
            let number = first_row + row as u64;
            self.rows += 1;
            if self.add(key, Seen { rows: 1, first_row: number }) {
                self.texts.see(key, number, || text(row));
            }
        });
    }

    /// The orphans of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.limit = self.limit.min(other.limit);
        self.rows += other.rows;
        self.last = match (self.last, other.last) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for (key, seen) in other.keys {
            self.add(key, seen);
        }
        self.texts = self.texts.merge(other.texts);
        self.shorten();
        self
    }

    /// What is known now, with this many of the most frequent orphans.
    pub(crate) fn finish(&self, samples: usize) -> OrphanResult {
        let mut whole = self.clone();
        whole.shorten();
        let distinct = match whole.last {
            None => whole.keys.len() as u64,
            Some((hash, _)) => {
                let share = (hash as f64 + 1.0) / 2_f64.powi(64);
                ((whole.keys.len().max(2) - 1) as f64 / share).round() as u64
            }
        };
        let mut keys: Vec<_> = whole.keys.iter().collect();
        keys.sort_unstable_by(|a, b| b.1.rows.cmp(&a.1.rows).then(a.0.cmp(b.0)));
        keys.truncate(samples);
        OrphanResult {
            rows: self.rows,
            distinct,
            approximate: whole.last.is_some(),
            samples: keys
                .into_iter()
                .map(|(key, seen)| OrphanKey {
                    key: *key,
                    rows: seen.rows,
                    first_row: seen.first_row,
                    text: self.texts.get(*key).map(str::to_owned),
                })
                .collect(),
        }
    }

    /// Whether this may be the first row of the key.
    fn add(&mut self, key: u128, seen: Seen) -> bool {
        if self.last.is_some_and(|last| order(key) > last) {
            return true;
        }
        match self.keys.entry(key) {
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let first = seen.first_row < known.first_row;
                known.rows += seen.rows;
                known.first_row = known.first_row.min(seen.first_row);
                first
            }
            Entry::Vacant(entry) => {
                entry.insert(seen);
                if self.keys.len() >= self.limit.saturating_mul(2) {
                    self.shorten();
                }
                true
            }
        }
    }

    /// Leaves the keys of the smallest hashes, as many as the limit says.
    fn shorten(&mut self) {
        if let Some(last) = self.last {
            self.keys.retain(|key, _| order(*key) <= last);
        }
        if self.keys.len() > self.limit {
            let mut hashes: Vec<_> = self.keys.keys().map(|key| order(*key)).collect();
            let (_, last, _) = hashes.select_nth_unstable(self.limit - 1);
            let last = *last;
            self.keys.retain(|key, _| order(*key) <= last);
            self.last = Some(last);
        }
    }
}

fn order(key: u128) -> (u64, u128) {
    (key.mix(), key)
}

/// A state as it is stored: in order, so that equal states are equal bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    limit: u64,
    rows: u64,
    left_out: bool,
    keys: Vec<(u128, u64, u64)>,
    texts: FirstTexts,
}

impl From<Orphans> for Stored {
    fn from(mut orphans: Orphans) -> Self {
        orphans.shorten();
        let keys = orphans.keys.iter().map(|(key, seen)| (*key, seen.rows, seen.first_row));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        Self {
            limit: orphans.limit as u64,
            rows: orphans.rows,
            left_out: orphans.last.is_some(),
            keys,
            texts: orphans.texts,
        }
    }
}

impl From<Stored> for Orphans {
    fn from(stored: Stored) -> Self {
        let mut orphans = Self::with_limit((stored.limit as usize).clamp(1, Self::KEYS));
        orphans.rows = stored.rows;
        for (key, rows, first_row) in stored.keys {
            orphans.add(key, Seen { rows, first_row });
        }
        if stored.left_out {
            orphans.last = orphans.last.or(orphans.keys.keys().map(|key| order(*key)).max());
        }
        orphans.texts = stored.texts;
        orphans
    }
}

#[cfg(test)]
mod tests;
