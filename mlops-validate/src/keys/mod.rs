//! Keys: what uniqueness, distinct counts, dependencies and references between tables are made of.
//!
//! The rows of a chunk become keys once ([`KeyEncoder`]), and everything else works on keys alone:
//! [`KeyStore`] finds every duplicate, [`DuplicateFilter`] lets two passes do the same in a third
//! of the memory, [`DistinctEstimate`] counts approximately in 16 KiB, [`ReferenceSet`] and
//! [`Orphans`] check a child table against its parent, [`Dependency`] checks that A determines B.
//!
//! A key is a `u64` where that holds the value itself, a `u128` where it holds the value or a
//! fingerprint of it. All states are commutative monoids: batches, threads and the order in which
//! states are merged cannot change a result. So samples are chosen by rules that do not know the
//! order of arrival: most rows first then smallest key, or smallest row number.
//!
//! Crafted input: the hash of the tables is fixed and public, so somebody who writes the data can
//! make one partition or one run of slots long. Every open table therefore counts its probes and
//! falls back to sorting ([`KeyStore`], [`ReferenceSet`]); maps take a seed of their process. The
//! cost stays n·log n and no result depends on it. Fingerprints are not cryptographic: who can choose the
//! texts of a table can make two of them count as equal.

mod dependency;
mod distinct;
mod encode;
mod filter;
mod map;
mod orphans;
mod reference;
mod store;
mod texts;

#[cfg(test)]
mod testing;

pub(crate) use self::dependency::Dependency;
pub(crate) use self::distinct::DistinctEstimate;
pub(crate) use self::encode::{KeyChunk, KeyEncoder, Keys};
pub(crate) use self::filter::DuplicateFilter;
pub(crate) use self::orphans::Orphans;
pub(crate) use self::reference::{NullRule, ReferenceSet};
pub(crate) use self::store::{Duplicates, FinishOptions, KeyStore};
pub(crate) use self::texts::FirstTexts;

/// A key of one of the two widths.
pub(crate) trait Key: Copy + Ord + Default + Send + Sync + 'static {
    /// Bytes of one key.
    const BYTES: usize;

    /// A well mixed hash of the key; the same in every process and version, because stored states
    /// hold what was derived from it.
    fn mix(self) -> u64;

    /// The key in the wide form.
    fn widen(self) -> u128;

    /// The key that is a number, where keys are numbers: those of a wide store are not consecutive.
    fn of_number(number: u64) -> Self;

    /// Appends the key, least significant byte first.
    fn write(self, out: &mut Vec<u8>);

    /// The key of exactly [`Key::BYTES`] bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Stafford's 13th variant of the 64-bit finaliser of MurmurHash3: a bijection, so distinct narrow
/// keys have distinct hashes.
#[inline]
fn mix64(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Key for u64 {
    const BYTES: usize = 8;

    #[inline]
    fn mix(self) -> u64 {
        mix64(self)
    }

    #[inline]
    fn widen(self) -> u128 {
        u128::from(self)
    }

    #[inline]
    fn of_number(number: u64) -> Self {
        number
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

impl Key for u128 {
    const BYTES: usize = 16;

    #[inline]
    fn mix(self) -> u64 {
        // Not the low half alone: a decimal is its own key, and its high half may be all that differs.
        mix64(self as u64 ^ ((self >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[inline]
    fn widen(self) -> u128 {
        self
    }

    #[inline]
    fn of_number(number: u64) -> Self {
        number.into()
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_le_bytes)
    }
}

/// Calls `each` with the rows whose bit is set; with all of `0..rows` when there is no mask.
#[inline]
fn for_each_row(rows: usize, take: Option<&[u64]>, mut each: impl FnMut(usize)) {
    let Some(mask) = take else {
        (0..rows).for_each(each);
        return;
    };
    for (i, &word) in mask.iter().enumerate().take(rows.div_ceil(64)) {
        let mut left = word;
        while left != 0 {
            let row = i * 64 + left.trailing_zeros() as usize;
            if row < rows {
                each(row);
            }
            left &= left - 1;
        }
    }
}
