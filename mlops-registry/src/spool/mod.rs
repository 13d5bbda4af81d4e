//! The spool: where a run's points are from the moment `log_metric` returns until they are stored.
//!
//! A spool is a file mapped into memory with two halves. Points go into the open half; the writer
//! closes it, the halves change places, and the closed half is stored as one chunk and then forgotten.
//! If the open half fills before the other is stored, the caller waits: nothing is dropped.
//!
//! The file lives as long as its writer, which holds the file's lock. So whoever can take the lock
//! knows that the writer is dead, and takes up what it left ([`Abandoned`]): exactly the points whose
//! record is whole. A record carries a checksum over itself, its half's generation and its place, so
//! neither a torn record nor one of an earlier generation is taken for a point.
//!
//! What it does not do: survive power loss (that is `flush`), or spread over several files.

mod map;

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mlops_core::tracking::MetricPoint;
use mlops_core::{Error, ErrorKind, Key, Result, RunId, SpoolId};
use rustix::fs::FallocateFlags;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::map::SharedMap;
use crate::points::Points;

const MAGIC: &[u8; 8] = b"MLOPSPL1";
const OP: &str = "spool";
/// The extension of a spool that is just being made; one that is left over holds nothing.
pub(crate) const MAKING: &str = "new";
/// The head of the file: magic, run, spool, slots in a half; then two words for each half.
const HEAD_BYTES: usize = 128;
/// Each record, and each piece of a key's text, takes one slot.
const SLOT_BYTES: usize = 32;
/// So many slots are made sure of on disk at a time.
const RESERVE_SLOTS: usize = 4_096;
/// The record defines a key: its text follows in whole slots.
const DEFINES_KEY: u32 = 1 << 31;
/// The record belongs together with the next one: both or none.
const CONTINUES: u32 = 1 << 30;

/// The points of one half, on their way to the store.
#[derive(Debug)]
pub(crate) struct Closed {
    half: usize,
    /// How many points of this spool came before.
    pub(crate) first: u64,
    pub(crate) points: Points,
}

/// Why a point was not accepted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Both halves are full: wait for the writer.
    Full,
    /// The file cannot grow.
    Io(io::Error),
}

/// An open spool; its file is locked until it is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    id: SpoolId,
    path: PathBuf,
    file: File,
    map: SharedMap,
    slots: usize,
    open: usize,
    halves: [Half; 2],
    ids: HashMap<Key, u32>,
    keys: Vec<KeyState>,
    accepted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Half {
    /// Goes up each time the half is emptied; part of each record's checksum.
    generation: u64,
    /// How many points of this spool came before this half's first.
    first: u64,
    /// Slots written.
    used: usize,
    /// Slots that surely have space on disk.
    reserved: usize,
    /// Whether it waits to be stored.
    closed: bool,
}

#[derive(Debug)]
struct KeyState {
    key: Key,
    /// The generation of each half in which the key is defined.
    defined: [u64; 2],
}

impl Spool {
    /// Makes a spool of `points` slots a half in `dir`, and locks it.
    pub(crate) fn create(dir: &Path, run: RunId, id: SpoolId, slots: usize) -> Result<Self> {
        let path = dir.join(format!("{run}-{id}.spool"));
        let failed = |e: io::Error| io_error("cannot make the spool", &path, e);
        // Under another name until it is whole and locked: who recovers looks for `.spool` only.
        let making = path.with_extension(MAKING);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&making)
            .map_err(failed)?;
        file.try_lock().map_err(|e| failed(e.into()))?;
        let len = HEAD_BYTES + 2 * slots * SLOT_BYTES;
        reserve(&file, 0, HEAD_BYTES).map_err(failed)?;
        file.set_len(len as u64).map_err(failed)?;
        let mut map = SharedMap::new(&file, len).map_err(failed)?;
        map[8..24].copy_from_slice(run.as_bytes());
        map[24..40].copy_from_slice(id.as_bytes());
        map[40..48].copy_from_slice(&(slots as u64).to_le_bytes());
        let mut spool = Self {
            id,
            path: path.clone(),
            file,
            map,
            slots,
            open: 0,
            halves: [Half { generation: 1, first: 0, used: 0, reserved: 0, closed: false }; 2],
            ids: HashMap::new(),
            keys: Vec::new(),
            accepted: 0,
        };
        spool.write_half(0);
        spool.write_half(1);
        spool.map[..8].copy_from_slice(MAGIC);
        fs::rename(&making, &spool.path).map_err(failed)?;
        Ok(spool)
    }

    pub(crate) fn id(&self) -> SpoolId {
        self.id
    }

    /// How many points were ever accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether a half waits to be stored.
    pub(crate) fn has_closed(&self) -> bool {
        self.halves.iter().any(|half| half.closed)
    }

    /// The number of a key that was made known.
    #[inline]
    pub(crate) fn id_of(&self, key: &str) -> Option<u32> {
        self.ids.get(key).copied()
    }

    /// Makes a key known and returns its number.
    pub(crate) fn intern(&mut self, key: &Key) -> u32 {
        if let Some(id) = self.ids.get(key.as_str()) {
            return *id;
        }
        let id = self.keys.len() as u32;
        self.keys.push(KeyState { key: key.clone(), defined: [0; 2] });
        self.ids.insert(key.clone(), id);
        id
    }

    /// Accepts one point of a known key: when this returns `Ok` it survives SIGKILL. `true` if that
    /// closed a half, which now waits to be stored.
    #[inline]
    pub(crate) fn push(&mut self, id: u32, point: MetricPoint) -> Result<bool, Refused> {
        let needed = self.slots_for(id);
        let mut closed = false;
        if !self.has_room(needed) {
            closed = self.make_room(|spool| spool.slots_for(id))?;
        }
        self.write_point(id, point, false);
        Ok(closed)
    }

    /// Accepts several points, all or none, also when the process is killed meanwhile.
    pub(crate) fn push_all(&mut self, points: &[(u32, MetricPoint)]) -> Result<bool, Refused> {
        let needed = |spool: &Self| points.iter().map(|(id, _)| spool.slots_for(*id)).sum();
        let mut closed = false;
        if !self.has_room(needed(self)) {
            closed = self.make_room(needed)?;
        }
        let last = points.len().saturating_sub(1);
        for (i, (id, point)) in points.iter().enumerate() {
            self.write_point(*id, *point, i < last);
        }
        Ok(closed)
    }

    /// Whether these points can ever be accepted at once: in an empty half, with their keys.
    pub(crate) fn fits(&self, points: &[(u32, MetricPoint)]) -> bool {
        let slots = |id: u32| 2 + text_slots(&self.keys[id as usize].key);
        points.iter().map(|(id, _)| slots(*id)).sum::<usize>() <= self.slots
    }

    #[inline]
    fn write_point(&mut self, id: u32, point: MetricPoint, more: bool) {
        if self.slots_for(id) > 1 {
            self.define(id);
        }
        let flags = if more { CONTINUES } else { 0 };
        self.write_record(id | flags, point.step, point.time_micros, point.value.to_bits());
        self.accepted += 1;
    }

    /// How many slots a point takes: more than one if its key is not defined in the open half.
    #[inline]
    fn slots_for(&self, id: u32) -> usize {
        let state = &self.keys[id as usize];
        if state.defined[self.open] == self.halves[self.open].generation {
            1
        } else {
            2 + text_slots(&state.key)
        }
    }

    #[inline]
    fn has_room(&self, slots: usize) -> bool {
        let half = &self.halves[self.open];
        half.used + slots <= half.reserved
    }

    /// Changes halves if the open one is too full, and makes sure of space on disk. Whether it did.
    #[cold]
    fn make_room(&mut self, needed: impl Fn(&Self) -> usize) -> Result<bool, Refused> {
        let closes = self.halves[self.open].used + needed(self) > self.slots;
        if closes && !self.close() {
            return Err(Refused::Full);
        }
        // In another half the keys must be defined anew, so more slots may be needed.
        let (open, half) = (self.open, self.halves[self.open]);
        let wanted = half.used + needed(self);
        if wanted > self.slots {
            return Err(Refused::Full);
        }
        if wanted > half.reserved {
            let wanted = wanted.next_multiple_of(RESERVE_SLOTS).min(self.slots);
            let len = (wanted - half.reserved) * SLOT_BYTES;
            reserve(&self.file, self.slot_at(open, half.reserved), len).map_err(Refused::Io)?;
            self.halves[open].reserved = wanted;
        }
        Ok(closes)
    }

    fn define(&mut self, id: u32) {
        let key = self.keys[id as usize].key.clone();
        let text = key.as_bytes();
        // The text first, then the record that vouches for it.
        let (open, used) = (self.open, self.halves[self.open].used);
        for (i, piece) in text.chunks(SLOT_BYTES).enumerate() {
            let at = self.slot_at(open, used + 1 + i);
            self.map[at..at + piece.len()].copy_from_slice(piece);
        }
        self.write_record(id | DEFINES_KEY, text.len() as i64, 0, xxh3_64_with_seed(text, 0));
        self.halves[open].used += text_slots(&key);
        self.keys[id as usize].defined[open] = self.halves[open].generation;
    }

    #[inline]
    fn write_record(&mut self, id: u32, step: i64, time: i64, bits: u64) {
        let half = self.halves[self.open];
        let mut record = [0u8; SLOT_BYTES];
        record[4..8].copy_from_slice(&id.to_le_bytes());
        record[8..16].copy_from_slice(&step.to_le_bytes());
        record[16..24].copy_from_slice(&time.to_le_bytes());
        record[24..32].copy_from_slice(&bits.to_le_bytes());
        let check = checksum(&record, half.generation, half.used);
        record[..4].copy_from_slice(&check.to_le_bytes());
        let at = HEAD_BYTES + (self.open * self.slots + half.used) * SLOT_BYTES;
        self.map[at..at + SLOT_BYTES].copy_from_slice(&record);
        self.halves[self.open].used += 1;
    }

    /// Changes halves; `false` if the other one is not stored yet or this one is empty.
    fn close(&mut self) -> bool {
        let (open, other) = (self.open, 1 - self.open);
        if self.halves[open].used == 0 || self.halves[other].closed {
            return false;
        }
        self.halves[open].closed = true;
        let half = &mut self.halves[other];
        half.generation += 1;
        half.used = 0;
        half.first = self.accepted;
        self.write_half(other);
        self.open = other;
        true
    }

    /// The points that wait to be stored: those of the closed half, or else of the open one, which is
    /// closed by this. Returns them again until [`Spool::forget`].
    pub(crate) fn take(&mut self) -> Result<Option<Closed>> {
        if !self.has_closed() && !self.close() {
            return Ok(None);
        }
        let half = 1 - self.open;
        let state = self.halves[half];
        let slots = self.half_slots(half);
        let points = read_half(slots, state.generation);
        let expected = self.halves[self.open].first - state.first;
        if points.len() as u64 != expected {
            return Err(Error::corrupt(OP, "the spool was changed by somebody else")
                .with("path", self.path.display())
                .with("points", points.len())
                .with("expected", expected));
        }
        Ok(Some(Closed { half, first: state.first, points }))
    }

    /// The points are stored: their half may be used again.
    pub(crate) fn forget(&mut self, closed: &Closed) {
        let half = &mut self.halves[closed.half];
        half.closed = false;
        half.generation += 1;
        half.used = 0;
        half.first = self.accepted;
        self.write_half(closed.half);
    }

    /// Takes the file away; everything in it is stored.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| io_error("cannot remove the spool", &self.path, e))
    }

    fn half_slots(&self, half: usize) -> &[u8] {
        let from = self.slot_at(half, 0);
        &self.map[from..from + self.slots * SLOT_BYTES]
    }

    fn slot_at(&self, half: usize, slot: usize) -> usize {
        HEAD_BYTES + (half * self.slots + slot) * SLOT_BYTES
    }

    fn write_half(&mut self, half: usize) {
        let at = half_head(half);
        let Half { generation, first, .. } = self.halves[half];
        let mut head = [0; 24];
        head[..8].copy_from_slice(&generation.to_le_bytes());
        head[8..16].copy_from_slice(&first.to_le_bytes());
        let check = xxh3_64_with_seed(&head[..16], half as u64);
        head[16..].copy_from_slice(&check.to_le_bytes());
        self.map[at..at + 24].copy_from_slice(&head);
    }
}

/// A spool whose writer is dead; its lock is ours until it is dropped.
#[derive(Debug)]
pub(crate) struct Abandoned {
    path: PathBuf,
    _locked: File,
    pub(crate) run: RunId,
    pub(crate) spool: SpoolId,
    /// The points of each half with how many came before, oldest first.
    pub(crate) parts: Vec<(u64, Points)>,
}

/// What was found in place of a spool.
#[derive(Debug)]
pub(crate) enum Found {
    /// Its writer lives.
    Alive,
    /// Its writer died; this is what it left.
    Abandoned(Abandoned),
    /// It is gone: somebody else took it up.
    Nothing,
}

/// Looks at a spool file, and takes it over if its writer is dead.
pub(crate) fn inspect(path: &Path) -> Result<Found> {
    let failed = |e: io::Error| io_error("cannot read the spool", path, e);
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(failed(e)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Found::Alive),
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    }
    // Somebody may have recovered and removed it between our open and our lock.
    if !path.exists() {
        return Ok(Found::Nothing);
    }
    // Through the handle that is locked, never by name again.
    let mut bytes = Vec::new();
    (&file).read_to_end(&mut bytes).map_err(failed)?;
    let corrupt = || {
        Error::corrupt(OP, "the spool's head is damaged")
            .with("path", path.display())
            .with_hint("move the file out of the spool directory; the points in it are not stored")
    };
    let head = match bytes.get(..HEAD_BYTES) {
        Some(head) if &head[..8] == MAGIC => head,
        _ => return Err(corrupt()),
    };
    let slots = word(head, 40) as usize;
    if slots.checked_mul(2 * SLOT_BYTES).and_then(|n| n.checked_add(HEAD_BYTES))
        != Some(bytes.len())
    {
        return Err(corrupt());
    }
    let mut parts = Vec::new();
    for half in 0..2 {
        let at = half_head(half);
        // A head torn by the kill was of a half just emptied: its points are stored already.
        if xxh3_64_with_seed(&head[at..at + 16], half as u64) != word(head, at + 16) {
            continue;
        }
        let from = HEAD_BYTES + half * slots * SLOT_BYTES;
        let points = read_half(&bytes[from..from + slots * SLOT_BYTES], word(head, at));
        if !points.is_empty() {
            parts.push((word(head, at + 8), points));
        }
    }
    parts.sort_by_key(|(first, _)| *first);
    Ok(Found::Abandoned(Abandoned {
        path: path.to_owned(),
        _locked: file,
        run: RunId::from_bytes(id_bytes(head, 8)),
        spool: SpoolId::from_bytes(id_bytes(head, 24)),
        parts,
    }))
}

impl Abandoned {
    /// Takes the file away; everything in it is stored.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| io_error("cannot remove the spool", &self.path, e))
    }
}

/// The points of a half: whole records of this generation, and whole groups of them.
fn read_half(slots: &[u8], generation: u64) -> Points {
    let mut points = Points::default();
    let mut known: HashMap<u32, u32> = HashMap::new();
    // Up to here everything is whole; what follows a `CONTINUES` is not, until its last record.
    let mut whole = 0;
    let mut at = 0;
    while let Some(record) = slots.get(at * SLOT_BYTES..(at + 1) * SLOT_BYTES) {
        if word32(record, 0) != checksum(record, generation, at) {
            break;
        }
        at += 1;
        let id = word32(record, 4);
        if id & DEFINES_KEY != 0 {
            let len = word(record, 8) as usize;
            let from = at * SLOT_BYTES;
            let Some(text) = from.checked_add(len).and_then(|to| slots.get(from..to)) else {
                break;
            };
            let key = std::str::from_utf8(text).ok().and_then(|text| Key::new(text).ok());
            let (Some(key), true) = (key, xxh3_64_with_seed(text, 0) == word(record, 24)) else {
                break;
            };
            at += text_slots(&key);
            known.insert(id & !DEFINES_KEY, points.keys.len() as u32);
            points.keys.push(key);
            continue;
        }
        let Some(key) = known.get(&(id & !CONTINUES)) else { break };
        points.push(
            *key,
            MetricPoint {
                step: word(record, 8) as i64,
                time_micros: word(record, 16) as i64,
                value: f64::from_bits(word(record, 24)),
            },
        );
        if id & CONTINUES == 0 {
            whole = points.len();
        }
    }
    points.key.truncate(whole);
    points.step.truncate(whole);
    points.time.truncate(whole);
    points.value.truncate(whole);
    points
}

#[inline]
fn checksum(record: &[u8], generation: u64, slot: usize) -> u32 {
    let seed = generation.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ slot as u64;
    // Never 0, so that empty space is not a record.
    (xxh3_64_with_seed(&record[4..SLOT_BYTES], seed) as u32) | 1
}

fn text_slots(key: &Key) -> usize {
    key.len().div_ceil(SLOT_BYTES)
}

fn half_head(half: usize) -> usize {
    48 + half * 24
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn word32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn id_bytes(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[at..at + 16]);
    id
}

/// Makes sure that the disk has room, so that a store into the mapping cannot fail later.
fn reserve(file: &File, from: usize, len: usize) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), from as u64, len as u64) {
        Ok(()) => Ok(()),
        // The file system cannot reserve: writing zeros does it everywhere.
        Err(rustix::io::Errno::OPNOTSUPP) => file.write_all_at(&vec![0; len], from as u64),
        Err(e) => Err(e.into()),
    }
}

/// Says which file, and whether the disk is full.
pub(crate) fn io_error(message: &'static str, path: &Path, source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    };
    let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::new(kind, OP, message).with("path", path.display());
    let error = if full { error.with_hint("the disk is full: free some space") } else { error };
    error.with("cause", &source).with_source(source)
}

#[cfg(test)]
mod tests;
