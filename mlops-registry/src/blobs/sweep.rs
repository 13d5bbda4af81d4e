//! Finding and deleting what nobody names: a plan first, then its application.
//!
//! An upload whose caller died before it named the blob leaves an orphan. Two things make deleting
//! one safe: its age is far beyond the longest time between an upload and the commit of its name,
//! and equal bytes uploaded now lie elsewhere. The ages are the store's, so its clock and the
//! caller's should agree to well within the age asked for.

use std::collections::HashSet;
use std::future::Future;

use futures::future;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use mlops_core::Result;
use mlops_core::time::Instant;
use mlops_core::tracking::BlobLocation;
use object_store::path::Path;

use super::fault::store_error;
use super::{AREA, Blobs, digest_in, parse_location};

/// How many locations are asked about at once: fits the bound parameters of any database.
const ASK_AT_ONCE: usize = 500;

/// An object of the store that has the form of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBlob {
    /// Where it lies.
    pub location: BlobLocation,
    /// How many bytes it has.
    pub size: u64,
    /// When it was stored, by the store's clock.
    pub modified: Instant,
}

/// What a sweep took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many objects.
    pub objects: u64,
    /// How many bytes they held.
    pub bytes: u64,
}

impl Blobs {
    /// Everything that has the form of a blob, named or not, in no particular order.
    pub fn list(&self) -> BoxStream<'static, Result<StoredBlob>> {
        let prefix = self.prefix.clone();
        let area = prefix.clone().join(AREA);
        let failed_at = area.to_string();
        self.store
            .list(Some(&area))
            .map_err(move |e| store_error("blobs.list", &failed_at, e))
            .try_filter_map(move |object| {
                let blob = location_below(&prefix, &object.location).map(|location| StoredBlob {
                    location,
                    size: object.size,
                    modified: object.last_modified,
                });
                future::ready(Ok(blob))
            })
            .boxed()
    }

    /// The objects stored before `older_than` that nobody names; deletes nothing.
    ///
    /// `named` is given some locations and answers which of them are named, by metadata, snapshots
    /// or anything else that may want them back.
    pub async fn orphans<F, Answer>(
        &self,
        older_than: Instant,
        mut named: F,
    ) -> Result<Vec<StoredBlob>>
    where
        F: FnMut(Vec<BlobLocation>) -> Answer,
        Answer: Future<Output = Result<HashSet<BlobLocation>>>,
    {
        let mut orphans = Vec::new();
        let mut batches = self
            .list()
            .try_filter(|blob| future::ready(blob.modified < older_than))
            .chunks(ASK_AT_ONCE);
        while let Some(batch) = batches.next().await {
            let batch: Vec<StoredBlob> = batch.into_iter().collect::<Result<_>>()?;
            let named = named(batch.iter().map(|blob| blob.location.clone()).collect()).await?;
            orphans.extend(batch.into_iter().filter(|blob| !named.contains(&blob.location)));
        }
        Ok(orphans)
    }

    /// Deletes the [`orphans`](Self::orphans).
    pub async fn sweep<F, Answer>(&self, older_than: Instant, named: F) -> Result<Swept>
    where
        F: FnMut(Vec<BlobLocation>) -> Answer,
        Answer: Future<Output = Result<HashSet<BlobLocation>>>,
    {
        let orphans = self.orphans(older_than, named).await?;
        self.delete_all(orphans.iter().map(|blob| &blob.location)).await?;
        Ok(Swept {
            objects: orphans.len() as u64,
            bytes: orphans.iter().map(|blob| blob.size).sum(),
        })
    }

    /// Deletes an object; one that is gone already is no error.
    pub async fn delete(&self, location: &BlobLocation) -> Result<()> {
        self.delete_all([location]).await
    }

    /// Deletes objects, as many at once as the store takes; those gone already are no error.
    ///
    /// # Errors
    /// `Invalid` before anything is deleted if a location is none of this store; otherwise the
    /// first failure, after all were tried.
    pub async fn delete_all<'a>(
        &self,
        locations: impl IntoIterator<Item = &'a BlobLocation>,
    ) -> Result<()> {
        const OPERATION: &str = "blobs.delete";
        let mut paths = Vec::new();
        for location in locations {
            parse_location(OPERATION, location)?;
            paths.push(Ok(self.object_path(location)));
        }
        let mut deleted = self.store.delete_stream(stream::iter(paths).boxed());
        let mut outcome = Ok(());
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                // The store's message names the object; the stream does not say which one it was.
                Err(e) => outcome = outcome.and(Err(store_error(OPERATION, "", e))),
            }
        }
        outcome
    }
}

/// The location of the object at `path`, if it has the form of a blob below `prefix`.
fn location_below(prefix: &Path, path: &Path) -> Option<BlobLocation> {
    let parts: Vec<_> = path.prefix_match(prefix)?.map(|part| part.as_ref().to_owned()).collect();
    let location = parts.join("/");
    digest_in(&location).map(|_| BlobLocation(location))
}
