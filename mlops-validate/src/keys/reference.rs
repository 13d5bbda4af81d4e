//! Which keys a parent table has, for looking up those of a child table.
//!
//! The parent's keys are gathered in a [`KeyStore`](super::KeyStore), in parts if need be; the set is
//! built from it once. Narrow keys that lie close together become a bitmap (one bit for each value of
//! the range, at most 8 bytes a parent row); others an open table of 16 bytes a narrow or 24 a wide
//! key. A table in which a lookup could be slow, which only crafted keys produce, is replaced by a
//! sorted list. Repeated keys do no harm, and null keys never get here.

use super::store::{FinishOptions, KeyStore, Store};
use super::{Key, KeyChunk, Keys};

/// Widest bitmap for each parent row: as many bits as the key itself has.
const BITS_PER_ROW: u64 = 64;
/// A range that is always a bitmap: 8 KiB.
const SMALL_RANGE: u64 = 1 << 16;
/// Longest way to a key in a table; with well mixed keys it is below 300 for 10⁹ keys.
const LONGEST_PROBE: usize = 512;

/// What a null in a composite key of the child means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NullRule {
    /// SQL's `MATCH SIMPLE`: a row with any null is not checked.
    #[default]
    Simple,
    /// SQL's `MATCH FULL`: a row of nulls only is not checked, one with some nulls is an orphan.
    Full,
}

/// The keys of a parent table.
#[derive(Debug, Clone)]
pub(crate) struct ReferenceSet {
    set: Set,
}

#[derive(Debug, Clone)]
enum Set {
    Bitmap(Bitmap),
    Narrow(Table<u64>),
    Wide(Table<u128>),
    SortedNarrow(Vec<u64>),
    SortedWide(Vec<u128>),
}

impl ReferenceSet {
    /// The set of the keys in the store.
    pub(crate) fn build(keys: &KeyStore) -> Self {
        let set = match keys {
            KeyStore::Narrow(store) => {
                if let Some(bitmap) = Bitmap::build(store) {
                    Set::Bitmap(bitmap)
                } else if let Some(table) = Table::build(store, distinct(keys) * 2) {
                    Set::Narrow(table)
                } else {
                    Set::SortedNarrow(sorted(store))
                }
            }
            KeyStore::Wide(store) => match Table::build(store, distinct(keys) * 3 / 2) {
                Some(table) => Set::Wide(table),
                None => Set::SortedWide(sorted(store)),
            },
        };
        Self { set }
    }

    /// The set of these keys, such as [`Duplicates::keys`](super::Duplicates::keys), for chunks of the
    /// encoder that `like` was made for.
    pub(crate) fn of_keys(keys: &[u128], like: &KeyStore) -> Self {
        Self::build(&match like {
            KeyStore::Narrow(_) => {
                let mut store = Store::default();
                for key in keys {
                    store.push(&[*key as u64], None);
                }
                KeyStore::Narrow(store)
            }
            KeyStore::Wide(_) => {
                let mut store = Store::default();
                store.push(keys, None);
                KeyStore::Wide(store)
            }
        })
    }

    #[cfg(test)]
    /// Bytes of the set.
    pub(crate) fn bytes(&self) -> usize {
        match &self.set {
            Set::Bitmap(bitmap) => bitmap.words.len() * 8,
            Set::Narrow(table) => table.slots.len() * 8,
            Set::Wide(table) => table.slots.len() * 16,
            Set::SortedNarrow(keys) => keys.len() * 8,
            Set::SortedWide(keys) => keys.len() * 16,
        }
    }

    /// Writes a mask of the rows whose key is not in the set. Rows with nulls have no meaning in it.
    pub(crate) fn missing_mask(&self, keys: &Keys, out: &mut Vec<u64>) {
        out.clear();
        match (&self.set, keys) {
            (Set::Bitmap(set), Keys::Narrow(keys)) => mask(keys, out, |key| set.has(key)),
            (Set::Narrow(set), Keys::Narrow(keys)) => mask(keys, out, |key| set.has(key)),
            (Set::Wide(set), Keys::Wide(keys)) => mask(keys, out, |key| set.has(key)),
            (Set::SortedNarrow(set), Keys::Narrow(keys)) => {
                mask(keys, out, |key| set.binary_search(&key).is_ok());
            }
            (Set::SortedWide(set), Keys::Wide(keys)) => {
                mask(keys, out, |key| set.binary_search(&key).is_ok());
            }
            // Keys of another width than the parent's: none of them is there.
            (_, Keys::Narrow(keys)) => mask(keys, out, |_| false),
            (_, Keys::Wide(keys)) => mask(keys, out, |_| false),
        }
    }

    /// Writes a mask of the rows (of `take`) that refer to no parent, by the rule for nulls.
    pub(crate) fn orphan_mask(
        &self,
        chunk: &KeyChunk,
        take: Option<&[u64]>,
        rule: NullRule,
        out: &mut Vec<u64>,
    ) {
        self.missing_mask(&chunk.keys, out);
        for (i, word) in out.iter_mut().enumerate() {
            let (any, all) = (chunk.any_null[i], chunk.all_null[i]);
            *word = match rule {
                NullRule::Simple => *word & !any,
                NullRule::Full => (*word | any) & !all,
            };
            if let Some(take) = take {
                *word &= take.get(i).copied().unwrap_or(0);
            }
        }
    }
}

fn distinct(keys: &KeyStore) -> usize {
    keys.finish(&FinishOptions { samples: 0, ..FinishOptions::default() }).distinct as usize
}

fn sorted<K: Key>(store: &Store<K>) -> Vec<K> {
    let mut keys = Vec::with_capacity(store.len() as usize);
    keys.extend(store.keys());
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// One bit for each row whose key is not `there`.
#[inline]
fn mask<K: Key>(keys: &[K], out: &mut Vec<u64>, there: impl Fn(K) -> bool) {
    out.extend(keys.chunks(64).map(|rows| {
        let mut word = 0;
        for (i, key) in rows.iter().enumerate() {
            word |= u64::from(!there(*key)) << i;
        }
        word
    }));
}

/// A bit for each value from `base` on.
#[derive(Debug, Clone)]
struct Bitmap {
    base: u64,
    /// The last word is empty, so every key has a word to look at.
    words: Vec<u64>,
}

impl Bitmap {
    /// None if the values are too far apart.
    fn build(store: &Store<u64>) -> Option<Self> {
        let widest = (store.len() * BITS_PER_ROW).max(SMALL_RANGE);
        let range = |flip: u64| {
            let ends = store
                .keys()
                .map(|key| key ^ flip)
                .fold((u64::MAX, 0), |(low, high), key| (key.min(low), key.max(high)));
            let (low, high) = if ends.0 > ends.1 { (flip, flip) } else { ends };
            (low ^ flip, high - low)
        };
        // As signed integers and as unsigned: negative ones lie far from the others in one of the orders.
        let (base, width) =
            [range(1 << 63), range(0)].into_iter().min_by_key(|(_, width)| *width)?;
        if width >= widest {
            return None;
        }
        let mut words = vec![0; (width / 64) as usize + 2];
        for key in store.keys() {
            let at = key.wrapping_sub(base);
            words[(at / 64) as usize] |= 1 << (at % 64);
        }
        Some(Self { base, words })
    }

    #[inline]
    fn has(&self, key: u64) -> bool {
        let at = key.wrapping_sub(self.base);
        let word = ((at / 64) as usize).min(self.words.len() - 1);
        self.words[word] >> (at % 64) & 1 == 1
    }
}

/// Open addressing with linear probing; the zero key marks an empty slot and is kept apart.
#[derive(Debug, Clone)]
struct Table<K> {
    /// Homes, and behind them as many slots as the longest way, so that no way turns round.
    slots: Vec<K>,
    homes: usize,
    zero: bool,
}

impl<K: Key> Table<K> {
    /// None if some key would be far from its place.
    fn build(store: &Store<K>, homes: usize) -> Option<Self> {
        let slots = vec![K::default(); homes + LONGEST_PROBE + 2];
        let mut table = Self { slots, homes, zero: false };
        for key in store.keys() {
            if key == K::default() {
                table.zero = true;
                continue;
            }
            let home = table.home(key);
            let way = &mut table.slots[home..=home + LONGEST_PROBE];
            let slot = way.iter_mut().find(|slot| **slot == key || **slot == K::default())?;
            *slot = key;
        }
        Some(table)
    }

    #[inline]
    fn home(&self, key: K) -> usize {
        ((u128::from(key.mix()) * self.homes as u128) >> 64) as usize
    }

    #[inline]
    fn has(&self, key: K) -> bool {
        if key == K::default() {
            return self.zero;
        }
        // The last slot is never filled, so the way ends.
        for slot in &self.slots[self.home(key)..] {
            if *slot == key {
                return true;
            }
            if *slot == K::default() {
                return false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
