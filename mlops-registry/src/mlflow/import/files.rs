//! The files of a run on their way in: which are new, and which cannot be taken.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use mlops_core::{ArtifactPath, Result, RunId};

use super::super::report::{FindingKind, Findings};
use super::OP;
use super::source::Place;
use crate::blocking::blocking;
use crate::tracking::Tracking;

/// The files that the run does not have yet, or has with other bytes.
pub(super) async fn new_files(
    tracking: &Tracking,
    run: RunId,
    artifacts: Option<Place>,
    findings: &mut Findings,
) -> Result<Vec<(ArtifactPath, PathBuf)>> {
    let root = match artifacts {
        None => return Ok(Vec::new()),
        Some(Place::Elsewhere(uri)) => {
            findings.add(FindingKind::ArtifactsUnreachable, || format!("run {run}: {uri}"));
            return Ok(Vec::new());
        }
        Some(Place::Directory(root)) => root,
    };
    let (files, refused) = blocking(OP, move || Ok(walk(&root))).await?;
    for example in refused {
        findings.add(FindingKind::ArtifactRefused, || format!("run {run}: {example}"));
    }
    let known = tracking.tracker().artifacts(run, "").await?;
    let known: HashMap<&str, _> =
        known.iter().map(|artifact| (artifact.path.as_str(), &artifact.blob)).collect();
    let mut new = Vec::new();
    for (path, file) in files {
        if let Some(blob) = known.get(path.as_str()) {
            let prepared = tracking.blobs().prepare(file.clone()).await;
            if prepared.is_ok_and(|prepared| prepared.digest() == blob.digest) {
                continue;
            }
        }
        new.push((path, file));
    }
    Ok(new)
}

/// The regular files below a directory with the paths that they get, and what cannot be taken. Links are
/// not followed: they could lead anywhere.
pub(super) fn walk(root: &Path) -> (Vec<(ArtifactPath, PathBuf)>, Vec<String>) {
    let (mut files, mut refused) = (Vec::new(), Vec::new());
    let mut open = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) => {
                refused.push(format!("{}: {e}", directory.display()));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let kind = entry.file_type().ok();
            let name = entry.file_name();
            let inner = name.to_str().map(|name| format!("{prefix}{name}"));
            match (kind, inner) {
                (Some(kind), Some(inner)) if kind.is_dir() => {
                    open.push((path, format!("{inner}/")));
                }
                (Some(kind), Some(inner)) if kind.is_file() => match ArtifactPath::new(inner) {
                    Ok(inner) => files.push((inner, path)),
                    Err(e) => refused.push(e.to_string()),
                },
                _ => refused.push(format!("{}: is no regular file", path.display())),
            }
        }
    }
    files.sort();
    refused.sort();
    (files, refused)
}
