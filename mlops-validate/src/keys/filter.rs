//! Exact uniqueness in two passes and less than a third of the memory.
//!
//! The first pass only remembers, in a table of two-bit counters, which keys *may* have come more
//! than once; the second pass feeds a [`KeyStore`](super::KeyStore) with the rows of those keys and
//! counts them exactly. A key sets four counters of one 64-bit word; it is a candidate if all four
//! were set by at least two rows. Every key that comes twice is one, so the answer is exact whatever
//! the table's size; the size decides how many unique keys are looked at for nothing.
//!
//! With the default of 8 counters a row (2 bytes; the store needs 8 or 16) that is one unique key
//! in 30, so 2.3 bytes a row in all for narrow keys and 2.6 for wide ones.
//!
//! Counters that saturate at two are a commutative monoid, bit by bit: which rows came first, and
//! how filters are merged, cannot change a single bit. That is why a key that was seen in both of two
//! filters needs no special care.

use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Key, KeyChunk, Keys, for_each_row};

/// Largest table: 2³⁰ words of 64 counters, 16 GiB.
const MAX_WORDS: u64 = 1 << 30;

/// Tells which keys may occur more than once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DuplicateFilter {
    /// For 64 counters: bits of those that are at least one, bits of those that are at least two.
    words: Vec<(u64, u64)>,
}

impl DuplicateFilter {
    /// Counters a row: 2 bytes.
    pub(crate) const DEFAULT_COUNTERS: u32 = 8;

    /// A filter for about this many rows. More rows make it let more through, never less exact.
    pub(crate) fn new(expected_rows: u64, counters_per_row: u32) -> Self {
        let words = expected_rows.saturating_mul(counters_per_row.into()).div_ceil(64);
        Self { words: vec![(0, 0); words.clamp(16, MAX_WORDS) as usize] }
    }

    /// Bytes of the table.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 16
    }

    /// First pass: adds the keys of a chunk, or those of the rows whose bit is set.
    pub(crate) fn push(&mut self, chunk: &KeyChunk, take: Option<&[u64]>) {
        match &chunk.keys {
            Keys::Narrow(keys) => self.push_keys(keys, take),
            Keys::Wide(keys) => self.push_keys(keys, take),
        }
    }

    fn push_keys<K: Key>(&mut self, keys: &[K], take: Option<&[u64]>) {
        if self.words.is_empty() {
            return;
        }
        for_each_row(keys.len(), take, |row| {
            let (at, bits) = self.place(keys[row]);
            let (once, twice) = &mut self.words[at];
            *twice |= *once & bits;
            *once |= bits;
        });
    }

    /// The filter of the rows of both.
    ///
    /// # Errors
    /// `Invalid` if they were made for different numbers of rows.
    pub(crate) fn merge(mut self, other: &Self) -> Result<Self> {
        if self.words.len() != other.words.len() {
            return Err(Error::invalid(
                "validate.filter",
                "filters of different sizes cannot merge",
            )
            .with("bytes", self.bytes())
            .with("other", other.bytes())
            .with_hint("give every part the expected number of rows of the whole table"));
        }
        for ((once, twice), (other_once, other_twice)) in self.words.iter_mut().zip(&other.words) {
            *twice |= other_twice | (*once & other_once);
            *once |= other_once;
        }
        Ok(self)
    }

    /// Second pass: writes a mask of the rows (of `take`) whose key may occur more than once.
    pub(crate) fn candidates(&self, chunk: &KeyChunk, take: Option<&[u64]>, out: &mut Vec<u64>) {
        out.clear();
        out.resize(chunk.len().div_ceil(64), 0);
        match &chunk.keys {
            Keys::Narrow(keys) => self.candidate_keys(keys, take, out),
            Keys::Wide(keys) => self.candidate_keys(keys, take, out),
        }
    }

    fn candidate_keys<K: Key>(&self, keys: &[K], take: Option<&[u64]>, out: &mut [u64]) {
        if self.words.is_empty() {
            return;
        }
        for_each_row(keys.len(), take, |row| {
            let (at, bits) = self.place(keys[row]);
            let candidate = self.words[at].1 & bits == bits;
            out[row / 64] |= u64::from(candidate) << (row % 64);
        });
    }

    /// The word of a key and its bits there.
    #[inline]
    fn place<K: Key>(&self, key: K) -> (usize, u64) {
        let hash = key.mix();
        let at = (u128::from(hash) * self.words.len() as u128) >> 64;
        // The product used the high bits; the low 24 choose among 64 four times.
        let bits = 1 << (hash & 63)
            | 1 << (hash >> 6 & 63)
            | 1 << (hash >> 12 & 63)
            | 1 << (hash >> 18 & 63);
        (at as usize, bits)
    }
}

#[cfg(test)]
mod tests;
