//! The synchronous half of [`super::DurableLocal`]: what touches the file system, in a safe order.
//!
//! Everything here blocks; the caller runs it off the executor. Which directories need an `fsync`
//! is decided here: the parent of a new file always, and above it each directory whose own entry
//! this process has not yet made durable. That another process made a directory is no proof that it
//! reached the disk, so only what *this* process synced is trusted.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use mlops_core::time::Instant;
use object_store::{Error as StoreError, PutPayload, PutResult};

use super::SweptStaged;

/// Directories remembered as durable; beyond that, forgetting all costs only a few more calls.
const KNOWN_AT_MOST: usize = 4_096;
/// How often a parent directory is made again when somebody removes it under our hands.
const MAKE_PARENT_ATTEMPTS: usize = 8;

/// What can go wrong below; mapped to the store's error in one place.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is a symbolic link, and this store follows none", path.display())]
    Link { path: PathBuf },
    #[error("only {written} of {announced} bytes were written to {}", path.display())]
    Incomplete { path: PathBuf, written: u64, announced: u64 },
    #[error("the upload is completed or aborted already")]
    Finished,
    #[error("the deletion in {} is not durable", path.display())]
    NotSynced { path: PathBuf },
}

impl DiskError {
    pub(super) fn into_store_error(self) -> StoreError {
        self.into()
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        let named = match &error {
            DiskError::Io { path, source, .. } => {
                Some((source.kind(), path.to_string_lossy().into_owned()))
            }
            DiskError::Link { path } => {
                Some((io::ErrorKind::PermissionDenied, path.to_string_lossy().into_owned()))
            }
            DiskError::Incomplete { .. } | DiskError::Finished | DiskError::NotSynced { .. } => {
                None
            }
        };
        let source = Box::new(error);
        match named {
            Some((io::ErrorKind::NotFound, path)) => Self::NotFound { path, source },
            Some((io::ErrorKind::AlreadyExists, path)) => Self::AlreadyExists { path, source },
            Some((io::ErrorKind::PermissionDenied, path)) => {
                Self::PermissionDenied { path, source }
            }
            _ => Self::Generic { store: "DurableLocal", source },
        }
    }
}

/// A directory, and what is known about its durability.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Directories below the root whose own entry this process made durable.
    known: Mutex<HashSet<PathBuf>>,
    #[cfg(test)]
    pub(super) probe: super::tests::Probe,
}

impl Disk {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        make_dir_durably(root)?;
        Ok(Self {
            root: fs::canonicalize(root)?,
            known: Mutex::default(),
            #[cfg(test)]
            probe: super::tests::Probe::default(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// An error if a component of `path` below the root is a symbolic link.
    pub(super) fn refuse_links(&self, path: &Path) -> Result<(), DiskError> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let mut here = self.root.clone();
        for component in below.components() {
            here.push(component);
            match fs::symlink_metadata(&here) {
                Ok(meta) if meta.is_symlink() => return Err(DiskError::Link { path: here }),
                Ok(_) => {}
                // What does not exist has no links below it, and what cannot be looked at cannot be
                // opened either: the access itself says it best.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Bytes, fsync, name, fsync of the directories.
    pub(super) fn put(
        &self,
        dest: &Path,
        payload: &PutPayload,
        create_only: bool,
    ) -> Result<PutResult, DiskError> {
        let (mut file, staged) = self.stage(dest)?;
        let written = payload
            .iter()
            .try_for_each(|bytes| file.write_all(bytes))
            .map_err(DiskError::io("write", &staged));
        self.publish(written.map(|()| file), &staged, dest, create_only)
    }

    /// An empty file beside `dest`, under a name that listings do not show.
    pub(super) fn stage(&self, dest: &Path) -> Result<(File, PathBuf), DiskError> {
        let mut number = 1_u32;
        let mut parents_made = 0;
        loop {
            let mut staged = dest.as_os_str().to_owned();
            staged.push(format!("#{number}"));
            let staged = PathBuf::from(staged);
            match OpenOptions::new().write(true).create_new(true).open(&staged) {
                Ok(file) => return Ok((file, staged)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(e)
                    if e.kind() == io::ErrorKind::NotFound
                        && parents_made < MAKE_PARENT_ATTEMPTS =>
                {
                    parents_made += 1;
                    // A root that vanished (a disk that is no longer mounted) is not made again:
                    // the store would seem to work, and everything in it would be missing.
                    fs::metadata(&self.root).map_err(DiskError::io("find", &self.root))?;
                    let parent = dest.parent().unwrap_or(&self.root);
                    fs::create_dir_all(parent).map_err(DiskError::io("make directory", parent))?;
                    // A directory was missing: what was known of it, or of one below, is void.
                    self.known().clear();
                }
                Err(e) => return Err(DiskError::io("create", &staged)(e)),
            }
        }
    }

    /// Gives a staged file its name, durably; removes it if that fails.
    pub(super) fn publish(
        &self,
        file: Result<File, DiskError>,
        staged: &Path,
        dest: &Path,
        create_only: bool,
    ) -> Result<PutResult, DiskError> {
        let named = file.and_then(|file| {
            self.sync(&file, staged)?;
            let meta = file.metadata().map_err(DiskError::io("look at", staged))?;
            // Some FUSE file systems store a file only when it is closed.
            drop(file);
            if create_only {
                fs::hard_link(staged, dest).map_err(DiskError::io("create", dest))?;
                fs::remove_file(staged).map_err(DiskError::io("remove", staged))?;
            } else {
                fs::rename(staged, dest).map_err(DiskError::io("rename to", dest))?;
            }
            Ok(PutResult { e_tag: Some(e_tag(&meta)), version: None })
        });
        if named.is_err() {
            // Best effort, and harmless: a staged file is never listed, and is swept later.
            drop(fs::remove_file(staged));
        }
        let result = named?;
        self.sync_entry(dest)?;
        Ok(result)
    }

    /// Makes the bytes of `path` durable.
    pub(super) fn sync_file(&self, path: &Path) -> Result<(), DiskError> {
        let file = File::open(path).map_err(DiskError::io("open", path))?;
        self.sync(&file, path)
    }

    /// Makes the name of `path` durable, and each directory above it that may be new.
    pub(super) fn sync_entry(&self, path: &Path) -> Result<(), DiskError> {
        let mut synced = Vec::new();
        for directory in path.ancestors().skip(1) {
            self.sync_dir(directory)?;
            if directory == self.root || self.known().contains(directory) {
                break;
            }
            synced.push(directory.to_path_buf());
        }
        let mut known = self.known();
        if known.len() + synced.len() > KNOWN_AT_MOST {
            known.clear();
        }
        known.extend(synced);
        Ok(())
    }

    /// Makes the entries of a directory durable.
    pub(super) fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        // Elsewhere a directory cannot be opened as a file, and its entries are journaled with it.
        if cfg!(unix) { self.sync_file(path) } else { Ok(()) }
    }

    /// Removes staged files that nobody wrote to since `before`.
    pub(super) fn sweep_staged(&self, before: Instant) -> Result<SweptStaged, DiskError> {
        let before = SystemTime::from(before);
        let mut swept = SweptStaged::default();
        let mut directories = vec![self.root.clone()];
        while let Some(directory) = directories.pop() {
            let unreadable = || DiskError::io("list", &directory);
            for entry in fs::read_dir(&directory).map_err(unreadable())? {
                let entry = entry.map_err(unreadable())?;
                // Of the entry itself, so links are neither followed nor removed.
                let Ok(meta) = entry.metadata() else { continue };
                if meta.is_dir() {
                    directories.push(entry.path());
                } else if meta.is_file()
                    && is_staged(&entry.path())
                    && meta.modified().is_ok_and(|at| at < before)
                    && fs::remove_file(entry.path()).is_ok()
                {
                    swept.files += 1;
                    swept.bytes += meta.len();
                }
            }
        }
        Ok(swept)
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "the tests' probe hangs on it"))]
    fn sync(&self, file: &File, path: &Path) -> Result<(), DiskError> {
        #[cfg(test)]
        self.probe.on_sync(path).map_err(DiskError::io("sync", path))?;
        file.sync_all().map_err(DiskError::io("sync", path))
    }

    /// A panic elsewhere cannot leave the set half-changed in a way that matters.
    fn known(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes `path` and the directories above it, each durable before the next is relied upon.
fn make_dir_durably(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).collect();
    fs::create_dir_all(path)?;
    for made in missing {
        let parent = made.parent().filter(|p| !p.as_os_str().is_empty());
        if cfg!(unix) {
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
    }
    Ok(())
}

/// Whether a file name ends in `#` and digits, as [`Disk::stage`] makes them.
fn is_staged(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.rsplit_once('#'))
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The tag that `LocalFileSystem` gives on get and head; a test holds the two together.
fn e_tag(meta: &fs::Metadata) -> String {
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(meta);
    #[cfg(not(unix))]
    let inode = 0_u64;
    let micros = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok())
        .unwrap_or_default()
        .as_micros();
    format!("{inode:x}-{micros:x}-{:x}", meta.len())
}
