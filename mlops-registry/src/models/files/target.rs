//! The directory that a version is downloaded into: whole or not at all, as far as a file system can.
//!
//! A directory that is there already stays the directory that it is: it may be somebody's working
//! directory, a mount point, the end of a link, and it has an owner and a mode. So the files are gathered
//! in a hidden directory inside of it, and its entries get their names at the end, one after the other.
//! A new directory is gathered beside its place, and gets its name in one step.
//!
//! What a failure leaves is nothing. A crash leaves the hidden directory `.mlops-download-…`; one within
//! the instant of the renames, of a directory that was there, also some of its top-level entries, each
//! of them whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use mlops_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

use super::DOWNLOAD;
use crate::blobs::fault::io_error;

const PREFIX: &str = ".mlops-download-";

/// A place where files are gathered, which goes away with this, and the directory that they are for.
pub(super) struct Target {
    /// Without links, and not relative to a working directory that may change.
    place: PathBuf,
    staged: TempDir,
    is_there: bool,
}

impl Target {
    /// Looks at a directory, which must not be there or be empty.
    ///
    /// # Errors
    /// `AlreadyExists` if it is not empty, or is something else; otherwise what the file system says.
    pub(super) fn prepare(asked: &Path) -> Result<Self> {
        let failed = |e| io_error(DOWNLOAD, asked, e);
        match fs::metadata(asked) {
            Ok(found) if found.is_dir() => {
                let place = fs::canonicalize(asked).map_err(failed)?;
                if fs::read_dir(&place).map_err(failed)?.next().is_some() {
                    return Err(not_empty(asked));
                }
                let staged = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place);
                return Ok(Self { place, staged: staged.map_err(failed)?, is_there: true });
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
            Ok(_) => return Err(no_directory(asked)),
        }
        // A link to nothing.
        if fs::symlink_metadata(asked).is_ok() {
            return Err(no_directory(asked));
        }
        let Some(name) = asked.file_name() else {
            return Err(failed(io::ErrorKind::NotFound.into()));
        };
        let parent = match asked.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(|e| io_error(DOWNLOAD, parent, e))?;
        let parent = fs::canonicalize(parent).map_err(|e| io_error(DOWNLOAD, parent, e))?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        {
            // What an ordinary new directory gets; that of a temporary one is for its owner alone.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let staged = builder.tempdir_in(&parent).map_err(|e| io_error(DOWNLOAD, &parent, e))?;
        Ok(Self { place: parent.join(name), staged, is_there: false })
    }

    /// Where the files are gathered.
    pub(super) fn staged(&self) -> &Path {
        self.staged.path()
    }

    /// Gives what was gathered its names.
    ///
    /// # Errors
    /// `AlreadyExists` if something came into the directory meanwhile; otherwise what the file system
    /// says. Nothing of the version is then there.
    pub(super) fn publish(self) -> Result<()> {
        let Self { place, staged, is_there } = self;
        if is_there {
            fill(&place, staged.path())?;
            return sync(&place);
        }
        // A directory that came meanwhile is replaced only if it is empty.
        fs::rename(staged.path(), &place).map_err(|e| match e.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => not_empty(&place),
            _ => io_error(DOWNLOAD, &place, e),
        })?;
        // It has another name by now: there is nothing left to remove under the old one.
        let _ = staged.keep();
        sync(place.parent().unwrap_or(&place))
    }
}

/// Moves the entries of `staged` into the directory around it, all or none.
fn fill(place: &Path, staged: &Path) -> Result<()> {
    let failed = |e| io_error(DOWNLOAD, place, e);
    for entry in fs::read_dir(place).map_err(failed)? {
        if entry.map_err(failed)?.path() != staged {
            return Err(not_empty(place));
        }
    }
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    let entries: io::Result<Vec<_>> = fs::read_dir(staged).map_err(failed)?.collect();
    for entry in entries.map_err(failed)? {
        let (from, to) = (entry.path(), place.join(entry.file_name()));
        // A rename would replace a file that came this instant.
        let is_taken = fs::symlink_metadata(&to).is_ok();
        let renamed =
            if is_taken { Err(not_empty(place)) } else { fs::rename(&from, &to).map_err(failed) };
        let Err(error) = renamed else {
            moved.push((from, to));
            continue;
        };
        for (from, to) in moved {
            // Best effort: the error says that the download failed.
            let _ = fs::rename(to, from);
        }
        return Err(error);
    }
    Ok(())
}

/// Makes the names in a directory durable.
fn sync(directory: &Path) -> Result<()> {
    if cfg!(unix) {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|e| io_error(DOWNLOAD, directory, e))?;
    }
    Ok(())
}

fn no_directory(target: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, DOWNLOAD, "there is something that is no directory")
        .with("path", target.display())
        .with_hint("choose another directory")
}

fn not_empty(target: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, DOWNLOAD, "the directory is not empty")
        .with("path", target.display())
        .with_hint("choose another directory; what is there is never mixed with a model")
}
