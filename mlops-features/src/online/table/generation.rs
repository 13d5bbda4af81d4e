//! One file of a table: a hash index over records that are only added.
//!
//! A write adds a record and then stores its place into a slot, one word. A reader of any process that
//! sees the word sees the record, and one that does not sees the record of before. So no reader waits,
//! none sees half an entry, and a writer that is killed leaves the table as it was before its last row.
//! What is replaced stays until the table is rewritten into the next file, its next *generation*.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use mlops_core::features::{TableId, Watermark};
use mlops_core::{Error, ErrorKind, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::OP;
use super::files::TableFile;
use super::layout::{
    self, Amount, BOOT, ENTRIES, FORMAT, HEAD_WORDS, LENGTH, LIVE, MAGIC, MARK, MARKS, MAX_ENTRY,
    MAX_KEY, RECORD, RESERVED, RETIRED, SLOTS, Size, TAIL, WRITING,
};
use super::map::{Map, Tail, load};

/// Room that is reserved at a time, at least.
const CHUNK: usize = 256 << 10;

/// An open file of a table.
#[derive(Debug)]
pub(super) struct Generation {
    table: TableId,
    file: TableFile,
    map: Map,
    size: Size,
}

/// Where a key is, or would be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    slot: usize,
    /// What is kept of it, if it is there.
    pub(super) record: Option<Record<'a>>,
}

/// What is kept of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// All of it.
    bytes: &'a [u8],
    key: &'a [u8],
    /// The entry.
    pub(super) entry: &'a [u8],
}

/// The machine's boot, where that can be known.
pub(super) type Boot = Option<[u64; 2]>;

impl Generation {
    /// Makes an empty file, for the one who holds the lock.
    pub(super) fn create(
        table: &TableId,
        path: &Path,
        size: Size,
        boot: Boot,
        mark: Watermark,
    ) -> Result<Self> {
        let reserved = (size.heap() + CHUNK).min(size.length);
        let file = TableFile::create(path, size.length, reserved)?;
        let map = file.map(size)?;
        let made = Self { table: table.clone(), file, map, size };
        made.store(SLOTS, size.slots as u64);
        made.store(LENGTH, size.length as u64);
        made.store(TAIL, size.heap() as u64);
        made.store(RESERVED, reserved as u64);
        made.set_boot(boot);
        made.set_mark(mark);
        made.store(FORMAT, MAGIC);
        Ok(made)
    }

    /// Opens the file of a table; `None` if there is none.
    pub(super) fn open(table: &TableId, path: &Path) -> Result<Option<Self>> {
        let Some(file) = TableFile::open(path)? else { return Ok(None) };
        let size = file.size()?;
        let map = file.map(size)?;
        Ok(Some(Self { table: table.clone(), file, map, size }))
    }

    /// The key's place. `tail` is of this generation.
    #[inline]
    pub(super) fn find<'a>(
        &'a self,
        tail: &mut Tail<'a>,
        hash: u64,
        key: &[u8],
    ) -> Result<Place<'a>> {
        let slots = self.slots();
        let mask = slots.len() - 1;
        let mut slot = hash as usize & mask;
        for _ in 0..slots.len() {
            let word = load(&slots[slot]);
            if word == 0 {
                return Ok(Place { slot, record: None });
            }
            if layout::may_be(word, hash) {
                let record = self.record(tail, word)?;
                if record.key == key {
                    return Ok(Place { slot, record: Some(record) });
                }
            }
            slot = (slot + 1) & mask;
        }
        Err(self.corrupt("its index"))
    }

    /// The word of the slot where the search for a hash begins, to have it at hand.
    #[inline]
    pub(super) fn first_slot(&self, hash: u64) -> u64 {
        let slots = self.slots();
        load(&slots[hash as usize & (slots.len() - 1)])
    }

    #[inline]
    pub(super) fn tail(&self) -> Tail<'_> {
        self.map.tail()
    }

    /// Adds an entry and makes it that of the key at this place; `false` if there is no room.
    ///
    /// `place` is what [`Generation::find`] said just now, to the one who holds the lock.
    pub(super) fn put(
        &self,
        place: Place<'_>,
        hash: u64,
        key: &[u8],
        entry: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<bool> {
        let size = layout::record_size(key.len(), entry.len());
        if place.record.is_none() && !self.takes_another() || !self.reserve_for(size)? {
            return Ok(false);
        }
        scratch.clear();
        scratch.extend_from_slice(&[0; 8]);
        scratch.extend_from_slice(&layout::lengths(key, entry));
        scratch.extend_from_slice(key);
        scratch.extend_from_slice(entry);
        let check = xxh3_64(&scratch[8..]);
        scratch[..8].copy_from_slice(&check.to_le_bytes());
        let Some(at) = self.map.append(scratch) else { return Ok(false) };
        // Counted before it is there and after it is gone: never too few, whenever this process ends.
        self.add(LIVE, size as u64);
        if place.record.is_none() {
            self.add(ENTRIES, 1);
        }
        self.slots()[place.slot].store(layout::slot(hash, at), Ordering::Release);
        if let Some(old) = place.record {
            self.store(LIVE, self.load(LIVE).saturating_sub(old.size() as u64));
        }
        Ok(true)
    }

    /// Copies all records into a new file except those of keys that are not to be kept.
    pub(super) fn copy_into(&self, next: &Self, mut keep: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let mut tail = self.tail();
        for slot in self.slots() {
            let word = load(slot);
            if word == 0 {
                continue;
            }
            let record = self.record(&mut tail, word)?;
            if keep(record.key) && !next.take(record)? {
                return Err(self.too_small());
            }
        }
        Ok(())
    }

    /// Adds the record of another file whose key is not here.
    fn take(&self, record: Record<'_>) -> Result<bool> {
        if !self.takes_another() || !self.reserve_for(record.size())? {
            return Ok(false);
        }
        let Some(at) = self.map.append(record.bytes) else { return Ok(false) };
        let hash = layout::hash(record.key);
        let slots = self.slots();
        let mask = slots.len() - 1;
        let mut slot = hash as usize & mask;
        while load(&slots[slot]) != 0 {
            slot = (slot + 1) & mask;
        }
        slots[slot].store(layout::slot(hash, at), Ordering::Release);
        self.add(ENTRIES, 1);
        self.add(LIVE, record.size() as u64);
        Ok(true)
    }

    /// Whether each slot names a whole record that is found where it is. After a power loss some
    /// pages may be of before and some not.
    pub(super) fn is_sound(&self) -> bool {
        let mut tail = self.tail();
        let (mut entries, mut live) = (0, 0);
        for (at, slot) in self.slots().iter().enumerate() {
            let word = load(slot);
            if word == 0 {
                continue;
            }
            let Ok(record) = self.record(&mut tail, word) else { return false };
            match self.find(&mut tail, layout::hash(record.key), record.key) {
                Ok(place) if place.slot == at => {}
                _ => return false,
            }
            entries += 1;
            live += record.size() as u64;
        }
        if self.is_writable() {
            // The disk may have forgotten what was reserved behind the records, and not that it was: that
            // page is another one. Lower is always right, also beside a writer: it reserves once more.
            self.map.words()[RESERVED].fetch_min(self.load(TAIL), Ordering::Relaxed);
            // The counts may be of before; and what a row left behind may be anywhere.
            self.map.words()[ENTRIES].fetch_max(entries, Ordering::Relaxed);
            self.map.words()[LIVE].fetch_max(live, Ordering::Relaxed);
            self.store(WRITING, 1);
        }
        self.mark().is_ok()
    }

    /// How much of the log the table has.
    pub(super) fn mark(&self) -> Result<Watermark> {
        let words = self.map.words();
        // Each try fails only if the writer has advanced twice meanwhile.
        for _ in 0..1_000 {
            let which = load(&words[MARK]) as usize & 1;
            let at = MARKS + which * 4;
            let mark = Watermark { next_seq: load(&words[at]), at: load(&words[at + 1]) as i64 };
            if load(&words[at + 2]) == layout::mark_check(mark) {
                return Ok(mark);
            }
            std::hint::spin_loop();
        }
        Err(self.corrupt("its watermark"))
    }

    /// Stores the other watermark and makes it the one that holds, by one word.
    pub(super) fn set_mark(&self, mark: Watermark) {
        let next = 1 - (self.load(MARK) & 1);
        let at = MARKS + next as usize * 4;
        self.store(at, mark.next_seq);
        self.store(at + 1, mark.at as u64);
        self.store(at + 2, layout::mark_check(mark));
        self.store(MARK, next);
    }

    /// Whether its pages are of this boot of the machine, so that no power was lost since.
    pub(super) fn is_of(&self, boot: Boot) -> bool {
        boot == Some([self.load(BOOT), self.load(BOOT + 1)])
    }

    pub(super) fn set_boot(&self, boot: Boot) {
        if let (Some([high, low]), true) = (boot, self.is_writable()) {
            self.store(BOOT, high);
            self.store(BOOT + 1, low);
        }
    }

    /// Whether readers must look for another file.
    #[inline]
    pub(super) fn is_retired(&self) -> bool {
        self.load(RETIRED) != 0
    }

    pub(super) fn set_retired(&self, retired: bool) {
        if self.is_writable() {
            self.store(RETIRED, u64::from(retired));
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        self.file.is_writable()
    }

    /// Whether it is the file of its path, and not one that was put aside.
    pub(super) fn is_in_place(&self) -> bool {
        self.file.is_in_place()
    }

    /// Says that a writer begins, and returns whether one has begun and not ended.
    pub(super) fn begin(&self) -> bool {
        self.map.words()[WRITING].swap(1, Ordering::Relaxed) != 0
    }

    /// Says that the writer has ended; `interrupted` is what [`Generation::begin`] returned.
    pub(super) fn end(&self, interrupted: bool) {
        self.store(WRITING, u64::from(interrupted));
    }

    /// How much is in it, at most.
    pub(super) fn amount(&self) -> Amount {
        Amount { entries: self.load(ENTRIES), bytes: self.load(LIVE) }
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    /// Makes it the table's file, in the place of the one that is.
    pub(super) fn move_to(&mut self, path: &Path) -> Result<()> {
        self.file.move_to(path)
    }

    /// An error that is a mistake in how large files are made.
    #[cold]
    pub(super) fn too_small(&self) -> Error {
        Error::new(ErrorKind::Internal, OP, "a table's next file was made too small")
            .with("table", &self.table)
    }

    #[inline]
    fn record<'a>(&'a self, tail: &mut Tail<'a>, word: u64) -> Result<Record<'a>> {
        let at = layout::place(word);
        let bytes = match tail.bytes(at, RECORD).and_then(layout::parse_lengths) {
            Some((key, entry)) if key <= MAX_KEY && entry <= MAX_ENTRY => {
                tail.bytes(at, RECORD + key + entry).map(|bytes| (bytes, key))
            }
            _ => None,
        };
        match bytes {
            Some((bytes, key)) if layout::is_whole(bytes) => {
                let (key, entry) = bytes[RECORD..].split_at(key);
                Ok(Record { bytes, key, entry })
            }
            _ => Err(self.corrupt("a record")),
        }
    }

    #[cold]
    fn corrupt(&self, part: &'static str) -> Error {
        self.file.corrupt(part)
    }

    #[inline]
    fn slots(&self) -> &[AtomicU64] {
        &self.map.words()[HEAD_WORDS..]
    }

    fn takes_another(&self) -> bool {
        (self.load(ENTRIES) + 1).saturating_mul(4) <= self.size.slots as u64 * 3
    }

    /// Reserves room behind the tail; `false` if the file has none.
    fn reserve_for(&self, size: usize) -> Result<bool> {
        let reserved = self.load(RESERVED) as usize;
        let end = (self.load(TAIL) as usize).saturating_add(size);
        if end <= reserved {
            return Ok(true);
        }
        if end > self.size.length {
            return Ok(false);
        }
        // More than is needed, so that it is seldom, unless that is all there is.
        let next = (end + CHUNK.max(reserved / 8)).min(self.size.length);
        let next = match self.file.reserve(reserved, next) {
            Ok(()) => next,
            Err(_) => self.file.reserve(reserved, end).map(|()| end)?,
        };
        self.store(RESERVED, next as u64);
        Ok(true)
    }

    #[inline]
    fn load(&self, word: usize) -> u64 {
        load(&self.map.words()[word])
    }

    fn store(&self, word: usize, value: u64) {
        self.map.words()[word].store(value, Ordering::Release);
    }

    fn add(&self, word: usize, value: u64) {
        self.map.words()[word].fetch_add(value, Ordering::Relaxed);
    }
}

impl Record<'_> {
    fn size(&self) -> usize {
        self.bytes.len().next_multiple_of(8)
    }
}

#[cfg(test)]
impl Generation {
    /// Whether the next record reserves room.
    pub(super) fn is_reserved_anew(&self) -> bool {
        self.load(RESERVED) == self.load(TAIL)
    }

    /// What a writer does that is killed before it stores a slot.
    pub(super) fn add_unnamed(&self, bytes: &[u8]) {
        self.map.append(bytes).unwrap();
    }

    /// What a lost page of the index does: a key is no longer found, though its slot is there.
    pub(super) fn lose_a_slot_before_another(&self) {
        let slots = self.slots();
        let mask = slots.len() - 1;
        for at in 0..slots.len() {
            let word = slots[(at + 1) & mask].load(Ordering::Acquire);
            if word != 0 && slots[at].load(Ordering::Acquire) != 0 {
                let record = self.record(&mut self.tail(), word).unwrap();
                if layout::hash(record.key) as usize & mask == at {
                    slots[at].store(0, Ordering::Release);
                    return;
                }
            }
        }
        panic!("no two keys share a slot");
    }
}
