//! What an online store keeps of one key: a few packed rows, and the one rule of how a write changes
//! them.
//!
//! Nearly always there is one row, the greatest write. Rows whose event time lies ahead of the clock
//! wait beside it, so that each is answered from its instant on and not before. Every backend keeps the
//! same bytes, so that one reader serves all, and [`merge_entry`] is what each must do, atomically.
//!
//! Bytes: [`ENTRY_VERSION`], the number of rows, then for each row, in ascending order, its length
//! after this word (`u32`, little endian), 24 bytes of [`WriteOrder::to_bytes`], and the payload.

use super::order::{Visibility, WriteOrder};
use crate::{Error, ErrorKind, Result};

/// The first byte of an entry.
pub const ENTRY_VERSION: u8 = 1;
/// Most rows of one key that wait for their time.
pub const MAX_PENDING: usize = 250;
const HEAD: usize = 2;

/// One row of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRow<'a> {
    /// Its place in the order of writes.
    pub order: WriteOrder,
    /// Its values, as the view's codec packs them.
    pub payload: &'a [u8],
}

/// The rows of one key, borrowed from the bytes of a store.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    rows: usize,
    bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads the head; rows are read as they are asked for.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no entry; `Unsupported` for those of a newer version.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        match bytes {
            [ENTRY_VERSION, rows, rest @ ..] if *rows > 0 => {
                Ok(Self { rows: usize::from(*rows), bytes: rest })
            }
            [version, _, ..] if *version > ENTRY_VERSION => Err(Error::new(
                ErrorKind::Unsupported,
                "features.entry",
                "was written by a newer version",
            )
            .with("version", version)),
            _ => Err(corrupt()),
        }
    }

    /// The rows, the smallest first.
    pub fn rows(self) -> impl Iterator<Item = Result<EntryRow<'a>>> {
        let (mut rest, mut left) = (self.bytes, self.rows);
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            left -= 1;
            let (row, after) = match split(rest) {
                Ok(parts) => parts,
                Err(error) => {
                    left = 0;
                    return Some(Err(error));
                }
            };
            rest = after;
            Some(Ok(row))
        })
    }

    /// The row that answers at `t`: the greatest of those that can be seen, its age aside.
    ///
    /// # Errors
    /// `Corrupt`.
    #[inline]
    pub fn at(self, visibility: Visibility, t: i64) -> Result<Option<EntryRow<'a>>> {
        let mut found = None;
        let mut rest = self.bytes;
        for _ in 0..self.rows {
            let (row, after) = split(rest)?;
            if !visibility.visible(row.order.event_time, row.order.created, t, None) {
                break;
            }
            found = Some(row);
            rest = after;
        }
        Ok(found)
    }
}

#[inline]
fn split(bytes: &[u8]) -> Result<(EntryRow<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(corrupt)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (row, after) = rest.split_at_checked(length).ok_or_else(corrupt)?;
    let (order, payload) = row.split_first_chunk::<24>().ok_or_else(corrupt)?;
    Ok((EntryRow { order: WriteOrder::from_bytes(*order), payload }, after))
}

#[cold]
fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "features.entry", "the bytes of a key are no entry")
        .with_hint("an online store is derived: drop the table and materialize it again")
}

/// The entry after a write, or `None` if the write changes nothing.
///
/// Kept are the greatest row whose event time is before `now`, and all after it. So a write is
/// idempotent, and the order of writes does not matter as long as `now` does not go back.
///
/// ```
/// use mlops_core::features::{Entry, Visibility, WriteOrder, merge_entry};
///
/// let order = |event_time| WriteOrder { event_time, created: 0, seq: 0 };
/// let one = merge_entry(None, order(10), b"new", 50)?.unwrap();
/// assert!(merge_entry(Some(&one), order(5), b"old", 50)?.is_none());
/// let two = merge_entry(Some(&one), order(60), b"soon", 50)?.unwrap();
/// let at = |t| Entry::parse(&two).and_then(|e| e.at(Visibility::default(), t));
/// assert_eq!(at(59)?.unwrap().payload, b"new");
/// assert_eq!(at(60)?.unwrap().payload, b"soon");
/// # Ok::<(), mlops_core::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` if the entry cannot be read; `Invalid` if more than [`MAX_PENDING`] rows would wait.
pub fn merge_entry(
    entry: Option<&[u8]>,
    order: WriteOrder,
    payload: &[u8],
    now: i64,
) -> Result<Option<Vec<u8>>> {
    let mut rows = Vec::with_capacity(2);
    if let Some(bytes) = entry {
        for row in Entry::parse(bytes)?.rows() {
            rows.push(row?);
        }
    }
    let place = rows.partition_point(|row| row.order < order);
    if rows.get(place).is_some_and(|row| row.order == order) {
        return Ok(None);
    }
    rows.insert(place, EntryRow { order, payload });
    // The last whose time has come, also where a row of the very instant cannot be seen yet; what is
    // before it will never be asked for again.
    let current = rows.iter().rposition(|row| row.order.event_time < now).unwrap_or(0);
    if place < current {
        return Ok(None);
    }
    rows.drain(..current);
    if rows.len() > MAX_PENDING + 1 {
        return Err(Error::invalid(
            "features.entry",
            "too many rows of one key are ahead of the clock",
        )
        .with("rows", rows.len())
        .with("at_most", MAX_PENDING)
        .with_hint(
            "write them when their time has come; a view's `ahead` says how early it may be",
        ));
    }
    Ok(Some(write(&rows)))
}

fn write(rows: &[EntryRow<'_>]) -> Vec<u8> {
    let size: usize = rows.iter().map(|row| 28 + row.payload.len()).sum();
    let mut bytes = Vec::with_capacity(HEAD + size);
    bytes.extend([ENTRY_VERSION, rows.len() as u8]);
    for row in rows {
        bytes.extend((24 + row.payload.len() as u32).to_le_bytes());
        bytes.extend(row.order.to_bytes());
        bytes.extend(row.payload);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(event_time: i64, seq: u64) -> WriteOrder {
        WriteOrder { event_time, created: 0, seq }
    }

    fn seen(entry: &[u8], t: i64) -> Option<Vec<u8>> {
        let row = Entry::parse(entry).unwrap().at(Visibility::default(), t).unwrap();
        row.map(|row| row.payload.to_vec())
    }

    #[test]
    fn bytes_that_are_no_entry_are_corrupt() {
        let good = merge_entry(None, order(1, 1), b"abc", 10).unwrap().unwrap();
        for cut in 0..good.len() {
            let read = Entry::parse(&good[..cut]).and_then(|e| e.at(Visibility::default(), 10));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt, "{cut}");
        }
        assert_eq!(Entry::parse(&[2, 1]).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn too_many_rows_ahead_of_the_clock_are_refused() {
        let mut entry = merge_entry(None, order(0, 0), b"", 0).unwrap();
        for ahead in 1..=MAX_PENDING as i64 {
            entry = merge_entry(entry.as_deref(), order(ahead, 0), b"", 0).unwrap();
        }
        let full = merge_entry(entry.as_deref(), order(1_000, 0), b"", 0);
        assert_eq!(full.unwrap_err().kind(), ErrorKind::Invalid);
        assert!(merge_entry(entry.as_deref(), order(1_000, 0), b"", 1_000).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_all_rows_whatever_order_they_come_in(
            times in proptest::collection::vec((-3_i64..20, 0_i64..3), 1..12),
            now in 0_i64..10,
            turn in 0_usize..12,
        ) {
            let mut rows: Vec<_> = times.iter().enumerate()
                .map(|(seq, (event_time, created))| {
                    WriteOrder { event_time: *event_time, created: *created, seq: seq as u64 }
                })
                .collect();
            let all = rows.clone();
            let half = turn % rows.len();
            rows.rotate_left(half);
            let again = rows[0];
            rows.push(again);
            let mut entry: Option<Vec<u8>> = None;
            for row in rows {
                if let Some(next) = merge_entry(entry.as_deref(), row, &row.to_bytes(), now).unwrap() {
                    entry = Some(next);
                }
            }
            let entry = entry.unwrap();
            for t in now..25 {
                let expected = all.iter().filter(|row| row.event_time <= t).max();
                prop_assert_eq!(seen(&entry, t), expected.map(|row| row.to_bytes().to_vec()));
            }
        }
    }
}
