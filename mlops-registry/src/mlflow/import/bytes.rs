//! The files of a version on their way in: what the manifest says of them, and where their bytes are.
//!
//! Bytes that something in the store names already, such as those of the version's run, are named once
//! more and not stored again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use mlops_core::registry::{FileFormat, ManifestFile, RegisterVersion, Registered, Registry};
use mlops_core::tracking::{Artifact, Blob, Digest};
use mlops_core::{ArtifactPath, Error, ErrorKind, ModelName, Result};

use super::super::report::{FindingKind, Findings};
use super::OP;
use super::files::walk;
use super::place::MLMODEL;
use crate::active::seal::delete_if_refused;
use crate::blobs::{Blobs, Prepared, PutBlob};
use crate::blocking::blocking;
use crate::models::scan::{scan_bytes, scan_file};
use crate::spool::io_error;
use crate::tracking::Tracking;

/// No `MLmodel` file is longer, unless somebody means harm.
const MLMODEL_BYTES: u64 = 1 << 20;
/// What is larger is looked at in a file instead of in memory.
const IN_MEMORY_BYTES: u64 = 8 << 20;

/// Where the bytes of one digest are.
enum Content {
    /// In a local file.
    Local(Prepared),
    /// In the store, named by something else.
    Known(Blob),
}

/// The files of a version.
#[derive(Default)]
pub(super) struct Files {
    /// In the order of their paths.
    pub(super) list: Vec<ManifestFile>,
    contents: BTreeMap<Digest, Content>,
    /// The text of the `MLmodel` file, if there is one.
    pub(super) mlmodel: Option<Bytes>,
}

impl Files {
    /// Artifacts of a run under `prefix`, or the one file of that path.
    pub(super) async fn of_artifacts(
        blobs: &Blobs,
        artifacts: Vec<Artifact>,
        prefix: &str,
    ) -> Result<Self> {
        let mut files = Self::default();
        for Artifact { path, blob, .. } in artifacts {
            let below = path.strip_prefix(prefix).unwrap_or(&path).trim_start_matches('/');
            let below = if below.is_empty() { path.file_name() } else { below };
            let path = ArtifactPath::new(below)?;
            if path.as_str() == MLMODEL && blob.size <= MLMODEL_BYTES {
                files.mlmodel = Some(blobs.get_bytes(&blob).await?);
            }
            let format = stored_format(blobs, &path, &blob).await?;
            files.list.push(ManifestFile { path, digest: blob.digest, size: blob.size, format });
            files.contents.insert(blob.digest, Content::Known(blob));
        }
        files.list.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The regular files of a local folder.
    pub(super) async fn of_directory(
        blobs: &Blobs,
        directory: PathBuf,
        place: &str,
        findings: &mut Findings,
    ) -> Result<Self> {
        let (found, refused) = blocking(OP, move || Ok(walk(&directory))).await?;
        for example in refused {
            findings.add(FindingKind::ArtifactRefused, || format!("{place}: {example}"));
        }
        let mut files = Self::default();
        for (path, file) in found {
            let prepared = blobs.prepare(file.clone()).await?;
            let (digest, size) = (prepared.digest(), prepared.size());
            if path.as_str() == MLMODEL && size <= MLMODEL_BYTES {
                files.mlmodel = Some(read_small(file.clone()).await?);
            }
            let format = file_format(path.clone(), file).await?;
            files.list.push(ManifestFile { path, digest, size, format });
            files.contents.insert(digest, Content::Local(prepared));
        }
        files.list.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Registers a version of these files, and says how many objects were uploaded for it, and their
    /// bytes.
    pub(super) async fn register(
        &self,
        tracking: &Tracking,
        registry: &dyn Registry,
        model: &ModelName,
        mut options: RegisterVersion,
    ) -> Result<(Registered, u64, u64)> {
        let parts = tracking.parts();
        let mut uploaded: BTreeMap<Digest, Blob> = BTreeMap::new();
        let mut refused = None;
        loop {
            let before = std::mem::take(&mut options.objects);
            for (digest, content) in &self.contents {
                if let Some(blob) = uploaded.get(digest) {
                    options = options.with_uploaded(blob.clone());
                    continue;
                }
                // A purge may have let go of what was known: it is looked for anew each time.
                options = match (parts.tracker.find_blob(*digest).await?, content) {
                    (Some(known), _) => options.with_known(known),
                    (None, Content::Known(blob)) => return Err(gone(blob)),
                    (None, Content::Local(prepared)) => {
                        let blob = parts.blobs.upload(prepared, PutBlob::default()).await?;
                        uploaded.insert(*digest, blob.clone());
                        options.with_uploaded(blob)
                    }
                };
            }
            let error = match refused.take().filter(|_| options.objects == before) {
                // Nothing was let go of, so that is not why.
                Some(refused) => refused,
                None => match registry.register(model, options.clone()).await {
                    Ok(registered) => {
                        parts.blobs.delete_all(&registered.unneeded).await?;
                        let bytes = uploaded.values().map(|blob| blob.size).sum();
                        return Ok((registered, uploaded.len() as u64, bytes));
                    }
                    Err(e) if e.kind() == ErrorKind::Conflict => {
                        refused = Some(e);
                        continue;
                    }
                    Err(e) => e,
                },
            };
            for blob in uploaded.values() {
                delete_if_refused(parts, &blob.location, &error).await;
            }
            return Err(error);
        }
    }
}

fn gone(blob: &Blob) -> Error {
    Error::new(ErrorKind::Conflict, OP, "a file of the run is gone: it was purged meanwhile")
        .with("digest", blob.digest)
}

/// What kind of file it is, as far as loading it may run code.
async fn stored_format(blobs: &Blobs, path: &ArtifactPath, blob: &Blob) -> Result<FileFormat> {
    if blob.size <= IN_MEMORY_BYTES {
        let bytes = blobs.get_bytes(blob).await?;
        let path = path.clone();
        return blocking(OP, move || Ok(scan_bytes(&path, &bytes))).await;
    }
    let unmade = |e| {
        let place = tempfile::env::temp_dir();
        io_error("cannot make a temporary directory", &place, e)
    };
    let staging = tempfile::tempdir().map_err(unmade)?;
    let file = staging.path().join("object");
    blobs.download(blob, &file, crate::blobs::DownloadBlob::default()).await?;
    file_format(path.clone(), file).await
}

async fn read_small(file: PathBuf) -> Result<Bytes> {
    blocking(OP, move || match std::fs::read(&file) {
        Ok(bytes) => Ok(bytes.into()),
        Err(e) => Err(io_error("cannot read a file of a model", &file, e)),
    })
    .await
}

async fn file_format(path: ArtifactPath, file: PathBuf) -> Result<FileFormat> {
    blocking(OP, move || scan_file(&file, &path)).await
}
