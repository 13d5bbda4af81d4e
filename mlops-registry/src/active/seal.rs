//! Sealing: the chunks of a run's metrics become one Parquet object in the blob store.
//!
//! A chore, never a condition for anything: until it is done the points are in the database, and
//! whoever comes later can do it. Two processes may try at once: one of them finds its chunks gone.

use mlops_core::tracking::{BlobLocation, ChunkData, RunChanges, SealedMetrics, StoredChunk};
use mlops_core::{Error, ErrorKind, Result, RunId};

use crate::blobs::PutBlob;
use crate::history::chunk_bytes;
use crate::points::{self, PARQUET, Points};
use crate::tracking::Parts;

/// Fewer points than this stay in the database: a file for each small run would be a burden.
const SEAL_FROM: u64 = 1_000;
/// Sealed objects are merged into one at the end of a run if that stays below so many points.
const MERGE_AT_MOST: u64 = 4_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SealWhen {
    /// The run has ended: all chunks become one object, unless they are few points or very many.
    Ended,
    /// The run goes on: only what is in the database becomes an object.
    Running,
}

/// Puts the chunks of a run into one Parquet object, if that is worth it.
pub(crate) async fn seal(parts: &Parts, run: RunId, when: SealWhen) -> Result<()> {
    let chunks = parts.tracker.metric_chunks(run, None).await?;
    let inline = |chunk: &StoredChunk| matches!(chunk.data, ChunkData::Inline(_));
    let total: u64 = chunks.iter().map(|chunk| chunk.count).sum();
    if total < SEAL_FROM || (chunks.len() == 1 && !inline(&chunks[0])) {
        return Ok(());
    }
    let merge: &[StoredChunk] = if when == SealWhen::Ended && total <= MERGE_AT_MOST {
        &chunks
    } else {
        // The youngest stretch that is in the database, which nobody has sealed yet.
        let from = chunks.iter().rposition(|chunk| !inline(chunk)).map_or(0, |last| last + 1);
        &chunks[from..]
    };
    if merge.is_empty() {
        return Ok(());
    }
    let mut all = Points::default();
    for chunk in merge {
        let bytes = match chunk_bytes(parts, chunk).await {
            Ok(bytes) => bytes,
            // Another process sealed it and deleted the object while we were reading.
            Err(e) if is_resealed(parts, run, &chunks, &e).await? => return Ok(()),
            Err(e) => return Err(e),
        };
        all.append(&points::decode(chunk.codec, &bytes)?);
    }
    let bytes = all.encode_parquet()?;
    let blob = parts.blobs.put(bytes, PutBlob::default()).await?;
    let location = blob.location.clone();
    let sealed = SealedMetrics {
        replaces: merge.iter().map(|chunk| chunk.id).collect(),
        codec: PARQUET,
        count: all.len() as u64,
        blob,
    };
    let changes = RunChanges::default().with_seal(sealed);
    let unnamed = match parts.tracker.update_run(run, changes).await {
        Ok(unnamed) => unnamed,
        Err(e) => {
            delete_if_refused(parts, &location, &e).await;
            // Another process sealed it meanwhile: that is as good.
            return if e.kind() == ErrorKind::Conflict { Ok(()) } else { Err(e) };
        }
    };
    for location in unnamed {
        parts.blobs.delete(&location).await?;
    }
    Ok(())
}

/// Whether an object that could not be read is one that the run does not name any more.
pub(crate) async fn is_resealed(
    parts: &Parts,
    run: RunId,
    read: &[StoredChunk],
    error: &Error,
) -> Result<bool> {
    if error.kind() != ErrorKind::Corrupt {
        return Ok(false);
    }
    let now = parts.tracker.metric_chunks(run, None).await?;
    Ok(!now.iter().map(|chunk| chunk.id).eq(read.iter().map(|chunk| chunk.id)))
}

/// Deletes an object that a change offered, if the change was refused for certain. After any other
/// failure it may have been made, so the object stays; if nothing names it, a sweep finds it.
pub(crate) async fn delete_if_refused(parts: &Parts, location: &BlobLocation, error: &Error) {
    use ErrorKind::{AlreadyExists, Conflict, Denied, Invalid, NotFound};
    if matches!(error.kind(), AlreadyExists | Conflict | Denied | Invalid | NotFound) {
        let _ = parts.blobs.delete(location).await;
    }
}
