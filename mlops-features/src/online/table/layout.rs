//! Where things are in a table's file, and what a record is.
//!
//! ```text
//! 0            words of the head, see below            4096 bytes
//! 4096         the index: a word a slot                8 · slots
//! 4096+8·slots records, one after the other            up to the file's length
//! ```
//!
//! A slot is 0, or 16 bits of the key's hash above 48 bits of a record's place. A record is the XXH3 of what
//! follows it, the lengths of key and entry, and these two. Words are as this machine stores them.

use mlops_core::features::{OnlineRow, Watermark};
use xxhash_rust::xxh3::xxh3_64;

/// First word of a file; its last byte is the version of the format.
pub(super) const MAGIC: u64 = u64::from_be_bytes(*b"MLOPSON\x01");

// Words of the head. What each process reads at each visit, what the writer stores with each row, and
// the rest are on cache lines of their own.
pub(super) const FORMAT: usize = 0;
pub(super) const SLOTS: usize = 1;
pub(super) const LENGTH: usize = 2;
/// Whether another file has taken, or is taking, this one's place.
pub(super) const RETIRED: usize = 3;
pub(super) const TAIL: usize = 8;
/// How far the disk's room is reserved.
pub(super) const RESERVED: usize = 9;
/// Keys; never less than there are.
pub(super) const ENTRIES: usize = 10;
/// Bytes of the records that slots name; never less than there are.
pub(super) const LIVE: usize = 11;
/// Whether a writer has begun and not ended.
pub(super) const WRITING: usize = 12;
/// The machine's boot in which the file was written or verified: two words.
pub(super) const BOOT: usize = 16;
/// Which of two watermarks holds.
pub(super) const MARK: usize = 24;
/// The two watermarks: `next_seq`, `at`, and the check of both; a fourth word is free.
pub(super) const MARKS: usize = 25;

/// Bytes of the head.
pub(super) const HEAD: usize = 4096;
/// Words of the head.
pub(super) const HEAD_WORDS: usize = HEAD / 8;

/// Longest key.
pub(super) const MAX_KEY: usize = 64 << 10;
/// Largest entry.
pub(super) const MAX_ENTRY: usize = 16 << 20;
/// Bytes of a record before its key.
pub(super) const RECORD: usize = 16;

const PLACE: u64 = (1 << 48) - 1;
const LEAST_SLOTS: u64 = 1 << 10;
const LEAST_HEAP: u64 = 1 << 18;
const PAGE: u64 = 4096;

/// The hash of a key.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// What a slot holds for a record.
#[inline]
pub(super) fn slot(hash: u64, place: usize) -> u64 {
    hash & !PLACE | place as u64 & PLACE
}

/// Whether a slot may be of a key of this hash.
#[inline]
pub(super) fn may_be(slot: u64, hash: u64) -> bool {
    (slot ^ hash) & !PLACE == 0
}

/// Where a slot's record is.
#[inline]
pub(super) fn place(slot: u64) -> usize {
    (slot & PLACE) as usize
}

/// Bytes of a record, with what fills it up to a multiple of eight.
pub(super) fn record_size(key: usize, entry: usize) -> usize {
    (RECORD + key + entry).next_multiple_of(8)
}

/// The lengths of key and entry, as a record has them.
pub(super) fn lengths(key: &[u8], entry: &[u8]) -> [u8; 8] {
    (key.len() as u64 | (entry.len() as u64) << 32).to_le_bytes()
}

/// The lengths of key and entry, from the first bytes of a record.
#[inline]
pub(super) fn parse_lengths(head: &[u8]) -> Option<(usize, usize)> {
    let (_, lengths) = head.split_first_chunk::<8>()?;
    let lengths = u64::from_le_bytes(*lengths.first_chunk()?);
    Some(((lengths & 0xffff_ffff) as usize, (lengths >> 32) as usize))
}

/// Whether a record is what was written: its check is that of the rest.
#[inline]
pub(super) fn is_whole(record: &[u8]) -> bool {
    record
        .split_first_chunk::<8>()
        .is_some_and(|(check, rest)| u64::from_le_bytes(*check) == xxh3_64(rest))
}

/// The check of a watermark.
pub(super) fn mark_check(mark: Watermark) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mark.next_seq.to_le_bytes());
    bytes[8..].copy_from_slice(&mark.at.to_le_bytes());
    xxh3_64(&bytes)
}

/// How much is in a table, or comes into it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    /// Keys.
    pub(super) entries: u64,
    /// Bytes of their records.
    pub(super) bytes: u64,
}

impl Amount {
    /// The most that rows bring, if each is of a key of its own and alone in its entry.
    pub(super) fn of(rows: &[OnlineRow<'_>]) -> Self {
        let size = |row: &OnlineRow<'_>| record_size(row.key.len(), row.payload.len() + 30) as u64;
        Self { entries: rows.len() as u64, bytes: rows.iter().map(size).sum() }
    }
}

/// How large a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Slots of the index, a power of two.
    pub(super) slots: usize,
    /// Bytes of the file, which takes of the disk only what is written.
    pub(super) length: usize,
}

impl Size {
    /// Room for three times of what is there and for what comes: so each byte is copied once for every
    /// two that are written, and a table that grows is copied half a time in all.
    pub(super) fn of(there: Amount, coming: Amount) -> Option<Self> {
        let slots = (there.entries.checked_mul(3)?)
            .checked_add(coming.entries.checked_mul(2)?)?
            .max(LEAST_SLOTS)
            .checked_next_power_of_two()?;
        let heap = (there.bytes.checked_mul(3)?)
            .checked_add(coming.bytes.checked_mul(2)?)?
            .max(LEAST_HEAP);
        let length = (HEAD as u64)
            .checked_add(slots.checked_mul(8)?)?
            .checked_add(heap)?
            .checked_next_multiple_of(PAGE)?;
        (length <= PLACE)
            .then_some(Self { slots: slots as usize, length: usize::try_from(length).ok()? })
    }

    /// Where the records begin.
    pub(super) fn heap(self) -> usize {
        HEAD + self.slots * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_room_for_three_times_what_is_there() {
        let there = Amount { entries: 100_000, bytes: 14_000_000 };
        let size = Size::of(there, Amount::default()).unwrap();
        assert!(size.slots >= 300_000 && size.slots.is_power_of_two());
        assert!(size.length - size.heap() >= 42_000_000);
        let most = Amount { entries: u64::MAX, bytes: u64::MAX };
        assert_eq!(Size::of(most, most), None);
    }

    #[test]
    fn a_slot_tells_a_place_and_some_of_the_hash() {
        let word = slot(0xabcd_0000_0000_1234, 0x77_0000);
        assert_eq!(place(word), 0x77_0000);
        assert!(may_be(word, 0xabcd_ffff_0000_0000) && !may_be(word, 0xabcc_0000_0000_1234));
    }
}
