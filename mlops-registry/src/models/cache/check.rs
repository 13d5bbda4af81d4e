//! Whether a directory holds exactly a manifest's files.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use mlops_core::registry::ManifestFile;
use mlops_core::tracking::{Digest, check};
use mlops_core::{Error, Result};

use super::OP;
use crate::blobs::fault::{RESTORE_HINT, io_error};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 18;

/// The files that are missing or wrong in an entry, after everything that the manifest does not name
/// was removed from it; `None` if there is no entry.
pub(super) fn inspect(entry: &Path, files: &[ManifestFile]) -> Result<Option<Vec<ManifestFile>>> {
    match fs::symlink_metadata(entry) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            remove(entry)?;
            return Ok(None);
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(OP, entry, e)),
    }
    let named: HashMap<&str, &ManifestFile> = files.iter().map(|f| (f.path.as_str(), f)).collect();
    let directories: BTreeSet<&str> =
        files.iter().flat_map(|f| check::directories(&f.path)).collect();
    let mut open = vec![(entry.to_path_buf(), String::new())];
    while let Some((directory, prefix)) = open.pop() {
        let listed = fs::read_dir(&directory).map_err(|e| io_error(OP, &directory, e))?;
        for found in listed {
            let found = found.map_err(|e| io_error(OP, &directory, e))?;
            let path = found.path();
            let name = found.file_name().to_str().map(|name| format!("{prefix}{name}"));
            // Of the entry itself: what a link points to is not the cache's.
            let kind = found.file_type().map_err(|e| io_error(OP, &path, e))?;
            match name {
                Some(name) if kind.is_dir() && directories.contains(name.as_str()) => {
                    open.push((path, format!("{name}/")));
                }
                Some(name) if kind.is_file() && named.contains_key(name.as_str()) => {}
                _ => remove(&path)?,
            }
        }
    }
    let mut bad = Vec::new();
    for file in files {
        if digest_of(&entry.join(file.path.as_str()), file.size)? != Some(file.digest) {
            bad.push(file.clone());
        }
    }
    Ok(Some(bad))
}

/// Checks what was fetched, and makes it durable.
///
/// # Errors
/// `Corrupt`, naming the file.
pub(super) fn verify(directory: &Path, files: &[ManifestFile]) -> Result<()> {
    for file in files {
        let path = directory.join(file.path.as_str());
        let found = digest_of(&path, file.size)?;
        if found != Some(file.digest) {
            let error = Error::corrupt(OP, "other bytes were fetched than the manifest names")
                .with("file", &file.path)
                .with("expected_bytes", file.size)
                .with("expected_digest", file.digest);
            let error = match found {
                Some(digest) => error.with("found_digest", digest),
                None => error.with("found", "no file of this size"),
            };
            return Err(error.with_hint(RESTORE_HINT));
        }
        let synced = File::options().write(true).open(&path).and_then(|file| file.sync_all());
        synced.map_err(|e| io_error(OP, &path, e))?;
    }
    let directories: BTreeSet<&str> =
        files.iter().flat_map(|file| check::directories(&file.path)).collect();
    for name in directories.into_iter().chain([""]) {
        super::disk::sync_dir(&directory.join(name))?;
    }
    Ok(())
}

/// The digest of a regular file of this size; `None` if there is no such file, or of another size.
fn digest_of(path: &Path, size: u64) -> Result<Option<Digest>> {
    let failed = |e| io_error(OP, path, e);
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == size => {}
        Ok(_) => return Ok(None),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(failed(e)),
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        // Another process is putting it right.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let (mut hasher, mut read) = (blake3::Hasher::new(), 0_u64);
    let mut buffer = vec![0; READ_BYTES.min(usize::try_from(size).unwrap_or(usize::MAX).max(1))];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                read += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
        if read > size {
            return Ok(None);
        }
    }
    Ok((read == size).then(|| Digest(*hasher.finalize().as_bytes())))
}

/// Removes a file, a link or a whole directory; it may be gone already.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(OP, path, e)),
        _ => Ok(()),
    }
}
