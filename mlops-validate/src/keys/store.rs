//! Every key of a table, to find every duplicate.
//!
//! Keys are scattered into 256 partitions by their hash as they come, and counted at the end,
//! partition by partition, in a table that stays in the processor's cache: at 10 million rows this is
//! several times faster than one hash map, and needs a third of its memory. A partition is a list
//! of blocks that never move, so the peak is 8 bytes a row (narrow) or 16 (wide) plus at most 1 MiB.
//! Equal keys are all kept: that is what makes merging two stores a matter of moving blocks.
//!
//! Few keys (up to 32,768) stay in one list, so that a small table costs no partitions; chunks of
//! consecutive keys are ranges ([`runs`]), so that the ids of a table cost next to nothing.

mod dedupe;
mod runs;
mod stored;

#[cfg(test)]
mod tests;

use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use self::dedupe::{Found, Table};
use self::runs::Runs;
use super::{Key, KeyChunk, KeyEncoder, Keys, for_each_row};

const PARTITIONS: usize = 256;
/// Bytes of a block.
const BLOCK: usize = 4096;
/// Keys that are kept in one list.
const FLAT: usize = 1 << 15;

/// The keys of the rows that a uniqueness check looks at; of one width.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum KeyStore {
    /// Keys of 64 bits.
    Narrow(Store<u64>),
    /// Keys of 128 bits.
    Wide(Store<u128>),
}

/// How much to find out, and with how many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FinishOptions {
    /// Threads, the caller's among them; the result is the same for any number.
    pub(crate) threads: usize,
    /// Duplicated keys to name.
    pub(crate) samples: usize,
    /// Whether to list all duplicated keys, for a second pass that marks the rows.
    pub(crate) all: bool,
}

impl Default for FinishOptions {
    fn default() -> Self {
        Self { threads: 1, samples: 20, all: false }
    }
}

/// What the keys of a table say about its uniqueness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Duplicates {
    /// Keys looked at.
    pub(crate) rows: u64,
    /// Different keys.
    pub(crate) distinct: u64,
    /// Rows that would have to go for the rest to be unique: `rows − distinct`.
    pub(crate) extra_rows: u64,
    /// Keys that occur more than once.
    pub(crate) duplicated: u64,
    /// Rows with such a key.
    pub(crate) rows_involved: u64,
    /// The keys of most rows with their numbers of rows; the smaller key first among equals.
    pub(crate) samples: Vec<(u128, u64)>,
    /// All duplicated keys in ascending order, if asked for.
    pub(crate) keys: Option<Vec<u128>>,
}

impl KeyStore {
    /// An empty store for the keys of this encoder.
    pub(crate) fn new(encoder: &KeyEncoder) -> Self {
        if encoder.is_narrow() {
            Self::Narrow(Store::default())
        } else {
            Self::Wide(Store::default())
        }
    }

    /// Adds the keys of a chunk, or those of the rows whose bit is set.
    ///
    /// Nulls are not special here: leave them out by the mask, or keep them if they count as equal.
    ///
    /// # Errors
    /// `Internal` if the keys are of the other width.
    #[inline]
    pub(crate) fn push(&mut self, chunk: &KeyChunk, take: Option<&[u64]>) -> Result<()> {
        match (self, &chunk.keys) {
            (Self::Narrow(store), Keys::Narrow(keys)) => store.push(keys, take),
            (Self::Wide(store), Keys::Wide(keys)) => store.push(keys, take),
            _ => return Err(widths()),
        }
        Ok(())
    }

    /// The keys of both; blocks are moved, not copied.
    ///
    /// # Errors
    /// `Invalid` if one is of another width, so of another check.
    pub(crate) fn merge(self, other: Self) -> Result<Self> {
        Ok(match (self, other) {
            (Self::Narrow(a), Self::Narrow(b)) => Self::Narrow(a.merge(b)),
            (Self::Wide(a), Self::Wide(b)) => Self::Wide(a.merge(b)),
            _ => return Err(widths()),
        })
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Narrow(store) => store.len(),
            Self::Wide(store) => store.len(),
        }
    }

    #[cfg(test)]
    /// Bytes that the keys occupy.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Narrow(store) => store.bytes(),
            Self::Wide(store) => store.bytes(),
        }
    }

    /// Counts the keys. The store can take more afterwards.
    pub(crate) fn finish(&self, options: &FinishOptions) -> Duplicates {
        match self {
            Self::Narrow(store) => store.finish(options),
            Self::Wide(store) => store.finish(options),
        }
    }
}

#[cold]
fn widths() -> Error {
    Error::invalid("validate.keys", "the states hold keys of different types")
        .with_hint("merge states of the same check over the same schema")
}

/// Keys of one width.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store<K> {
    /// All keys, while they are few; empty once there are partitions.
    flat: Vec<K>,
    full: Vec<Vec<Vec<K>>>,
    /// The unfinished block of each partition.
    tails: Vec<Vec<K>>,
    /// Keys that are nowhere else.
    runs: Runs,
}

#[inline]
fn partition_of<K: Key>(key: K) -> usize {
    (key.mix() >> 56) as usize
}

impl<K: Key> Store<K> {
    const BLOCK_KEYS: usize = BLOCK / K::BYTES;

    pub(super) fn push(&mut self, keys: &[K], take: Option<&[u64]>) {
        let numbers = || keys.iter().map(|key| key.widen() as u64);
        if K::BYTES == 8 && take.is_none() && self.runs.take(numbers()) {
            return;
        }
        self.push_loose(keys, take);
    }

    fn push_loose(&mut self, keys: &[K], take: Option<&[u64]>) {
        if self.tails.is_empty() {
            if self.flat.len() + keys.len() <= FLAT {
                match take {
                    None => self.flat.extend_from_slice(keys),
                    Some(_) => for_each_row(keys.len(), take, |row| self.flat.push(keys[row])),
                }
                return;
            }
            self.scatter();
        }
        for_each_row(keys.len(), take, |row| self.put(keys[row]));
    }

    #[inline]
    fn put(&mut self, key: K) {
        let partition = partition_of(key);
        let tail = &mut self.tails[partition];
        if tail.len() == tail.capacity() {
            next_block(tail, &mut self.full[partition], Self::BLOCK_KEYS);
        }
        tail.push(key);
    }

    fn scatter(&mut self) {
        self.full = vec![Vec::new(); PARTITIONS];
        self.tails = vec![Vec::new(); PARTITIONS];
        for key in std::mem::take(&mut self.flat) {
            self.put(key);
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        if self.tails.is_empty() {
            std::mem::swap(&mut self, &mut other);
        }
        self.runs.extend(std::mem::take(&mut other.runs));
        self.push_loose(&other.flat, None);
        if other.tails.is_empty() {
            return self;
        }
        for (ours, theirs) in self.full.iter_mut().zip(other.full) {
            ours.extend(theirs);
        }
        for key in other.tails.into_iter().flatten() {
            self.put(key);
        }
        self
    }

    pub(super) fn len(&self) -> u64 {
        self.lists().map(|list| list.len() as u64).sum::<u64>() + self.runs.len()
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.runs.bytes()
            + self.lists().map(|list| list.len() * K::BYTES).sum::<usize>()
            + self.tails.iter().map(|tail| (tail.capacity() - tail.len()) * K::BYTES).sum::<usize>()
    }

    /// All keys, in no order that means anything.
    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.lists().flatten().copied().chain(self.runs.keys().map(K::of_number))
    }

    /// The keys that are not in ranges.
    fn lists(&self) -> impl Iterator<Item = &[K]> {
        let blocks = self.full.iter().flatten().chain(&self.tails);
        std::iter::once(&self.flat).chain(blocks).map(Vec::as_slice).filter(|list| !list.is_empty())
    }

    fn finish(&self, options: &FinishOptions) -> Duplicates {
        if self.runs.is_empty() {
            return self.count(&Self::default(), options).finish();
        }
        let loose = self.lists().flatten().map(|key| key.widen() as u64);
        if self.runs.stand_alone(loose) {
            let mut found = self.count(&Self::default(), options);
            found.unique(self.runs.len());
            return found.finish();
        }
        // Some keys of the ranges are not unique: written out, which doubles the memory at worst.
        let mut written = Self::default();
        let mut block = Vec::with_capacity(FLAT);
        let mut keys = self.runs.keys().map(K::of_number);
        loop {
            block.clear();
            block.extend(keys.by_ref().take(FLAT));
            if block.is_empty() {
                break;
            }
            written.push_loose(&block, None);
        }
        if self.tails.is_empty() {
            written.push_loose(&self.flat, None);
            return written.count(&Self::default(), options).finish();
        }
        if written.tails.is_empty() {
            written.scatter();
        }
        self.count(&written, options).finish()
    }

    /// Counts the keys that are not in ranges, and those of another store of as many partitions.
    fn count(&self, other: &Self, options: &FinishOptions) -> Found<K> {
        if self.tails.is_empty() {
            let mut found = Found::new(options);
            Table::default().count(&[&self.flat], &mut found);
            return found;
        }
        let threads = options.threads.clamp(1, PARTITIONS);
        let work = |thread: usize| {
            let mut found = Found::new(options);
            let mut table = Table::default();
            let mut lists = Vec::new();
            for partition in (thread..PARTITIONS).step_by(threads) {
                lists.clear();
                for store in [self, other] {
                    lists
                        .extend(store.full.get(partition).into_iter().flatten().map(Vec::as_slice));
                    lists.extend(store.tails.get(partition).map(Vec::as_slice));
                }
                table.count(&lists, &mut found);
            }
            found
        };
        std::thread::scope(|scope| {
            let others: Vec<_> =
                (1..threads).map(|thread| scope.spawn(move || work(thread))).collect();
            let mut found = work(0);
            for other in others {
                match other.join() {
                    Ok(other) => found.merge(other),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            found
        })
    }
}

#[cold]
#[inline(never)]
fn next_block<K>(tail: &mut Vec<K>, full: &mut Vec<Vec<K>>, keys: usize) {
    let block = std::mem::replace(tail, Vec::with_capacity(keys));
    if !block.is_empty() {
        full.push(block);
    }
}
