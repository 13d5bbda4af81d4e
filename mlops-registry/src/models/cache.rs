//! A local cache of whole versions, for many processes at once, of bounded size.
//!
//! A program that loads `models:/churn/Production` at every start should not wait for the store every
//! time, nor trust what lies on a disk that others write to. So each version is kept in
//! `<directory>/<manifest digest>/`, and *every byte is hashed again at every load*: a hit costs one
//! read of the files, and what comes out is what was registered or an error. What was changed, lost or
//! added is put right: the bad files are fetched again, one rename each, so that whoever holds the
//! version meanwhile sees good bytes too.
//!
//! - A version appears by one rename, whole; a killed fetch leaves a directory that nobody reads and the
//!   next one sweeps.
//! - A [`CachedModel`] keeps a shared lock on the entry's lock file. Only what nobody holds is evicted,
//!   the longest unused first (the lock file's modification time).
//! - The bound counts versions that are in place; what is being fetched comes on top.
//!
//! What it does not do: work on a network file system, where file locks lie; keep a program that may
//! write to the directory from changing a file after it was checked.

mod check;
mod disk;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use mlops_core::registry::ManifestFile;
use mlops_core::tracking::Digest;
use mlops_core::{Error, Result};

use self::disk::{Disk, Lock, Staging};
use crate::blobs::fault::join_error;
use crate::blocking::off_thread;

const OP: &str = "cache.load";
/// Files that are fetched at once: hides the latency of a bucket.
const FETCHES_IN_FLIGHT: usize = 4;
/// An entry that is wrong again as soon as it was put right is somebody's doing.
const ATTEMPTS: usize = 4;

/// A local cache of whole versions, shared by many processes, of bounded size; cheap to clone.
///
/// Every byte is hashed again at every load: what was changed, lost or added on the disk is put right,
/// and a wrong byte never comes out. Versions that somebody holds are never evicted.
#[derive(Debug, Clone)]
pub struct ModelCache {
    disk: Arc<Disk>,
}

/// A version whose files were all verified. While it lives, no process evicts it.
#[derive(Debug)]
pub struct CachedModel {
    path: PathBuf,
    digest: Digest,
    files: Arc<[ManifestFile]>,
    _lock: Lock,
}

impl CachedModel {
    /// The directory that holds the files, and nothing else. Read only: a change is found at the next
    /// load, and undone.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The digest of the manifest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The files, by path within [`CachedModel::path`].
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }
}

impl ModelCache {
    /// Opens the cache in `directory`, which is made if it is not there, and sweeps what killed
    /// processes left in it. Versions in it never sum up to more than `max_bytes`.
    ///
    /// The directory is the cache's own; processes that share it should agree on the bound.
    ///
    /// # Errors
    /// `Denied`, `Invalid` or `Unavailable` as the file system says.
    pub fn open(directory: impl AsRef<Path>, max_bytes: u64) -> Result<Self> {
        let disk = Disk::open("cache.open", directory.as_ref(), max_bytes)?;
        Ok(Self { disk: Arc::new(disk) })
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        self.disk.root()
    }

    /// Its bound.
    pub fn max_bytes(&self) -> u64 {
        self.disk.max_bytes()
    }

    /// The version of this manifest digest: from the cache, or through `fetch`, which writes one file
    /// to a path (its directory is there) and may be called for several files at once.
    ///
    /// Atomicity: other processes see the whole version or none. Two that fetch the same version at
    /// once both fetch; the first one's stays.
    ///
    /// # Errors
    /// `Invalid` if the version alone is larger than the bound; `Unavailable` if it does not fit beside
    /// the versions that are in use now, or the disk is full; `Corrupt` if `fetch` brought other bytes
    /// than the manifest names; what `fetch` fails with.
    pub async fn load<F, Fut>(
        &self,
        digest: Digest,
        files: &[ManifestFile],
        fetch: F,
    ) -> Result<CachedModel>
    where
        F: Fn(ManifestFile, PathBuf) -> Fut + Send + Sync,
        Fut: Future<Output = Result<()>> + Send,
    {
        let files: Arc<[ManifestFile]> = files.into();
        let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        if bytes > self.max_bytes() {
            return Err(Error::invalid(OP, "the version is larger than the whole cache")
                .with("version_bytes", bytes)
                .with("cache_bytes", self.max_bytes())
                .with_hint("open the cache with a greater bound, or download the version"));
        }
        let mut lock = self.run(move |disk| disk.hold(digest)).await?;
        for _ in 0..ATTEMPTS {
            let wanted = Arc::clone(&files);
            let bad = self.run(move |disk| check::inspect(&disk.entry(digest), &wanted)).await?;
            match bad {
                Some(bad) if bad.is_empty() => {
                    let path = self.disk.entry(digest);
                    lock.touch();
                    return Ok(CachedModel { path, digest, files, _lock: lock });
                }
                Some(bad) => {
                    let staging = self.fetch(bad.clone().into(), &fetch).await?;
                    self.run(move |disk| staging.replace(&disk.entry(digest), &bad)).await?;
                }
                None => {
                    let staging = self.fetch(Arc::clone(&files), &fetch).await?;
                    // The lock goes with it: if this future is dropped, the work is done to its end.
                    let installed;
                    (lock, installed) = self
                        .run(move |disk| Ok((lock, disk.install(staging, digest, bytes)?)))
                        .await?;
                    if installed {
                        let path = self.disk.entry(digest);
                        lock.touch();
                        return Ok(CachedModel { path, digest, files, _lock: lock });
                    }
                }
            }
        }
        Err(Error::unavailable(OP, "somebody keeps changing the version's files")
            .with("path", self.disk.entry(digest).display())
            .with_hint("the directory must be the cache's own"))
    }

    /// Fetches files into a directory of their own, and verifies them there.
    async fn fetch<F, Fut>(&self, files: Arc<[ManifestFile]>, fetch: &F) -> Result<Staging>
    where
        F: Fn(ManifestFile, PathBuf) -> Fut + Send + Sync,
        Fut: Future<Output = Result<()>> + Send,
    {
        let wanted = Arc::clone(&files);
        let staging = self.run(move |disk| disk.stage(&wanted)).await?;
        let path = staging.path().to_path_buf();
        let jobs: Vec<_> = files.iter().map(|f| (f.clone(), path.join(f.path.as_str()))).collect();
        stream::iter(jobs)
            .map(|(file, to)| fetch(file, to))
            .buffer_unordered(FETCHES_IN_FLIGHT)
            .try_collect::<()>()
            .await?;
        self.run(move |_| {
            check::verify(staging.path(), &files)?;
            Ok(staging)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let disk = Arc::clone(&self.disk);
        off_thread(move || work(&disk)).await.map_err(|e| join_error(OP, e))?
    }
}
