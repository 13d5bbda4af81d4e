//! The one place of the library with `unsafe`: mapping a spool file into memory.
//!
//! Why a mapping: what is stored in it belongs to the kernel at once, so it survives SIGKILL without a
//! system call for each point. A `write` costs 0.4–1 µs here, a store through the mapping some 30 ns.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::{MmapMut, MmapOptions};

/// A shared, writable mapping of a whole file.
#[derive(Debug)]
pub(super) struct SharedMap(MmapMut);

impl SharedMap {
    /// Maps the first `len` bytes of `file`, which the caller holds an exclusive lock on.
    #[expect(unsafe_code, reason = "a mapping cannot be made in safe Rust; see the safety comment")]
    pub(super) fn new(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: `MmapOptions` asks that nobody else changes the file while it is mapped. The file
        // has a name made of a fresh random id, and every process of this library takes its lock
        // before touching it; we hold that lock until the mapping is gone. A foreign program that
        // writes into or cuts the workspace's files breaks this, as it breaks any memory-mapped
        // database (LMDB, SQLite's own shared memory): what it writes is caught by the checksum of
        // each record, a cut ends this process with SIGBUS and the next opener recovers the rest.
        let map = unsafe { MmapOptions::new().len(len).map_mut(file)? };
        Ok(Self(map))
    }
}

impl Deref for SharedMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for SharedMap {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
