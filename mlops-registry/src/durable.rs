//! [`DurableLocal`]: a directory as an object store whose acknowledged writes survive power loss.
//!
//! For everything that keeps immutable objects in files: a metadata row may name an object only
//! once the object is durable, or a crash leaves a name without bytes. `object_store`'s own
//! `LocalFileSystem` (0.13.2) never calls `fsync`, neither for a file nor for the directory entry
//! that makes it findable. The non-obvious decision: calling `fsync` *after* its `put` would not
//! do. It renames first, so a crash in between could show a torn object under its final name, or
//! lose the good one that was replaced. So puts are written here, in the order *bytes, fsync, name,
//! fsync of the directories*, and only what does not write bytes (get, list, copy, rename, delete)
//! is delegated, with an `fsync` on the safe side of it.
//!
//! Staged bytes lie beside their target as `name#1`, the form that `LocalFileSystem` hides from
//! listings. A killed process leaves such a file behind; [`DurableLocal::sweep_staged`] takes it
//! away.
//!
//! Symbolic links below the root are refused, wherever they lead: a link is how a careless copy of
//! a store ends in two stores that share bytes, and how a read leaves the directory that the
//! operator granted. The root itself may be one. The check precedes the access, so it guards
//! against accidents and not against somebody who can write to the directory at the same moment;
//! that is what the permissions of the directory are for.

mod disk;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use mlops_core::time::Instant;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
};

use self::disk::{Disk, DiskError};
use self::upload::DurableUpload;
use crate::blobs::fault::{io_error, store_error};
use crate::blocking::off_thread;

/// How many listed or deleted objects are looked at in one step off the executor.
const BATCH: usize = 256;

/// A directory as an [`ObjectStore`] whose acknowledged writes survive power loss.
///
/// Durable when the call returns: the bytes, the name, and every directory on the way that may be
/// new. An `fsync` that fails fails the call. Clones share one directory.
#[derive(Clone)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    disk: Arc<Disk>,
}

/// What [`DurableLocal::sweep_staged`] took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptStaged {
    /// How many unfinished files.
    pub files: u64,
    /// How many bytes they held.
    pub bytes: u64,
}

impl DurableLocal {
    /// Opens the directory `root`, and makes it (durably) if it is missing.
    ///
    /// # Errors
    /// `Denied` or `Unavailable` if the directory cannot be made or read, `Invalid` if `root` is
    /// something else than a directory.
    pub fn open(root: impl AsRef<FsPath>) -> mlops_core::Result<Self> {
        const OPERATION: &str = "durable_local.open";
        let root = root.as_ref();
        let disk = Disk::open(root).map_err(|e| io_error(OPERATION, root, e))?;
        let inner = LocalFileSystem::new_with_prefix(disk.root())
            .map_err(|e| store_error(OPERATION, &root.to_string_lossy(), e))?;
        Ok(Self { inner, disk: Arc::new(disk) })
    }

    /// The directory, absolute and without links.
    pub fn root(&self) -> &FsPath {
        self.disk.root()
    }

    /// Removes what writers that died left unfinished: staged files not written to since `before`.
    ///
    /// A writer that still lives and was silent for so long fails when it completes, and nothing is
    /// lost but its work; choose an instant hours ago.
    pub async fn sweep_staged(&self, before: Instant) -> mlops_core::Result<SweptStaged> {
        let disk = Arc::clone(&self.disk);
        self.run(move || disk.sweep_staged(before))
            .await
            .map_err(|e| store_error("durable_local.sweep_staged", "", e))
    }

    /// The file of an object, after the check that no link is on the way.
    async fn checked(&self, location: &Path) -> Result<PathBuf> {
        let path = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        self.run(move || disk.refuse_links(&path).map(|()| path)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T> {
        Ok(off_thread(work).await??)
    }

    /// Drops what is reached through a link: it cannot be read, so it is no object of this store.
    fn without_links(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        listed
            .chunks(BATCH)
            .then(move |batch| {
                let store = store.clone();
                async move {
                    let kept = off_thread(move || {
                        let keep = |m: &ObjectMeta| store.is_linkless(&m.location);
                        batch
                            .into_iter()
                            .filter(|item| item.as_ref().map_or(true, keep))
                            .collect::<Vec<_>>()
                    });
                    kept.await.unwrap_or_else(|e| vec![Err(e.into())])
                }
            })
            .flat_map(stream::iter)
            .boxed()
    }

    /// Blocks; whether `location`, an object or a prefix, is reached without a link.
    fn is_linkless(&self, location: &Path) -> bool {
        let mut path = self.disk.root().to_path_buf();
        path.extend(location.parts().map(|part| part.as_ref().to_owned()));
        self.disk.refuse_links(&path).is_ok()
    }

    /// Deletes `batch` and makes that durable with one `fsync` for each directory.
    async fn delete_batch(&self, batch: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let mut results = Vec::with_capacity(batch.len());
        let mut directories = BTreeSet::new();
        for location in batch {
            let deleted = match location {
                Ok(location) => self.delete_one(location).await,
                Err(e) => Err(e),
            };
            results.push(deleted.map(|(location, directory)| {
                directories.extend(directory);
                location
            }));
        }
        for directory in directories {
            let disk = Arc::clone(&self.disk);
            let target = directory.clone();
            if let Err(error) = self.run(move || disk.sync_dir(&target)).await {
                // The first deletion of this directory carries the cause, the others say so too.
                let mut cause = Some(error);
                for result in &mut results {
                    let here = matches!(result, Ok(location)
                        if self.inner.path_to_filesystem(location)
                            .is_ok_and(|path| path.parent() == Some(&directory)));
                    if here {
                        *result = Err(cause.take().unwrap_or_else(|| {
                            DiskError::NotSynced { path: directory.clone() }.into()
                        }));
                    }
                }
            }
        }
        results
    }

    async fn delete_one(&self, location: Path) -> Result<(Path, Option<PathBuf>)> {
        let path = self.checked(&location).await?;
        let one = stream::once(async move { Ok(location) }).boxed();
        let mut deleted: Vec<Path> = self.inner.delete_stream(one).try_collect().await?;
        let location = deleted.pop().ok_or_else(|| DiskError::Finished.into_store_error())?;
        Ok((location, path.parent().map(FsPath::to_path_buf)))
    }
}

impl fmt::Debug for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableLocal").field("root", &self.root()).finish_non_exhaustive()
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root().display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let create_only = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => return Err(self.not_implemented("put with mode update")),
        };
        if !opts.attributes.is_empty() {
            return Err(self.not_implemented("put with attributes"));
        }
        let path = self.checked(location).await?;
        let disk = Arc::clone(&self.disk);
        self.run(move || disk.put(&path, &payload, create_only)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() {
            return Err(self.not_implemented("multipart put with attributes"));
        }
        let path = self.checked(location).await?;
        let disk = Arc::clone(&self.disk);
        let upload = self.run(move || DurableUpload::start(disk, path)).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.checked(location).await?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.checked(location).await?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .ready_chunks(BATCH)
            .then(move |batch| {
                let store = store.clone();
                async move { store.delete_batch(batch).await }
            })
            .flat_map(stream::iter)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.without_links(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.without_links(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        let store = self.clone();
        let kept = off_thread(move || {
            listed.common_prefixes.retain(|p| store.is_linkless(p));
            listed.objects.retain(|o| store.is_linkless(&o.location));
            listed
        });
        Ok(kept.await?)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let source = self.checked(from).await?;
        let target = self.checked(to).await?;
        // Bytes before name: the source may have been put there by another tool, without an fsync.
        let disk = Arc::clone(&self.disk);
        self.run(move || disk.sync_file(&source)).await?;
        self.inner.copy_opts(from, to, options).await?;
        let disk = Arc::clone(&self.disk);
        self.run(move || disk.sync_entry(&target)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let source = self.checked(from).await?;
        let target = self.checked(to).await?;
        let disk = Arc::clone(&self.disk);
        let bytes = source.clone();
        self.run(move || disk.sync_file(&bytes)).await?;
        self.inner.rename_opts(from, to, options).await?;
        // The new name before the loss of the old one: a crash may show both, never neither.
        let disk = Arc::clone(&self.disk);
        self.run(move || {
            disk.sync_entry(&target)?;
            source.parent().map_or(Ok(()), |directory| disk.sync_dir(directory))
        })
        .await
    }
}

impl DurableLocal {
    fn not_implemented(&self, operation: &str) -> StoreError {
        StoreError::NotImplemented { operation: operation.into(), implementer: self.to_string() }
    }
}
