//! The one file of this crate with `unsafe`: a mapped file of words and of bytes that are only added.
//!
//! A file has two parts. Up to a fixed place it is words of 64 bits, which are read and stored
//! atomically and in no other way. After it come bytes: [`Map::append`] writes behind the *tail*, a
//! word that is moved afterwards, and [`Tail::bytes`] lends only what is before it. So what was lent never
//! changes, whoever writes, and the rest of the store is safe code.

use std::fs::File;
use std::io;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapOptions, MmapRaw};

use super::layout::TAIL;

const WORD: usize = size_of::<AtomicU64>();

/// A shared mapping of a whole file.
#[derive(Debug)]
pub(super) struct Map {
    pages: MmapRaw,
    len: usize,
    /// Where the bytes begin.
    heap: usize,
    /// `None` if it may only be read; else held while bytes are added.
    appending: Option<Mutex<()>>,
}

/// How far the bytes go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail<'a> {
    map: &'a Map,
    tail: usize,
}

impl Map {
    /// Maps the first `len` bytes of `file`, of which those up to `heap` are words.
    pub(super) fn new(file: &File, len: usize, heap: usize, writable: bool) -> io::Result<Self> {
        let fits = heap.is_multiple_of(WORD) && heap > TAIL * WORD && heap <= len;
        if !fits || file.metadata()?.len() < len as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is cut"));
        }
        let options = {
            let mut options = MmapOptions::new();
            options.len(len);
            options
        };
        let pages =
            if writable { options.map_raw(file)? } else { options.map_raw_read_only(file)? };
        Ok(Self { pages, len, heap, appending: writable.then(Mutex::default) })
    }

    /// The words. One that may only be read must not be stored to.
    #[expect(unsafe_code, reason = "a mapping is a raw pointer; see the safety comment")]
    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has at least `heap` bytes (checked in `new`), begins at a page and so is
        // aligned, and lives as long as `self`. These bytes are only ever used as atomic words, by each
        // process of this library. Any bits are a valid word. Where the pages may only be read, words are
        // only read, and by `load`: a relaxed load is the one that is allowed on such memory, for it never
        // needs to write to be atomic.
        //
        // As for any mapped database (LMDB, SQLite's shared memory): a foreign program that cuts the
        // file ends this process with SIGBUS.
        unsafe { slice::from_raw_parts(self.pages.as_ptr().cast(), self.heap / WORD) }
    }

    /// How far the bytes go at this moment.
    #[inline]
    pub(super) fn tail(&self) -> Tail<'_> {
        let tail = load(&self.words()[TAIL]);
        Tail { map: self, tail: (tail as usize).min(self.len) }
    }

    /// Adds bytes and says where they are, at a multiple of eight; `None` if they do not fit, or if it may
    /// only be read.
    ///
    /// The caller holds the store's lock, so that no other process adds, and has reserved the disk's
    /// room.
    #[expect(unsafe_code, reason = "a mapping is a raw pointer; see the safety comment")]
    pub(super) fn append(&self, bytes: &[u8]) -> Option<usize> {
        let appending = self.appending.as_ref()?;
        let _one = appending.lock().unwrap_or_else(PoisonError::into_inner);
        let start = load(&self.words()[TAIL]) as usize;
        let end = start.checked_add(bytes.len())?.checked_next_multiple_of(WORD)?;
        if start < self.heap || end > self.len {
            return None;
        }
        // SAFETY: `heap <= start` and `end <= len`, so the target is inside the mapping, which is
        // writable as `appending` is there, and behind the words. It is behind the tail, which nobody was
        // lent: `Tail::bytes` lends what is before a tail that was read, and the tail only grows. No
        // other thread is here (`_one`), and no other process (the store's lock). `bytes` is borrowed from
        // elsewhere: from before the tail, from another mapping, or from memory.
        unsafe {
            ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.pages.as_mut_ptr().add(start),
                bytes.len(),
            );
        }
        self.words()[TAIL].store(end as u64, Ordering::Release);
        Some(start)
    }
}

/// The word, and with it what was written before it was stored: an acquiring load that is sound on pages
/// that may only be read.
#[inline]
pub(super) fn load(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}

impl<'a> Tail<'a> {
    /// Bytes that were added before this moment; `None` if that is not where they are.
    #[expect(unsafe_code, reason = "a mapping is a raw pointer; see the safety comment")]
    #[inline]
    pub(super) fn bytes(&mut self, at: usize, len: usize) -> Option<&'a [u8]> {
        let end = at.checked_add(len)?;
        if end > self.tail {
            // A place that was read from an index may be newer than this tail, and never than the next.
            *self = self.map.tail();
        }
        if at < self.map.heap || end > self.tail {
            return None;
        }
        // SAFETY: `heap <= at` and `end <= tail <= len`, so the range is inside the mapping and behind the
        // words. What is before the tail is never written again, by any process (see `append`), so it may
        // be shared. The acquiring load of the tail makes what was written before it visible.
        Some(unsafe { slice::from_raw_parts(self.map.pages.as_ptr().add(at), len) })
    }
}
