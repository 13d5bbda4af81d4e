//! Bounded reading: a part of a file, and how much may be read of it altogether.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes that are read at once.
const BLOCK: usize = 16 << 10;

/// Where bytes come from.
pub(super) trait Source {
    /// Reads at a place; fewer bytes only at the end.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl Source for &[u8] {
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl Source for File {
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.seek(SeekFrom::Start(at))?;
        let mut done = 0;
        while done < into.len() {
            match self.read(&mut into[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
}

/// Why a scan ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It asks for more work than any honest file does.
    TooMuch,
    /// The file cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How many bytes may be read for a file of this size.
pub(super) fn budget(size: u64) -> u64 {
    size.saturating_mul(8).saturating_add(64 << 20)
}

/// A part of a source.
pub(super) struct View<'a> {
    source: &'a mut dyn Source,
    budget: &'a mut u64,
    start: u64,
    len: u64,
}

impl<'a> View<'a> {
    pub(super) fn whole(source: &'a mut dyn Source, len: u64, budget: &'a mut u64) -> Self {
        Self { source, budget, start: 0, len }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// A part of this part, cut to what is there.
    pub(super) fn part(&mut self, at: u64, len: u64) -> View<'_> {
        let at = at.min(self.len);
        let len = len.min(self.len - at);
        View { source: &mut *self.source, budget: &mut *self.budget, start: self.start + at, len }
    }

    /// Reads at a place; fewer bytes only at the end.
    pub(super) fn read_at(&mut self, at: u64, into: &mut [u8]) -> Result<usize, Stop> {
        let rest = self.len.saturating_sub(at);
        let want = into.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        // A read costs something even if it brings little.
        let cost = want.max(64) as u64;
        *self.budget = self.budget.checked_sub(cost).ok_or(Stop::TooMuch)?;
        if want == 0 {
            return Ok(0);
        }
        Ok(self.source.read_at(self.start + at, &mut into[..want])?)
    }

    /// These bytes, if all of them are there.
    pub(super) fn array<const N: usize>(&mut self, at: u64) -> Result<Option<[u8; N]>, Stop> {
        let mut bytes = [0; N];
        Ok((self.read_at(at, &mut bytes)? == N).then_some(bytes))
    }

    pub(super) fn cursor(&mut self) -> Cursor<'_> {
        let len = self.len;
        Cursor { view: self.part(0, len), at: 0, block: Vec::new(), block_at: 0 }
    }
}

/// Reads a view byte by byte.
pub(super) struct Cursor<'a> {
    view: View<'a>,
    at: u64,
    block: Vec<u8>,
    block_at: u64,
}

impl Cursor<'_> {
    /// The next byte; `None` at the end.
    pub(super) fn byte(&mut self) -> Result<Option<u8>, Stop> {
        let within = self.at.checked_sub(self.block_at).and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = within.and_then(|at| self.block.get(at)) {
            self.at += 1;
            return Ok(Some(*byte));
        }
        // The first block is small: most files are no pickle, which their first bytes tell.
        let size = if self.at == 0 { 64 } else { BLOCK };
        self.block.resize(size, 0);
        let read = self.view.read_at(self.at, &mut self.block)?;
        self.block.truncate(read);
        self.block_at = self.at;
        let byte = self.block.first().copied();
        self.at += u64::from(byte.is_some());
        Ok(byte)
    }

    /// A little-endian number of so many bytes, at most eight.
    pub(super) fn number(&mut self, bytes: u32) -> Result<Option<u64>, Stop> {
        let mut number = 0;
        for at in 0..bytes {
            let Some(byte) = self.byte()? else { return Ok(None) };
            number |= u64::from(byte) << (8 * at);
        }
        Ok(Some(number))
    }

    /// Goes on by so many bytes; `false` if there are not so many.
    pub(super) fn skip(&mut self, bytes: u64) -> bool {
        match self.at.checked_add(bytes) {
            Some(at) if at <= self.view.len() => {
                self.at = at;
                true
            }
            _ => false,
        }
    }
}

impl io::Read for Cursor<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.view.read_at(self.at, into).map_err(|stop| match stop {
            Stop::Io(e) => e,
            Stop::TooMuch => io::Error::other("too much to read"),
        })?;
        self.at += read as u64;
        Ok(read)
    }
}
