//! The files of an export: where they lie, what is there already, and how they get their names.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use mlops_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;

use super::super::document::Document;
use super::OP;
use crate::blobs::BlobReader;
use crate::blocking::blocking;
use crate::spool::io_error;

/// Looks at both places before anything is written; the temporary file lies beside the database.
pub(super) fn prepare(
    database: &Path,
    artifacts: &Path,
    overwrite: bool,
) -> Result<(NamedTempFile, PathBuf)> {
    if !overwrite && database.symlink_metadata().is_ok() {
        return Err(exists("there is something at the path of the database", database));
    }
    let parent = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        return Err(Error::not_found(OP, "the directory of the database does not exist")
            .with("path", parent.display()));
    }
    let mut builder = tempfile::Builder::new();
    let builder = plain_permissions(builder.prefix(".mlops-export-"));
    let file =
        builder.tempfile_in(parent).map_err(|e| failed("cannot write the database", parent, e))?;
    let root = std::path::absolute(artifacts)
        .map_err(|e| failed("cannot find the directory of the artifacts", artifacts, e))?;
    fs::create_dir_all(&root)
        .map_err(|e| failed("cannot make the directory of the artifacts", &root, e))?;
    Ok((file, root))
}

fn failed(message: &'static str, path: &Path, source: io::Error) -> Error {
    io_error(message, path, source).with("during", OP)
}

fn exists(message: &'static str, path: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, OP, message)
        .with("path", path.display())
        .with_hint("choose another path, or ask to overwrite")
}

/// What an ordinary new file gets; the default of a temporary one is for its owner alone.
fn plain_permissions<'b, 'p, 's>(
    builder: &'b mut tempfile::Builder<'p, 's>,
) -> &'b mut tempfile::Builder<'p, 's> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Whether the file is there with these bytes already. Makes its directory if not.
pub(super) fn is_there(path: &Path, size: u64, digest: [u8; 32], overwrite: bool) -> Result<bool> {
    let unreadable = |e| failed("cannot look at a file of an earlier export", path, e);
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == size => {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(File::open(path).map_err(unreadable)?).map_err(unreadable)?;
            if *hasher.finalize().as_bytes() == digest {
                return Ok(true);
            }
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .map_err(|e| failed("cannot make a directory for artifacts", parent, e))?;
            }
            return Ok(false);
        }
        Err(e) => return Err(unreadable(e)),
    }
    if overwrite {
        Ok(false)
    } else {
        Err(exists("another file lies where an artifact would", path))
    }
}

/// Streams a blob into a temporary file that gets the name only after the digest was found right.
/// Not synced one by one: all are, before the database names them.
pub(super) async fn write_file(mut bytes: BlobReader, path: &Path) -> Result<()> {
    let target = path.to_owned();
    let stage = move || {
        let parent = target.parent().unwrap_or(&target);
        let mut builder = tempfile::Builder::new();
        plain_permissions(builder.prefix(".mlops-export-"))
            .tempfile_in(parent)
            .map_err(|e| failed("cannot write an artifact", parent, e))
    };
    let mut staged = blocking(OP, stage).await?;
    while let Some(chunk) = bytes.try_next().await? {
        let target = path.to_owned();
        staged = blocking(OP, move || {
            staged.write_all(&chunk).map_err(|e| failed("cannot write an artifact", &target, e))?;
            Ok(staged)
        })
        .await?;
    }
    let target = path.to_owned();
    blocking(OP, move || match staged.persist(&target) {
        Ok(_) => Ok(()),
        Err(e) => Err(failed("cannot name an artifact", &target, e.error)),
    })
    .await
}

/// What a version knows, unless it is there already. That of an earlier export is replaced: unlike its
/// files, what is known of a version changes.
pub(super) async fn write_document(bytes: Vec<u8>, path: &Path, overwrite: bool) -> Result<()> {
    let target = path.to_owned();
    blocking(OP, move || {
        let overwrite = overwrite || Document::is_at(&target);
        let digest = *blake3::hash(&bytes).as_bytes();
        if is_there(&target, bytes.len() as u64, digest, overwrite)? {
            return Ok(());
        }
        let unwritten = |e| failed("cannot write the document of a version", &target, e);
        let parent = target.parent().unwrap_or(&target);
        let mut builder = tempfile::Builder::new();
        let mut staged = plain_permissions(builder.prefix(".mlops-export-"))
            .tempfile_in(parent)
            .map_err(unwritten)?;
        staged.write_all(&bytes).map_err(unwritten)?;
        staged.persist(&target).map_err(|e| unwritten(e.error))?;
        Ok(())
    })
    .await
}

/// Artifacts to the disk, then the database, then its name.
pub(super) fn publish(
    file: NamedTempFile,
    database: &Path,
    root: &Path,
    overwrite: bool,
) -> Result<()> {
    let unsynced = |e: io::Error| failed("cannot bring the export to the disk", database, e);
    #[cfg(target_os = "linux")]
    {
        let directory = File::open(root).map_err(unsynced)?;
        rustix::fs::syncfs(&directory).map_err(|e| unsynced(e.into()))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = root;
    file.as_file().sync_all().map_err(unsynced)?;
    if overwrite {
        // A log that the replaced database left would be played onto the new one.
        for suffix in ["-wal", "-shm", "-journal"] {
            let mut beside = database.as_os_str().to_owned();
            beside.push(suffix);
            match fs::remove_file(&beside) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unsynced(e)),
                _ => {}
            }
        }
    }
    let persisted =
        if overwrite { file.persist(database) } else { file.persist_noclobber(database) };
    match persisted {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(exists("there is something at the path of the database", database))
        }
        Err(e) => Err(unsynced(e.error)),
    }
}
