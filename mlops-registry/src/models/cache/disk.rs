//! The cache's directory: locks, staging, the rename into place, eviction and sweeping.
//!
//! ```text
//! <64 hex>/            a version, whole
//! <64 hex>.lock        shared by who uses the version, exclusive to evict it; its modification time
//!                      is when the version was last asked for
//! .fetch-<random>/     a version that is being fetched or removed
//! .fetch-<random>.lock held by whoever does that
//! .space.lock          held while something is put in place, so that the bound holds for all together
//! ```
//!
//! Lock files are removed with what they guard. Who has waited for the lock of a file that was removed
//! meanwhile holds nothing: so a lock counts only if its file is still the one of that name.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mlops_core::registry::ManifestFile;
use mlops_core::tracking::Digest;
use mlops_core::{Error, Result};
use tempfile::TempPath;

use super::{OP, check};
use crate::blobs::fault::io_error;

const STAGING: &str = ".fetch-";
const LOCK: &str = ".lock";
const SPACE: &str = ".space.lock";

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    max_bytes: u64,
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Notes that the version was used. That it was is no reason to fail if it cannot be noted.
    pub(super) fn touch(&self) {
        use io::{Seek, SeekFrom};
        let mut file = &self.0;
        drop(file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(b"\n")));
    }
}

/// How a lock is taken.
#[derive(Clone, Copy)]
enum Mode {
    Shared,
    Exclusive,
    /// Exclusive, and not at all if somebody else has it.
    IfFree,
}

/// A directory of one's own in the cache, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Staging {
    directory: PathBuf,
    // Fields are dropped after `drop`: the directory goes first, then its lock file, then the lock.
    _name: TempPath,
    _lock: Lock,
}

impl Staging {
    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Puts files that were fetched in the place of those in an entry.
    pub(super) fn replace(self, entry: &Path, files: &[ManifestFile]) -> Result<()> {
        for file in files {
            let (from, to) =
                (self.directory.join(file.path.as_str()), entry.join(file.path.as_str()));
            let failed = |e| io_error(OP, &to, e);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
                fs::rename(&from, &to).map_err(failed)?;
                sync_dir(parent)?;
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is swept later.
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// A version in its place.
struct Entry {
    name: String,
    bytes: u64,
    used: SystemTime,
}

impl Disk {
    pub(super) fn open(op: &'static str, root: &Path, max_bytes: u64) -> Result<Self> {
        let failed = |e| io_error(op, root, e);
        fs::create_dir_all(root).map_err(failed)?;
        let root = fs::canonicalize(root).map_err(failed)?;
        let disk = Self { root, max_bytes };
        disk.sweep()?;
        Ok(disk)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn entry(&self, digest: Digest) -> PathBuf {
        self.root.join(digest.to_string())
    }

    /// Keeps the entry from being evicted, whether it is there or not.
    pub(super) fn hold(&self, digest: Digest) -> Result<Lock> {
        let path = self.root.join(format!("{digest}{LOCK}"));
        // `None` is only for who does not wait.
        self.lock(&path, Mode::Shared)?
            .ok_or_else(|| Error::unavailable(OP, "the entry's lock cannot be taken"))
    }

    /// A directory to fetch these files into.
    pub(super) fn stage(&self, files: &[ManifestFile]) -> Result<Staging> {
        let staging = self.staging()?;
        fs::create_dir(&staging.directory).map_err(|e| io_error(OP, &staging.directory, e))?;
        for file in files {
            if let Some(parent) = staging.directory.join(file.path.as_str()).parent() {
                fs::create_dir_all(parent).map_err(|e| io_error(OP, parent, e))?;
            }
        }
        Ok(staging)
    }

    /// Puts a fetched version in its place, after making room; `false` if another process was first.
    pub(super) fn install(&self, staging: Staging, digest: Digest, bytes: u64) -> Result<bool> {
        let space = self.root.join(SPACE);
        let _space = self.lock(&space, Mode::Exclusive)?;
        let entry = self.entry(digest);
        if fs::symlink_metadata(&entry).is_ok() {
            return Ok(false);
        }
        self.sweep()?;
        self.make_room(bytes)?;
        fs::rename(&staging.directory, &entry).map_err(|e| io_error(OP, &entry, e))?;
        sync_dir(&self.root)?;
        Ok(true)
    }

    /// Evicts what nobody uses, the longest unused first, until `bytes` more fit.
    fn make_room(&self, bytes: u64) -> Result<()> {
        let mut entries = self.entries()?;
        entries.sort_by(|a, b| (a.used, &a.name).cmp(&(b.used, &b.name)));
        let mut total = entries.iter().fold(bytes, |sum, entry| sum.saturating_add(entry.bytes));
        for entry in &entries {
            if total <= self.max_bytes {
                break;
            }
            if self.evict(&entry.name)? {
                total = total.saturating_sub(entry.bytes);
            }
        }
        if total <= self.max_bytes {
            return Ok(());
        }
        Err(Error::unavailable(OP, "the version does not fit beside those that are in use now")
            .with("version_bytes", bytes)
            .with("in_use_bytes", total.saturating_sub(bytes))
            .with("cache_bytes", self.max_bytes)
            .with_hint("drop a loaded model, or open the cache with a greater bound"))
    }

    /// Removes an entry, unless somebody uses it.
    fn evict(&self, name: &str) -> Result<bool> {
        let path = self.root.join(format!("{name}{LOCK}"));
        let Some(lock) = self.lock(&path, Mode::IfFree)? else { return Ok(false) };
        // Moved away first: half a version never stands in its place.
        let away = self.staging()?;
        let entry = self.root.join(name);
        match fs::rename(&entry, &away.directory) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io_error(OP, &entry, e)),
        }
        drop(away);
        forget(&path, lock);
        Ok(true)
    }

    fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in self.names()? {
            if !is_digest(&name) {
                continue;
            }
            let used = fs::metadata(self.root.join(format!("{name}{LOCK}")))
                .and_then(|meta| meta.modified())
                .unwrap_or(SystemTime::UNIX_EPOCH);
            let bytes = bytes_below(&self.root.join(&name));
            entries.push(Entry { name, bytes, used });
        }
        Ok(entries)
    }

    /// Removes what killed processes left: directories and lock files whose lock is free.
    fn sweep(&self) -> Result<()> {
        for name in self.names()? {
            let stem = name.strip_suffix(LOCK).unwrap_or(&name);
            let is_staging = stem.starts_with(STAGING);
            let is_orphan =
                || name.ends_with(LOCK) && is_digest(stem) && !self.root.join(stem).exists();
            if !is_staging && !is_orphan() {
                continue;
            }
            let path = self.root.join(format!("{stem}{LOCK}"));
            if let Some(lock) = self.lock(&path, Mode::IfFree)? {
                if is_staging {
                    check::remove(&self.root.join(stem))?;
                    forget(&path, lock);
                } else if !self.root.join(stem).exists() {
                    forget(&path, lock);
                }
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        let failed = |e| io_error(OP, &self.root, e);
        let mut names = Vec::new();
        for found in fs::read_dir(&self.root).map_err(failed)? {
            names.extend(found.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }

    /// A name of one's own, locked; there is no directory of that name yet.
    fn staging(&self) -> Result<Staging> {
        loop {
            let name =
                tempfile::Builder::new().prefix(STAGING).suffix(LOCK).tempfile_in(&self.root);
            let name = name.map_err(|e| io_error(OP, &self.root, e))?.into_temp_path();
            // A sweep may take the file for a dead one's before it is locked: then another name.
            let Some(lock) = self.lock(&name, Mode::IfFree)? else { continue };
            let directory = name.with_extension("");
            return Ok(Staging { directory, _name: name, _lock: lock });
        }
    }

    #[expect(clippy::unused_self, reason = "locks are the directory's")]
    fn lock(&self, path: &Path, mode: Mode) -> Result<Option<Lock>> {
        loop {
            let mut options = File::options();
            options.create(true).truncate(false).read(true).write(true);
            let taken = options.open(path).and_then(|file| {
                match mode {
                    Mode::Shared => file.lock_shared()?,
                    Mode::Exclusive => file.lock()?,
                    Mode::IfFree => match file.try_lock() {
                        Ok(()) => {}
                        Err(TryLockError::WouldBlock) => return Ok(Some(None)),
                        Err(TryLockError::Error(e)) => return Err(e),
                    },
                }
                Ok(is_current(&file, path)?.then_some(Some(Lock(file))))
            });
            match taken {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(io_error(OP, path, e)),
            }
        }
    }
}

/// Removes a lock file whose lock is held exclusively; whoever waits for it looks again.
fn forget(path: &Path, lock: Lock) {
    // Elsewhere a lock cannot be told from that of a removed file, so the file stays.
    if cfg!(unix) {
        drop(fs::remove_file(path));
    }
    drop(lock);
}

/// Whether the file is still the one of this name.
#[cfg(unix)]
fn is_current(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(not(unix))]
fn is_current(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Makes the entries of a directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    // Elsewhere a directory cannot be opened as a file, and its entries are journaled with it.
    if cfg!(unix) {
        File::open(path).and_then(|file| file.sync_all()).map_err(|e| io_error(OP, path, e))?;
    }
    Ok(())
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The sizes of all files in a directory; what goes away meanwhile has none.
fn bytes_below(directory: &Path) -> u64 {
    let (mut bytes, mut open) = (0_u64, vec![directory.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for found in fs::read_dir(&directory).into_iter().flatten().flatten() {
            match found.metadata() {
                Ok(meta) if meta.is_dir() => open.push(found.path()),
                Ok(meta) => bytes = bytes.saturating_add(meta.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}
