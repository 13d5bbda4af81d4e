//! Where the bytes of a blob come from, and how their digest is learnt before they are stored.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use mlops_core::tracking::Digest;
use mlops_core::{Error, ErrorKind, Result};
use tempfile::TempPath;

use super::fault::{io_error, join_error};
use super::read::{Expected, READ_BYTES, Tally, file_pieces, verified};
use crate::blocking::off_thread;

/// Readers up to this size are kept in memory instead of in a temporary file.
const READER_IN_MEMORY_BYTES: u64 = 8 << 20;

/// Where the bytes of a blob come from.
///
/// Converts from `Bytes`, `Vec<u8>`, `&Path` and `PathBuf`; not from text, which could be either.
#[non_exhaustive]
pub enum BlobSource {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A regular file, or a link to one; not to be written to until the upload is done.
    File(PathBuf),
    /// Anything that can be read once, from its start to its end.
    Reader(Box<dyn Read + Send>),
}

impl BlobSource {
    /// What `reader` gives, to its end.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::Reader(Box::new(reader))
    }
}

impl fmt::Debug for BlobSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Reader(_) => f.write_str("Reader"),
        }
    }
}

impl From<Bytes> for BlobSource {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for BlobSource {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<PathBuf> for BlobSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for BlobSource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_path_buf())
    }
}

impl From<Box<dyn Read + Send>> for BlobSource {
    fn from(reader: Box<dyn Read + Send>) -> Self {
        Self::Reader(reader)
    }
}

/// Bytes whose digest is known and that wait for their upload.
///
/// Holds no open file. Dropping it removes the temporary file of a reader.
#[derive(Debug)]
pub struct Prepared {
    digest: Digest,
    size: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    File(PathBuf),
    Staged(Arc<TempPath>),
}

impl Prepared {
    /// The BLAKE3 digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes again, in chunks of `chunk_bytes` and a last smaller one, which comes only if all
    /// of them still have the digest.
    pub(super) async fn chunks(
        &self,
        chunk_bytes: usize,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        const OPERATION: &str = "blobs.upload";
        let path = match &self.content {
            Content::Bytes(bytes) => {
                let bytes = bytes.clone();
                let starts = (0..bytes.len()).step_by(chunk_bytes);
                let chunk = move |at: usize| {
                    Ok(bytes.slice(at..bytes.len().min(at.saturating_add(chunk_bytes))))
                };
                return Ok(stream::iter(starts.map(chunk)).boxed());
            }
            Content::File(path) => path.clone(),
            Content::Staged(staged) => staged.to_path_buf(),
        };
        let opened = path.clone();
        let (file, _) = run(OPERATION, move || open_regular(OPERATION, &opened)).await?;
        let changed = path.clone();
        let expected = Expected { digest: self.digest, size: self.size };
        let pieces =
            file_pieces(file, self.size, chunk_bytes, move |e| io_error(OPERATION, &path, e));
        Ok(verified(pieces, expected, move |found| {
            changed_meanwhile(OPERATION, &changed, expected, found)
        }))
    }
}

/// Learns digest and size; see [`super::Blobs::prepare`].
pub(super) async fn prepare(source: BlobSource, staging: Option<PathBuf>) -> Result<Prepared> {
    const OPERATION: &str = "blobs.prepare";
    run(OPERATION, move || match source {
        BlobSource::Bytes(bytes) => Ok(prepared_bytes(bytes)),
        BlobSource::File(path) => prepare_file(OPERATION, path),
        BlobSource::Reader(reader) => prepare_reader(OPERATION, reader, staging),
    })
    .await
}

fn prepared_bytes(bytes: Bytes) -> Prepared {
    let digest = Digest(*blake3::hash(&bytes).as_bytes());
    Prepared { digest, size: bytes.len() as u64, content: Content::Bytes(bytes) }
}

fn prepare_file(operation: &'static str, path: PathBuf) -> Result<Prepared> {
    let failed = |e| io_error(operation, &path, e);
    let (mut file, size) = open_regular(operation, &path)?;
    let mut tally = Tally::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => tally.add(&buffer[..read]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
        if tally.size() > size {
            break;
        }
    }
    let found = tally.end();
    if found.size != size {
        let expected = Expected { digest: found.digest, size };
        return Err(changed_meanwhile(operation, &path, expected, found));
    }
    Ok(Prepared { digest: found.digest, size, content: Content::File(path) })
}

fn prepare_reader(
    operation: &'static str,
    mut reader: Box<dyn Read + Send>,
    staging: Option<PathBuf>,
) -> Result<Prepared> {
    let unreadable = |e: io::Error| {
        // The caller's reader failed; what kind of error that is, only the caller knows.
        Error::unavailable(operation, "the reader failed").with_source(e)
    };
    let mut head = Vec::new();
    reader.by_ref().take(READER_IN_MEMORY_BYTES + 1).read_to_end(&mut head).map_err(unreadable)?;
    if head.len() as u64 <= READER_IN_MEMORY_BYTES {
        return Ok(prepared_bytes(head.into()));
    }
    let staging = staging.unwrap_or_else(tempfile::env::temp_dir);
    let (mut staged, path) = tempfile::Builder::new()
        .prefix("mlops-blob-")
        .tempfile_in(&staging)
        .map_err(|e| io_error(operation, &staging, e))?
        .into_parts();
    let mut tally = Tally::default();
    let mut store = |bytes: &[u8]| {
        tally.add(bytes);
        staged.write_all(bytes).map_err(|e| io_error(operation, &path, e))
    };
    store(&head)?;
    let mut buffer = head;
    buffer.resize(READ_BYTES, 0);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => store(&buffer[..read])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(unreadable(e)),
        }
    }
    let found = tally.end();
    let content = Content::Staged(Arc::new(path));
    Ok(Prepared { digest: found.digest, size: found.size, content })
}

/// Opens a regular file and says how long it is.
fn open_regular(operation: &'static str, path: &Path) -> Result<(File, u64)> {
    let failed = |e| io_error(operation, path, e);
    // Looked at before it is opened, as opening a pipe waits for somebody to write to it.
    let before = fs::metadata(path).map_err(failed)?;
    refuse_irregular(operation, path, &before)?;
    let file = File::open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    refuse_irregular(operation, path, &opened)?;
    Ok((file, opened.len()))
}

fn refuse_irregular(operation: &'static str, path: &Path, meta: &fs::Metadata) -> Result<()> {
    if meta.is_file() {
        return Ok(());
    }
    let what = if meta.is_dir() { "is a directory" } else { "is a pipe, socket or device" };
    Err(Error::invalid(operation, what)
        .with("path", path.display())
        .with_hint("give a regular file, or read it yourself and give the reader"))
}

fn changed_meanwhile(
    operation: &'static str,
    path: &Path,
    expected: Expected,
    found: Expected,
) -> Error {
    let error = Error::new(ErrorKind::Conflict, operation, "the file changed while it was read")
        .with("path", path.display())
        .with("expected_bytes", expected.size)
        .with("found_bytes", found.size);
    let error = if expected.digest == found.digest {
        error
    } else {
        error.with("expected_digest", expected.digest).with("found_digest", found.digest)
    };
    error.with_hint("put it again once nobody writes to it")
}

async fn run<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    off_thread(work).await.map_err(|e| join_error(operation, e))?
}
