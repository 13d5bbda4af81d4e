//! Walking a local directory on its way into a run.

use std::fs;
use std::path::{Path, PathBuf};

use mlops_core::{ArtifactPath, Error, Result};

use crate::spool::io_error;

/// The regular files under `directory` with the path that each gets under `prefix`, by path.
///
/// # Errors
/// `Invalid` for a name that cannot be part of an artifact path, or a link: following it could store
/// what lies outside the directory.
pub(crate) fn files_of(directory: &Path, prefix: &str) -> Result<Vec<(ArtifactPath, PathBuf)>> {
    let prefix = prefix.trim_matches('/');
    let mut found = Vec::new();
    let mut open = vec![(directory.to_owned(), prefix.to_owned())];
    while let Some((directory, at)) = open.pop() {
        let failed = |e| io_error("cannot read the directory", &directory, e);
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let invalid = |message: &'static str| {
                Error::invalid("tracking.put_artifacts", message).with("path", path.display())
            };
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| invalid("a name is not UTF-8"))?;
            let inner = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                open.push((path, inner));
            } else if kind.is_file() {
                found.push((ArtifactPath::new(inner)?, path));
            } else {
                return Err(invalid("is a link or a device, not a regular file"));
            }
        }
    }
    found.sort();
    Ok(found)
}
