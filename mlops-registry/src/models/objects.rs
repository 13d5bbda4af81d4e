//! Bringing the bytes of a version's files under a name: bytes first, row second, and nothing twice.
//!
//! Bytes that something in the store names already are offered as *known*; only the rest is uploaded.
//! A purge may let go of a known object between our look and our call: the backend says `Conflict`, and
//! what we have the bytes of is uploaded then. What was uploaded for a call that was refused is deleted
//! again; what a killed process leaves is named by nobody, and found by a sweep.

use std::collections::BTreeMap;

use mlops_core::registry::{CreateModel, RegisterVersion, Registered, VersionObject};
use mlops_core::tracking::{Blob, Digest};
use mlops_core::{Error, ErrorKind, ModelName, Result};
use tempfile::TempPath;

use super::engine::{Models, overtaken};
use crate::blobs::{Blobs, DownloadBlob, Prepared, PutBlob};
use crate::spool::io_error;

/// How often known objects may vanish under a call.
const ATTEMPTS: usize = 4;
/// Objects of another store up to this size are carried over in memory, larger ones in a file.
const IN_MEMORY_BYTES: u64 = 8 << 20;

/// Where the bytes of one digest are.
#[derive(Debug)]
pub(super) enum Content {
    /// With us, to be uploaded if nobody names equal ones; perhaps in a temporary file.
    Local { prepared: Prepared, _staged: Option<TempPath> },
    /// In the store, named by something else.
    Known(Blob),
    /// In another store.
    Elsewhere(Blobs, Blob),
}

/// Registers a version whose files have these contents, one for each digest. The model is made if it is
/// not there.
pub(super) async fn register(
    models: &Models,
    model: &ModelName,
    mut options: RegisterVersion,
    contents: &BTreeMap<Digest, Content>,
) -> Result<Registered> {
    let mut offers = BTreeMap::new();
    let (mut attempt, mut made) = (1, false);
    loop {
        if let Err(e) = offer(models, contents, &mut offers, attempt).await {
            // No call has offered them, so nothing can name them.
            take_back(models.tracking().blobs(), &offers).await;
            return Err(e);
        }
        options.objects = offers.values().cloned().collect();
        let error = match models.registry().register(model, options.clone()).await {
            Ok(registered) => {
                // Best effort: the version is there, and a sweep finds what stays.
                let _ = models.tracking().blobs().delete_all(&registered.unneeded).await;
                return Ok(registered);
            }
            Err(e) => e,
        };
        match error.kind() {
            // Asked only now: most versions are those of models that are there.
            ErrorKind::NotFound if !made => {
                made = true;
                match models.registry().create_model(model, CreateModel::default()).await {
                    Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                        take_back(models.tracking().blobs(), &offers).await;
                        return Err(e);
                    }
                    // Made, by us or by somebody else at the same instant.
                    _ => {}
                }
            }
            ErrorKind::Conflict if offers.values().any(|offer| !offer.uploaded) => {
                if attempt == ATTEMPTS {
                    take_back(models.tracking().blobs(), &offers).await;
                    return Err(overtaken("models.register", error));
                }
                attempt += 1;
                offers.retain(|_, offer| offer.uploaded);
            }
            kind => {
                if is_refusal(kind) {
                    take_back(models.tracking().blobs(), &offers).await;
                }
                return Err(error);
            }
        }
    }
}

/// Finds or uploads the object of each digest that has no offer yet.
async fn offer(
    models: &Models,
    contents: &BTreeMap<Digest, Content>,
    offers: &mut BTreeMap<Digest, VersionObject>,
    attempt: usize,
) -> Result<()> {
    let tracker = models.tracking().tracker();
    for (digest, content) in contents {
        if offers.contains_key(digest) {
            continue;
        }
        let known = match content {
            Content::Known(blob) if attempt == 1 => Some(blob.clone()),
            // The second time round, what can be uploaded is.
            Content::Local { .. } | Content::Elsewhere(..) if attempt > 1 => None,
            _ => tracker.find_blob(*digest).await?,
        };
        let offer = if let Some(blob) = known {
            VersionObject { blob, uploaded: false }
        } else {
            VersionObject {
                blob: upload(models.tracking().blobs(), content).await?,
                uploaded: true,
            }
        };
        offers.insert(*digest, offer);
    }
    Ok(())
}

async fn upload(blobs: &Blobs, content: &Content) -> Result<Blob> {
    match content {
        Content::Local { prepared, .. } => blobs.upload(prepared, PutBlob::default()).await,
        Content::Known(blob) => {
            let message = "a file of the run is gone: it was purged meanwhile";
            Err(Error::new(ErrorKind::Conflict, "models.register", message)
                .with("digest", blob.digest))
        }
        Content::Elsewhere(from, blob) if blob.size <= IN_MEMORY_BYTES => {
            let bytes = from.get_bytes(blob).await?;
            checked(blobs.put(bytes, PutBlob::default()).await?, blob.digest)
        }
        Content::Elsewhere(from, blob) => {
            let staging = tempfile::tempdir().map_err(|e| {
                io_error("cannot make a temporary directory", &tempfile::env::temp_dir(), e)
            })?;
            let path = staging.path().join("object");
            from.download(blob, &path, DownloadBlob::default()).await?;
            checked(blobs.put(path, PutBlob::default()).await?, blob.digest)
        }
    }
}

/// The digest of what was stored is that of what was read, or else the disk between is faulty.
fn checked(stored: Blob, read: Digest) -> Result<Blob> {
    if stored.digest == read {
        return Ok(stored);
    }
    Err(Error::corrupt("models.copy", "the bytes changed on their way")
        .with("expected_digest", read)
        .with("found_digest", stored.digest))
}

/// Whether a call that ends so has certainly changed nothing.
fn is_refusal(kind: ErrorKind) -> bool {
    use ErrorKind::{AlreadyExists, Conflict, Denied, Invalid, NotFound};
    matches!(kind, AlreadyExists | Conflict | Denied | Invalid | NotFound)
}

/// Deletes what was uploaded, as far as that goes; a sweep finds the rest.
async fn take_back(blobs: &Blobs, offers: &BTreeMap<Digest, VersionObject>) {
    let uploaded = offers.values().filter(|offer| offer.uploaded);
    let _ = blobs.delete_all(uploaded.map(|offer| &offer.blob.location)).await;
}
