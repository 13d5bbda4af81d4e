//! What a table's file is to the operating system: made, opened, given room, made durable, replaced.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use mlops_core::features::TableId;
use mlops_core::{Error, ErrorKind, Result};
use rustix::fs::FallocateFlags;

use super::OP;
use super::layout::{FORMAT, LENGTH, MAGIC, SLOTS, Size};
use super::map::Map;

/// A table's file.
#[derive(Debug)]
pub(super) struct TableFile {
    path: PathBuf,
    file: File,
    writable: bool,
}

impl TableFile {
    /// Makes an empty file, of whose length so much is reserved; one that is in the way is removed.
    pub(super) fn create(path: &Path, length: usize, reserved: usize) -> Result<Self> {
        remove(path)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|e| io_error("a table's file cannot be made", path, e))?;
        let made = Self { path: path.to_owned(), file, writable: true };
        let sized = made
            .file
            .set_len(length as u64)
            .map_err(|e| io_error("a table's file cannot be made", path, e))
            .and_then(|()| made.reserve(0, reserved));
        if let Err(error) = sized {
            // A file that is half made would keep a full disk full.
            remove(path)?;
            return Err(error);
        }
        Ok(made)
    }

    /// Opens a file, if it is there; only to read, if that is all that is allowed.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let (file, writable) = match File::options().read(true).write(true).open(path) {
            Err(e) if is_denied(&e) => (File::open(path), false),
            opened => (opened, true),
        };
        match file {
            Ok(file) => Ok(Some(Self { path: path.to_owned(), file, writable })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_error("a table's file cannot be read", path, e)),
        }
    }

    /// How large its parts are, as its head says.
    pub(super) fn size(&self) -> Result<Size> {
        let mut head = [0; 24];
        match self.file.read_exact_at(&mut head, 0) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.corrupt("its head"));
            }
            Err(e) => return Err(io_error("a table's file cannot be read", &self.path, e)),
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&head[at * 8..at * 8 + 8]);
            u64::from_ne_bytes(word)
        };
        let (magic, slots, length) = (word(FORMAT), word(SLOTS), word(LENGTH));
        if magic & !0xff == MAGIC & !0xff && magic > MAGIC {
            let kind = ErrorKind::Unsupported;
            return Err(Error::new(kind, OP, "the table was written by a newer version")
                .with("path", self.path.display()));
        }
        let fits = magic == MAGIC && slots.is_power_of_two() && slots < 1 << 40 && length < 1 << 48;
        let size = Size { slots: slots as usize, length: length as usize };
        if fits && size.heap() <= size.length { Ok(size) } else { Err(self.corrupt("its head")) }
    }

    /// Maps all of it.
    pub(super) fn map(&self, size: Size) -> Result<Map> {
        Map::new(&self.file, size.length, size.heap(), self.writable).map_err(|e| {
            if e.kind() == io::ErrorKind::InvalidData {
                self.corrupt("its length")
            } else {
                io_error("a table's file cannot be mapped", &self.path, e)
            }
        })
    }

    /// Makes sure that the disk has room, so that a store into the mapping cannot fail later.
    pub(super) fn reserve(&self, from: usize, until: usize) -> Result<()> {
        let len = (until - from) as u64;
        let reserved = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), from as u64, len);
        let reserved = match reserved {
            // The file system cannot reserve: writing zeros does it everywhere.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                let zeros = vec![0; 64 << 10];
                (from..until).step_by(zeros.len()).try_for_each(|at| {
                    self.file.write_all_at(&zeros[..zeros.len().min(until - at)], at as u64)
                })
            }
            other => other.map_err(io::Error::from),
        };
        reserved.map_err(|e| io_error("a table cannot grow", &self.path, e))
    }

    /// Waits until the disk has it.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(|e| io_error("a table cannot be made durable", &self.path, e))
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether its path still names it.
    pub(super) fn is_in_place(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(here), Ok(there)) => here.dev() == there.dev() && here.ino() == there.ino(),
            _ => false,
        }
    }

    /// Gives it another name, durably, in the place of what has it.
    pub(super) fn move_to(&mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path)
            .map_err(|e| io_error("a table's file cannot be replaced", path, e))?;
        path.clone_into(&mut self.path);
        path.parent().map_or(Ok(()), sync_names)
    }

    /// The error of a file that is not what was written.
    #[cold]
    pub(super) fn corrupt(&self, part: &'static str) -> Error {
        Error::corrupt(OP, "a table is not what was written")
            .with("path", self.path.display())
            .with("part", part)
            .with_hint("it is derived: drop the table and materialize it again")
    }
}

/// The path of a table's file, and of the one that will take its place.
pub(super) fn paths(directory: &Path, table: &TableId) -> (PathBuf, PathBuf) {
    (directory.join(format!("{table}.table")), directory.join(format!("{table}.next")))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error("a table's file cannot be removed", path, e))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_names(directory: &Path) -> Result<()> {
    let sync = |directory: &Path| File::open(directory)?.sync_all();
    sync(directory).map_err(|e| io_error("a directory cannot be made durable", directory, e))
}

/// Says which file, and whether the disk is full.
#[cold]
pub(super) fn io_error(message: &'static str, path: &Path, source: io::Error) -> Error {
    let kind = if is_denied(&source) { ErrorKind::Denied } else { ErrorKind::Unavailable };
    let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let error = Error::new(kind, OP, message).with("path", path.display());
    let error = if full { error.with_hint("the disk is full: free some space") } else { error };
    error.with("cause", &source).with_source(source)
}

fn is_denied(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
