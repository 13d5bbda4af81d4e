//! [`Blobs`]: immutable bytes over any object store, verified whenever they are read.
//!
//! Model files, plots, metric histories and datasets lie here; the metadata store keeps their
//! [`Blob`]: digest, size and location. The non-obvious decision is the location,
//! `blobs/<2 hex>/<64 hex digest>-<8 hex generation>`: the digest finds duplicates, the random
//! generation gives *every upload a place of its own*. With one place for each digest, a sweep that
//! has just found an object unnamed could delete it a moment after somebody uploaded equal bytes,
//! found them "already there", and named them. Here the uploader names its own object, which no
//! earlier listing contains.
//!
//! So deduplication belongs to the database and not to the store: [`Blobs::prepare`] computes the
//! digest, the caller asks its database whether it names equal bytes already, and only if not,
//! [`Blobs::upload`] stores them.
//!
//! Bytes are hashed once to learn the digest and again as they leave for the store, so that a file
//! that changes in between is an error and no object. Readers get the last chunk of a blob only
//! after its size and digest have matched: what ends without an error is what was written.
//!
//! What it does not do: encrypt, compress, split blobs into shared chunks, or read a part of a blob
//! (a part cannot be verified by the digest of the whole). Multipart uploads that a killed process
//! left behind are not listed here: a bucket needs a lifecycle rule for them, a directory
//! [`DurableLocal::sweep_staged`](crate::durable::DurableLocal::sweep_staged).

pub(crate) mod fault;
mod read;
mod source;
mod sweep;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use futures::future;
use futures::stream::{BoxStream, TryStreamExt};
use mlops_core::tracking::{Blob, BlobLocation, Digest};
use mlops_core::{Error, Result};
use object_store::path::Path;
use object_store::{
    GetOptions, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
};

pub use self::read::{BlobReader, DownloadBlob};
pub use self::source::{BlobSource, Prepared};
pub use self::sweep::{StoredBlob, Swept};

/// Told how many bytes of how many are done; called from whatever thread does the work.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// The first segment of every location.
const AREA: &str = "blobs";
/// Blobs up to this size are stored in one request, larger ones in parts of at least this size.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes 10,000 parts; the rest is distance.
const PARTS_AT_MOST: u64 = 9_000;
/// Parts that are on their way at once: hides the latency of a bucket, bounds the memory.
const PARTS_IN_FLIGHT: usize = 4;

/// Immutable bytes in an object store; cheap to clone.
///
/// Works under any executor; with tokio, blocking work goes to its blocking threads.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    staging: Option<PathBuf>,
}

/// How a blob is stored.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PutBlob {
    /// Told of the bytes that the store has taken; the last call, `(total, total)`, comes once the
    /// blob is stored for good. Hashing beforehand is not counted.
    pub progress: Option<Progress>,
}

impl PutBlob {
    /// Reports progress to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for PutBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutBlob").field("progress", &self.progress.is_some()).finish()
    }
}

impl Blobs {
    /// Blobs in `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, prefix: Path::default(), staging: None }
    }

    /// The same store, with `prefix` before every location; it is no part of the stored locations,
    /// so that a store can be moved.
    ///
    /// # Errors
    /// `Invalid` if `prefix` has an empty segment, or one of `.` and `..`.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self> {
        self.prefix = Path::parse(prefix).map_err(|e| {
            Error::invalid("blobs.with_prefix", "is no path of an object store")
                .with("prefix", prefix.escape_debug())
                .with_source(e)
        })?;
        Ok(self)
    }

    /// Gathers large readers in `directory` instead of the system's temporary one, which on many
    /// machines is memory. A killed process leaves its `mlops-blob-*` file there.
    pub fn with_staging_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.staging = Some(directory.into());
        self
    }

    /// Stores the bytes of `source`: [`prepare`](Self::prepare), then [`upload`](Self::upload).
    pub async fn put(&self, source: impl Into<BlobSource>, options: PutBlob) -> Result<Blob> {
        let prepared = self.prepare(source).await?;
        self.upload(&prepared, options).await
    }

    /// Learns digest and size of `source` and stores nothing.
    ///
    /// A file is read once, in constant memory. A reader is drained: into memory if it is small,
    /// else into a temporary file that goes away with the [`Prepared`].
    ///
    /// # Errors
    /// `NotFound` or `Denied` for a file that is not there or may not be read, `Invalid` if it is
    /// no regular file (links are followed), `Conflict` if it grows or shrinks meanwhile,
    /// `Unavailable` if the disk of the temporary file is full.
    pub async fn prepare(&self, source: impl Into<BlobSource>) -> Result<Prepared> {
        source::prepare(source.into(), self.staging.clone()).await
    }

    /// Stores what was prepared, under a new location.
    ///
    /// Durability: that of the store's acknowledgement. Atomicity: the object appears whole or not
    /// at all. After a failure the same [`Prepared`] may be uploaded again.
    ///
    /// # Errors
    /// `Conflict` if the file no longer has the prepared digest; `Unavailable` if the store is away
    /// or full; `Denied` if it may not be written.
    pub async fn upload(&self, prepared: &Prepared, options: PutBlob) -> Result<Blob> {
        const OPERATION: &str = "blobs.upload";
        let (digest, size) = (prepared.digest(), prepared.size());
        let blob = Blob { digest, size, location: new_location(digest) };
        let path = self.object_path(&blob.location);
        let part_bytes = part_bytes(size);
        let chunks = prepared.chunks(part_bytes).await?;
        if size <= part_bytes as u64 {
            let bytes: Vec<Bytes> = chunks.try_collect().await?;
            // Not create-only: the place is this upload's own anyway, and not every file system has
            // hard links nor every bucket conditional puts.
            let put =
                self.store.put_opts(&path, PutPayload::from_iter(bytes), PutOptions::default());
            put.await.map_err(|e| fault::store_error(OPERATION, path.as_ref(), e))?;
        } else {
            let upload = self.store.put_multipart_opts(&path, PutMultipartOptions::default());
            let mut upload =
                upload.await.map_err(|e| fault::store_error(OPERATION, path.as_ref(), e))?;
            let progress = options.progress.as_ref();
            if let Err(error) = send_parts(&mut *upload, chunks, &path, size, progress).await {
                // Best effort: the upload failed for a reason that says more than why it could not
                // be undone, and no object has appeared.
                drop(upload.abort().await);
                return Err(error);
            }
        }
        if let Some(progress) = &options.progress {
            progress(size, size);
        }
        Ok(blob)
    }

    /// Opens a blob for reading.
    ///
    /// # Errors
    /// `Corrupt` if the object is missing or has another size (or, from the stream, another
    /// digest); `Invalid` if the location is none of this store.
    pub async fn get(&self, blob: &Blob) -> Result<BlobReader> {
        const OPERATION: &str = "blobs.get";
        let named = parse_location(OPERATION, &blob.location)?;
        if named != blob.digest {
            return Err(Error::corrupt(OPERATION, "location and digest name different bytes")
                .with("location", &blob.location.0)
                .with("digest", blob.digest));
        }
        let path = self.object_path(&blob.location);
        match self.store.get_opts(&path, GetOptions::default()).await {
            Ok(object) => BlobReader::new(blob, object),
            Err(object_store::Error::NotFound { source, .. }) => {
                Err(Error::corrupt(OPERATION, "the object is named but missing")
                    .with("location", &path)
                    .with("expected_digest", blob.digest)
                    .with("expected_bytes", blob.size)
                    .with_hint(fault::RESTORE_HINT)
                    .with_source(source))
            }
            Err(e) => Err(fault::store_error(OPERATION, path.as_ref(), e)),
        }
    }

    /// All bytes of a blob, verified.
    pub async fn get_bytes(&self, blob: &Blob) -> Result<Bytes> {
        self.get(blob).await?.bytes().await
    }

    /// Writes a blob to the file `path`, verified and durable; its directory must exist.
    ///
    /// Atomicity: `path` is the whole blob or what it was before. The bytes are gathered in a
    /// temporary file beside it, which is removed on failure.
    ///
    /// # Errors
    /// `AlreadyExists` if there is something at `path` and [`overwrite`](DownloadBlob::overwrite)
    /// is not set; `Invalid` if it is a directory; otherwise as [`get`](Self::get), and `NotFound`,
    /// `Denied` or `Unavailable` for the directory.
    pub async fn download(
        &self,
        blob: &Blob,
        path: impl AsRef<FsPath>,
        options: DownloadBlob,
    ) -> Result<()> {
        read::download(self, blob, path.as_ref(), options).await
    }

    fn object_path(&self, location: &BlobLocation) -> Path {
        let parts = location.0.split('/').map(object_store::path::PathPart::from);
        self.prefix.parts().chain(parts).collect()
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs")
            .field("store", &self.store.to_string())
            .field("prefix", &self.prefix.as_ref())
            .field("staging", &self.staging)
            .finish()
    }
}

async fn send_parts(
    upload: &mut dyn MultipartUpload,
    chunks: BoxStream<'static, Result<Bytes>>,
    path: &Path,
    size: u64,
    progress: Option<&Progress>,
) -> Result<()> {
    let failed = |e| fault::store_error("blobs.upload", path.as_ref(), e);
    let mut done = 0;
    chunks
        .map_ok(|chunk| {
            let bytes = chunk.len() as u64;
            let part = upload.put_part(chunk.into());
            async move { part.await.map(|()| bytes).map_err(failed) }
        })
        .try_buffer_unordered(PARTS_IN_FLIGHT)
        .try_for_each(|bytes| {
            done += bytes;
            if let Some(progress) = progress.filter(|_| done < size) {
                progress(done, size);
            }
            future::ready(Ok(()))
        })
        .await?;
    upload.complete().await.map(drop).map_err(failed)
}

/// The size of the parts of a blob: constant memory, but never too many parts.
fn part_bytes(size: u64) -> usize {
    let parts = size.div_ceil(PARTS_AT_MOST).next_multiple_of(1 << 20).max(PART_BYTES);
    usize::try_from(parts).unwrap_or(usize::MAX)
}

fn new_location(digest: Digest) -> BlobLocation {
    let digest = digest.to_string();
    let shard = &digest[..2];
    BlobLocation(format!("{AREA}/{shard}/{digest}-{:08x}", new_generation()))
}

/// The digest that a location names.
///
/// A location may come from a damaged or foreign database: nothing but the exact form reaches the
/// store.
fn parse_location(operation: &'static str, location: &BlobLocation) -> Result<Digest> {
    digest_in(&location.0).ok_or_else(|| {
        Error::invalid(operation, "is no location of a blob")
            .with("location", location.0.escape_debug())
            .with_hint("locations read blobs/<2 hex>/<64 hex>-<8 hex>, as put returned them")
    })
}

pub(crate) fn digest_in(location: &str) -> Option<Digest> {
    let mut parts = location.split('/');
    let (area, shard, name) = (parts.next()?, parts.next()?, parts.next()?);
    let (digest, generation) = name.split_once('-')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let well_formed = area == AREA
        && parts.next().is_none()
        && digest.len() == 64
        && generation.len() == 8
        && digest.bytes().chain(generation.bytes()).all(is_hex)
        && digest.get(..2) == Some(shard);
    if well_formed { Digest::from_str(digest).ok() } else { None }
}

/// What keeps two uploads of equal bytes apart; the one place here that uses randomness.
#[expect(clippy::disallowed_methods, reason = "random on purpose: nothing may depend on its value")]
fn new_generation() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
