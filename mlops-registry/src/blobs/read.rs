//! Reading bytes and proving, before the last of them is handed out, that they are the right ones.
//!
//! One combinator, [`verified`], serves both directions: a blob that is read (a mismatch means
//! `Corrupt`) and a file that is uploaded (a mismatch means that it changed, `Conflict`). Hashing
//! happens where the bytes are read, while they are in the processor's cache and off the executor.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use mlops_core::tracking::{Blob, Digest};
use mlops_core::{Error, ErrorKind, Result};
use object_store::{GetResult, GetResultPayload};
use tempfile::NamedTempFile;

use super::fault::{RESTORE_HINT, io_error, join_error, store_error};
use super::{Blobs, Progress};
use crate::blocking::off_thread;

/// How much is read from a file before it is hashed: fits the second-level cache.
pub(super) const READ_BYTES: usize = 256 << 10;
/// How much a reader gets at once from a local file.
const CHUNK_BYTES: usize = 1 << 20;

/// A blob being read: a stream of its bytes.
///
/// The last chunk comes only after size and digest have matched, so a reader that reaches the end
/// without an error has what was written; one that stops early has unverified bytes.
pub struct BlobReader {
    size: u64,
    chunks: BoxStream<'static, Result<Bytes>>,
}

impl BlobReader {
    pub(super) fn new(blob: &Blob, object: GetResult) -> Result<Self> {
        const OPERATION: &str = "blobs.get";
        let expected = Expected { digest: blob.digest, size: blob.size };
        let location = object.meta.location;
        if object.meta.size != expected.size {
            return Err(corrupt(location.as_ref(), expected, None, object.meta.size));
        }
        let pieces = match object.payload {
            GetResultPayload::File(file, path) => {
                file_pieces(file, blob.size, CHUNK_BYTES, move |e| io_error(OPERATION, &path, e))
            }
            GetResultPayload::Stream(bytes) => {
                let location = location.clone();
                let bytes =
                    bytes.map_err(move |e| store_error(OPERATION, location.as_ref(), e)).boxed();
                stream_pieces(bytes)
            }
        };
        let chunks = verified(pieces, expected, move |found| {
            corrupt(location.as_ref(), expected, Some(found.digest), found.size)
        });
        Ok(Self { size: blob.size, chunks })
    }

    /// How many bytes come in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All bytes at once.
    pub async fn bytes(mut self) -> Result<Bytes> {
        let Some(first) = self.chunks.try_next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunks.try_next().await? else {
            return Ok(first);
        };
        // The store said this size before it sent anything, so it is no empty promise.
        let mut all = BytesMut::with_capacity(usize::try_from(self.size).unwrap_or(0));
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(chunk) = self.chunks.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(cx)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader").field("size", &self.size).finish_non_exhaustive()
    }
}

/// How a blob is written to a file.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct DownloadBlob {
    /// Whether a file that is there already is replaced.
    pub overwrite: bool,
    /// Told of the bytes that are written; the last call, `(total, total)`, comes once the file has
    /// its name.
    pub progress: Option<Progress>,
}

impl DownloadBlob {
    /// Replaces a file that is there already.
    #[must_use]
    pub fn with_overwrite(mut self) -> Self {
        self.overwrite = true;
        self
    }

    /// Reports progress to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for DownloadBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadBlob")
            .field("overwrite", &self.overwrite)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

/// Digest and size: of what should be there, or of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// A digest in the making.
#[derive(Default)]
pub(super) struct Tally {
    hasher: blake3::Hasher,
    size: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn end(&self) -> Expected {
        Expected { digest: Digest(*self.hasher.finalize().as_bytes()), size: self.size }
    }
}

/// Bytes, and after the last of them what they were.
pub(super) enum Piece {
    Chunk(Bytes),
    End(Expected),
}

/// Holds back the last chunk until the end has been compared with what is expected.
pub(super) fn verified(
    pieces: BoxStream<'static, Result<Piece>>,
    expected: Expected,
    mismatch: impl Fn(Expected) -> Error + Send + 'static,
) -> BoxStream<'static, Result<Bytes>> {
    let start = (pieces.fuse(), None::<Bytes>, mismatch);
    stream::try_unfold(start, move |(mut pieces, mut held, mismatch)| async move {
        while let Some(piece) = pieces.try_next().await? {
            let ready = match piece {
                Piece::Chunk(chunk) => held.replace(chunk),
                Piece::End(found) if found == expected => held.take(),
                Piece::End(found) => return Err(mismatch(found)),
            };
            if let Some(ready) = ready {
                return Ok(Some((ready, (pieces, held, mismatch))));
            }
        }
        Ok(None)
    })
    .boxed()
}

/// Chunks of a file from where it stands, hashed as they are read, off the executor.
///
/// Stops one byte after `size`: enough to see that the file is longer, however fast it grows.
pub(super) fn file_pieces(
    file: File,
    size: u64,
    chunk_bytes: usize,
    failed: impl Fn(io::Error) -> Error + Send + 'static,
) -> BoxStream<'static, Result<Piece>> {
    let limit = size.saturating_add(1);
    let start = Some((file, Box::new(Tally::default()), failed));
    stream::try_unfold(start, move |state| async move {
        let Some((mut file, mut tally, failed)) = state else {
            return Ok(None);
        };
        // Reserved here, on one of the executor's few threads: the C library keeps what is freed
        // apart for each thread that asked for it, and there are many blocking threads.
        let wanted = chunk_bytes.min(usize::try_from(limit - tally.size()).unwrap_or(usize::MAX));
        let mut chunk = Vec::with_capacity(wanted);
        let read = off_thread(move || {
            let chunk = fill(&mut chunk, wanted, &mut file, &mut tally).map(|()| chunk);
            (file, tally, chunk)
        });
        let (file, tally, chunk) = read.await.map_err(|e| join_error("blobs.read", e))?;
        let chunk = chunk.map_err(&failed)?;
        if chunk.is_empty() {
            return Ok(Some((Piece::End(tally.end()), None)));
        }
        Ok(Some((Piece::Chunk(chunk.into()), Some((file, tally, failed)))))
    })
    .boxed()
}

/// Chunks as a remote store sends them; they are small, so hashing them does not hold up others.
fn stream_pieces(bytes: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Piece>> {
    let start = Some((bytes, Box::new(Tally::default())));
    stream::try_unfold(start, |state| async move {
        let Some((mut bytes, mut tally)) = state else {
            return Ok(None);
        };
        Ok(Some(match bytes.try_next().await? {
            Some(chunk) => {
                tally.add(&chunk);
                (Piece::Chunk(chunk), Some((bytes, tally)))
            }
            None => (Piece::End(tally.end()), None),
        }))
    })
    .boxed()
}

/// Reads `wanted` bytes; fewer at the end of the file, none after it.
fn fill(chunk: &mut Vec<u8>, wanted: usize, file: &mut File, tally: &mut Tally) -> io::Result<()> {
    while chunk.len() < wanted {
        let start = chunk.len();
        let step = READ_BYTES.min(wanted - start);
        file.take(step as u64).read_to_end(chunk)?;
        if chunk.len() == start {
            break;
        }
        tally.add(&chunk[start..]);
    }
    Ok(())
}

/// Writes a blob to a file; see [`Blobs::download`].
pub(super) async fn download(
    blobs: &Blobs,
    blob: &Blob,
    path: &Path,
    options: DownloadBlob,
) -> Result<()> {
    let target = path.to_path_buf();
    let overwrite = options.overwrite;
    let mut staged = off(move || stage_beside(&target, overwrite)).await?;
    let mut chunks = blobs.get(blob).await?;
    let mut done = 0;
    while let Some(chunk) = chunks.try_next().await? {
        done += chunk.len() as u64;
        let target = path.to_path_buf();
        let written = off(move || {
            staged.write_all(&chunk).map_err(|e| io_error(DOWNLOAD, &target, e))?;
            Ok(staged)
        });
        staged = written.await?;
        if let Some(progress) = options.progress.as_ref().filter(|_| done < blob.size) {
            progress(done, blob.size);
        }
    }
    let target = path.to_path_buf();
    off(move || publish(staged, &target, overwrite)).await?;
    if let Some(progress) = &options.progress {
        progress(blob.size, blob.size);
    }
    Ok(())
}

const DOWNLOAD: &str = "blobs.download";

/// A temporary file in the directory of `path`, removed when dropped.
fn stage_beside(path: &Path, overwrite: bool) -> Result<NamedTempFile> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            return Err(Error::invalid(DOWNLOAD, "is a directory").with("path", path.display()));
        }
        Ok(_) if !overwrite => return Err(exists(path)),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error(DOWNLOAD, path, e)),
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mlops-download-");
    #[cfg(unix)]
    {
        // What an ordinary new file gets; the default of a temporary one is for its owner alone.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let directory = directory_of(path);
    builder.tempfile_in(&directory).map_err(|e| io_error(DOWNLOAD, &directory, e))
}

/// Bytes, fsync, name, fsync of the directory: as in [`crate::durable`].
fn publish(staged: NamedTempFile, path: &Path, overwrite: bool) -> Result<()> {
    let failed = |e| io_error(DOWNLOAD, path, e);
    staged.as_file().sync_all().map_err(failed)?;
    let persisted = if overwrite { staged.persist(path) } else { staged.persist_noclobber(path) };
    persisted.map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed(e.error),
    })?;
    if cfg!(unix) {
        File::open(directory_of(path))
            .and_then(|directory| directory.sync_all())
            .map_err(failed)?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::AlreadyExists, DOWNLOAD, "there is something at that path")
        .with("path", path.display())
        .with_hint("choose another path, or ask to overwrite")
}

fn corrupt(location: &str, expected: Expected, found: Option<Digest>, found_bytes: u64) -> Error {
    let error = Error::corrupt("blobs.get", "stored bytes are not what was written")
        .with("location", location)
        .with("expected_bytes", expected.size)
        .with("found_bytes", found_bytes)
        .with("expected_digest", expected.digest);
    let error = match found {
        Some(digest) => error.with("found_digest", digest),
        None => error,
    };
    error.with_hint(RESTORE_HINT)
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    off_thread(work).await.map_err(|e| join_error(DOWNLOAD, e))?
}
