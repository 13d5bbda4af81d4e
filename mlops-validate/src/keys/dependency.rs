//! Functional dependency: whether columns A determine columns B, as a ZIP code does its state.
//!
//! One entry for each different A: its B, or that it has several, and its number of rows. Exact; the
//! memory follows the number of different A, about 110 bytes each at worst, and not the rows.
//!
//! Nulls: a row with a null in A is skipped. A null in B is a value like any other, so an A with a
//! state and with none is in conflict; leave the rows with [`KeyChunk::any_null`] of B out by the
//! mask where nulls shall not count.

use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::map::KeyMap;
use super::{FirstTexts, KeyChunk, for_each_row};

/// Checks that A → B over chunks.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Dependency {
    rows: u64,
    keys: KeyMap<Determined>,
    texts: FirstTexts,
}

/// No `Option` in it: these entries are all the memory there is.
#[derive(Debug, Clone, Copy)]
struct Determined {
    /// The one B; means nothing once there are several.
    value: u128,
    /// Rows; the highest bit says that there are several B.
    rows: u64,
    first_row: u64,
}

const CONFLICT: u64 = 1 << 63;

impl Determined {
    fn is_conflict(&self) -> bool {
        self.rows & CONFLICT != 0
    }

    fn rows(&self) -> u64 {
        self.rows & !CONFLICT
    }
}

/// What is known of a dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DependencyResult {
    /// Rows looked at.
    pub(crate) rows: u64,
    /// Different A.
    pub(crate) determinants: u64,
    /// Those with more than one B.
    pub(crate) conflicts: u64,
    /// Rows with such an A.
    pub(crate) rows_involved: u64,
    /// The A in conflict of most rows, with their numbers of rows and, if they are among the first 1,024
    /// A of the table, their texts; the smaller key first among equals.
    pub(crate) samples: Vec<(u128, u64, Option<String>)>,
}

impl Dependency {
    /// Adds the rows of a chunk, or those whose bit is set, that have no null in `a`.
    ///
    /// `a` and `b` are the keys of the same rows. The chunk's first row has the number `first_row`;
    /// `text` gives the text of A in a row of the chunk and is called for few.
    pub(crate) fn push(
        &mut self,
        a: &KeyChunk,
        b: &KeyChunk,
        take: Option<&[u64]>,
        first_row: u64,
        mut text: impl FnMut(usize) -> String,
    ) {
        for_each_row(a.len().min(b.len()), take, |row| {
            if a.any_null[row / 64] >> (row % 64) & 1 == 1 {
                return;
            }
            let key = a.key(row);
            self.rows += 1;
            let number = first_row + row as u64;
            if self.add(key, Determined { value: b.key(row), rows: 1, first_row: number }) {
                self.texts.see(key, number, || text(row));
            }
        });
    }

    /// Whether this is the first row of the key so far.
    #[inline]
    fn add(&mut self, key: u128, found: Determined) -> bool {
        match self.keys.entry(key) {
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let conflict =
                    known.is_conflict() || found.is_conflict() || known.value != found.value;
                known.rows = (known.rows() + found.rows()) | if conflict { CONFLICT } else { 0 };
                let first = found.first_row < known.first_row;
                known.first_row = known.first_row.min(found.first_row);
                first
            }
            Entry::Vacant(entry) => {
                entry.insert(found);
                true
            }
        }
    }

    /// The rows of both.
    pub(crate) fn merge(mut self, mut other: Self) -> Self {
        if self.keys.len() < other.keys.len() {
            std::mem::swap(&mut self, &mut other);
        }
        self.rows += other.rows;
        for (key, found) in other.keys {
            self.add(key, found);
        }
        self.texts = self.texts.merge(other.texts);
        self
    }

    /// What is known now, with this many of the determinants in conflict.
    pub(crate) fn finish(&self, samples: usize) -> DependencyResult {
        let mut conflicts = self.conflicting();
        let mut result = DependencyResult {
            rows: self.rows,
            determinants: self.keys.len() as u64,
            conflicts: conflicts.len() as u64,
            rows_involved: conflicts.iter().map(|(_, rows)| rows).sum(),
            samples: Vec::new(),
        };
        conflicts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        conflicts.truncate(samples);
        result.samples = conflicts
            .into_iter()
            .map(|(key, rows)| (key, rows, self.texts.get(key).map(str::to_owned)))
            .collect();
        result
    }

    /// All determinants in conflict, in ascending order, for a second pass that marks their rows.
    pub(crate) fn conflict_keys(&self) -> Vec<u128> {
        let mut keys: Vec<_> = self.conflicting().into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys
    }

    fn conflicting(&self) -> Vec<(u128, u64)> {
        let keys = self.keys.iter().filter(|(_, found)| found.is_conflict());
        keys.map(|(key, found)| (*key, found.rows())).collect()
    }
}

/// A state as it is stored: in order, so that equal states are equal bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    rows: u64,
    /// A, its one B, its rows and the first of them.
    keys: Vec<(u128, Option<u128>, u64, u64)>,
    texts: FirstTexts,
}

impl From<Dependency> for Stored {
    fn from(state: Dependency) -> Self {
        let keys = state.keys.iter().map(|(key, found)| {
            let value = (!found.is_conflict()).then_some(found.value);
            (*key, value, found.rows(), found.first_row)
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        Self { rows: state.rows, keys, texts: state.texts }
    }
}

impl From<Stored> for Dependency {
    fn from(stored: Stored) -> Self {
        let mut state = Self { rows: stored.rows, texts: stored.texts, ..Self::default() };
        for (key, value, rows, first_row) in stored.keys {
            let rows = rows & !CONFLICT | if value.is_none() { CONFLICT } else { 0 };
            state.add(key, Determined { value: value.unwrap_or_default(), rows, first_row });
        }
        state
    }
}

#[cfg(test)]
mod tests;
