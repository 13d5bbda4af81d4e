//! The values of a column and how often each occurs, while there are few.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// More distinct values than this are not kept.
pub const MAX_CATEGORIES: usize = 1_000;
/// Nor is a value of more bytes than this: it is no category, and would make profiles large.
pub const MAX_CATEGORY_BYTES: usize = 256;

/// Exact counts by value, or nothing once there were too many.
///
/// *Too many* is said of the set of values seen, not of the way there: a set that fits had no subset
/// that did not. So batches and merges in any order agree about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Categories(Option<BTreeMap<String, u64>>);

impl Default for Categories {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl Categories {
    pub(super) fn counts(&self) -> Option<&BTreeMap<String, u64>> {
        self.0.as_ref()
    }

    /// Counts values; `text` is asked once for each distinct one, and says nothing for a value that
    /// is too long to keep.
    pub(super) fn add<K: Hash + Eq>(
        &mut self,
        values: impl Iterator<Item = K>,
        text: impl Fn(&K) -> Option<String>,
    ) {
        let Some(counts) = &mut self.0 else { return };
        let mut fresh: HashMap<K, u64, BuildHasherDefault<Folding>> = HashMap::default();
        for value in values {
            *fresh.entry(value).or_default() += 1;
            if fresh.len() > MAX_CATEGORIES {
                self.0 = None;
                return;
            }
        }
        for (value, count) in fresh {
            let Some(text) = text(&value).filter(|text| text.len() <= MAX_CATEGORY_BYTES) else {
                self.0 = None;
                return;
            };
            *counts.entry(text).or_default() += count;
        }
        self.collapse();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (Some(counts), Some(more)) => {
                for (value, count) in more {
                    let sum = counts.entry(value.clone()).or_default();
                    *sum = sum.saturating_add(*count);
                }
                self.collapse();
            }
            (counts, _) => *counts = None,
        }
    }

    fn collapse(&mut self) {
        self.0.take_if(|counts| counts.len() > MAX_CATEGORIES);
    }
}

/// A quick hash for a table that never has more than a thousand entries, so that no choice of values
/// can make it slow; where in the table a value stands shows nowhere.
#[derive(Default)]
struct Folding(u64);

impl Folding {
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word) ^ (chunk.len() as u64).rotate_left(56));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(byte.into());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
