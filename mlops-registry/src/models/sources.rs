//! Looking at the files of a version before it is registered: digest, size, format.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use bytes::Bytes;
use mlops_core::registry::{FileFormat, ManifestFile};
use mlops_core::tracking::{Blob, Digest};
use mlops_core::{ArtifactPath, Error, Result};
use tempfile::TempPath;

use super::objects::Content;
use super::scan::{scan_bytes, scan_file};
use crate::blobs::fault::join_error;
use crate::blobs::{BlobSource, Blobs, DownloadBlob};
use crate::blocking::off_thread;
use crate::spool::io_error;

/// What is larger is looked at in a file instead of in memory.
const IN_MEMORY_BYTES: u64 = 8 << 20;

/// Where a file of a version comes from.
pub(super) enum Source {
    /// From the caller.
    Given(BlobSource),
    /// From the store, where something else names it.
    Stored(Blob),
}

/// What a manifest says about a file, and where its bytes are.
pub(super) async fn look_at(
    blobs: &Blobs,
    path: ArtifactPath,
    source: Source,
) -> Result<(ManifestFile, Content)> {
    let (format, content) = match source {
        Source::Stored(blob) => {
            (format_of_stored(blobs, &path, &blob).await?, Content::Known(blob))
        }
        Source::Given(given) => {
            // Looked at twice, and a reader gives its bytes only once.
            let (looked_at, given, staged) = twice(given).await?;
            let format = format_of(&path, looked_at).await?;
            (format, Content::Local { prepared: blobs.prepare(given).await?, _staged: staged })
        }
    };
    let (digest, size) = match &content {
        Content::Local { prepared, .. } => (prepared.digest(), prepared.size()),
        Content::Known(blob) | Content::Elsewhere(_, blob) => (blob.digest, blob.size),
    };
    Ok((ManifestFile { path, digest, size, format }, content))
}

/// The name of a lock file, as it was given, and its digest.
pub(super) async fn lock_file(blobs: &Blobs, path: PathBuf) -> Result<(String, Digest)> {
    let name = path.to_string_lossy().into_owned();
    Ok((name, blobs.prepare(path).await?.digest()))
}

/// What can be looked at again: bytes, or the path of a file.
enum Settled {
    Bytes(Bytes),
    File(PathBuf),
}

async fn twice(given: BlobSource) -> Result<(Settled, BlobSource, Option<TempPath>)> {
    let (settled, staged) = match given {
        BlobSource::Bytes(bytes) => (Settled::Bytes(bytes), None),
        BlobSource::File(path) => (Settled::File(path), None),
        BlobSource::Reader(reader) => off(move || drain(reader)).await?,
    };
    let again = match &settled {
        Settled::Bytes(bytes) => bytes.clone().into(),
        Settled::File(path) => path.clone().into(),
    };
    Ok((settled, again, staged))
}

/// Reads to the end: into memory if it is little, else into a file that goes away with its path.
fn drain(mut reader: Box<dyn Read + Send>) -> Result<(Settled, Option<TempPath>)> {
    let failed = |e: io::Error| {
        // The caller's reader failed; what kind of error that is, only the caller knows.
        Error::unavailable("models.register", "a reader failed").with_source(e)
    };
    let mut head = Vec::new();
    reader.by_ref().take(IN_MEMORY_BYTES + 1).read_to_end(&mut head).map_err(failed)?;
    if head.len() as u64 <= IN_MEMORY_BYTES {
        return Ok((Settled::Bytes(head.into()), None));
    }
    let staged = tempfile::Builder::new().prefix("mlops-model-").tempfile();
    let (mut file, path) = staged.map_err(failed)?.into_parts();
    file.write_all(&head).map_err(failed)?;
    io::copy(&mut reader, &mut file).map_err(failed)?;
    Ok((Settled::File(path.to_path_buf()), Some(path)))
}

async fn format_of(path: &ArtifactPath, settled: Settled) -> Result<FileFormat> {
    let name = path.clone();
    off(move || match settled {
        Settled::Bytes(bytes) => Ok(scan_bytes(&name, &bytes)),
        Settled::File(file) => scan_file(&file, &name),
    })
    .await
}

async fn format_of_stored(blobs: &Blobs, path: &ArtifactPath, blob: &Blob) -> Result<FileFormat> {
    if blob.size <= IN_MEMORY_BYTES {
        return format_of(path, Settled::Bytes(blobs.get_bytes(blob).await?)).await;
    }
    let staging = tempfile::Builder::new().prefix("mlops-model-").tempdir().map_err(|e| {
        io_error("cannot make a temporary directory", &tempfile::env::temp_dir(), e)
    })?;
    let file = staging.path().join("object");
    blobs.download(blob, &file, DownloadBlob::default()).await?;
    format_of(path, Settled::File(file)).await
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    off_thread(work).await.map_err(|e| join_error("models.register", e))?
}
