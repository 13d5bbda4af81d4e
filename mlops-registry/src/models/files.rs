//! The bytes of a version, on their way out: every one of them checked before anybody has it.
//!
//! The chain is: the version's digest is that of its manifest; the manifest has the digest of each file;
//! a file is handed out only after its bytes have that digest. A signature over the version's digest so
//! covers all of it, and a changed byte anywhere is `Corrupt` and never a model.
//!
//! What it does not do: judge what the bytes would do. Formats that run code when they are loaded are
//! marked in the manifest, and a policy can refuse them; loading them is the caller's decision.

mod target;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mlops_core::registry::{ManifestFile, ModelVersion};
use mlops_core::tracking::Blob;
use mlops_core::{ArtifactPath, Error, Result};
use tempfile::TempDir;

use self::target::Target;
use super::cache::CachedModel;
use super::engine::Models;
use super::signing::require_signature;
use crate::blobs::fault::{RESTORE_HINT, io_error, join_error};
use crate::blobs::{BlobReader, DownloadBlob, Progress};
use crate::blocking::off_thread;

const DOWNLOAD: &str = "models.download";

/// How a version is downloaded.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct DownloadModel {
    /// Told of the bytes of all files that are written, and how many there are.
    pub progress: Option<Progress>,
    /// Only a version that somebody with one of these keys vouches for; those of
    /// [`Models::with_trusted_keys`], if absent.
    pub trusted_keys: Option<BTreeSet<String>>,
}

impl fmt::Debug for DownloadModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownloadModel")
            .field("progress", &self.progress.is_some())
            .field("trusted_keys", &self.trusted_keys)
            .finish()
    }
}

impl DownloadModel {
    /// Reports progress to `progress`.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Trusts only these Ed25519 public keys, as 64 hexadecimal digits each.
    pub fn with_trusted_keys(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.trusted_keys = Some(keys.into_iter().collect());
        self
    }
}

/// A version in a local directory, each file verified. The directory is there at least as long as this.
#[derive(Debug)]
pub struct LoadedModel {
    version: ModelVersion,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Cached(CachedModel),
    Temporary(TempDir),
}

impl LoadedModel {
    /// The version.
    pub fn version(&self) -> &ModelVersion {
        &self.version
    }

    /// The directory with its files; not to be written to, since others may share it.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Cached(cached) => cached.path(),
            Place::Temporary(directory) => directory.path(),
        }
    }

    /// Where one of its files is.
    ///
    /// # Errors
    /// `NotFound` if the version has no such file.
    pub fn file(&self, path: &str) -> Result<PathBuf> {
        let file = file_of(&self.version, path)?;
        Ok(self.path().join(file.path.as_str()))
    }
}

impl Models {
    /// A stream of a file's bytes; its last piece comes only after the digest was found right.
    ///
    /// # Errors
    /// `NotFound` if there is no such version or file; `Corrupt` naming version, file and digests if the
    /// stored bytes are others; `Denied` if none of the trusted keys vouches for the version.
    pub async fn open_file(&self, uri: &str, path: &str) -> Result<BlobReader> {
        let version = self.usable(uri).await?;
        self.trust(&version, None)?;
        let file = file_of(&version, path)?;
        let blob = self.object(&version, file).await?;
        self.tracking().blobs().get(&blob).await.map_err(|e| located(e, &version, &file.path))
    }

    /// Writes all files of a version into a local directory, which may be there if it is empty. They are
    /// gathered and verified first, and get their names when all are right: beside a new directory, which
    /// then gets its name in one step; in a hidden directory inside of one that is there, which stays the
    /// directory that it is (a working directory, a mount point, the end of a link) and whose entries get
    /// their names one after the other. What fails leaves nothing; a crash may leave the hidden directory
    /// `.mlops-download-…`, and in the instant of those renames some of the entries, each whole. Returns
    /// where the files are.
    ///
    /// # Errors
    /// `AlreadyExists` if the directory is there and not empty; otherwise as [`Models::open_file`], and
    /// what the file system says.
    pub async fn download(
        &self,
        uri: &str,
        directory: &Path,
        options: &DownloadModel,
    ) -> Result<Vec<PathBuf>> {
        let asked = directory.to_owned();
        let version = self.usable(uri).await?;
        self.trust(&version, options.trusted_keys.as_ref())?;
        let target = off(move || Target::prepare(&asked)).await?;
        self.write_files(&version, target.staged(), options.progress.as_ref()).await?;
        off(move || target.publish()).await?;
        let files = version.manifest.files.iter();
        Ok(files.map(|file| directory.join(file.path.as_str())).collect())
    }

    /// A version as a local directory of verified files: from the cache, if there is one and it has it,
    /// else from the store. Without a cache, the directory goes away with what is returned.
    ///
    /// # Errors
    /// As [`Models::open_file`].
    pub async fn load(&self, uri: &str) -> Result<LoadedModel> {
        let version = self.usable(uri).await?;
        self.trust(&version, None)?;
        let place = if let Some(cache) = &self.parts().cache {
            let version = &version;
            let fetch = |file: ManifestFile, path: PathBuf| async move {
                self.write_file(version, &file, &path, None).await
            };
            Place::Cached(cache.load(version.digest, &version.manifest.files, fetch).await?)
        } else {
            let directory = off(|| {
                let made = tempfile::Builder::new().prefix("mlops-model-").tempdir();
                made.map_err(|e| io_error("models.load", &tempfile::env::temp_dir(), e))
            });
            let directory = directory.await?;
            self.write_files(&version, directory.path(), None).await?;
            Place::Temporary(directory)
        };
        Ok(LoadedModel { version, place })
    }

    /// # Errors
    /// `Denied` if keys are demanded and none of them vouches for the version.
    pub(super) fn trust(
        &self,
        version: &ModelVersion,
        keys: Option<&BTreeSet<String>>,
    ) -> Result<()> {
        match keys.or(self.parts().trusted.as_deref()) {
            Some(keys) => require_signature(version, keys).map(drop),
            None => Ok(()),
        }
    }

    /// The object of a file.
    pub(super) async fn object(&self, version: &ModelVersion, file: &ManifestFile) -> Result<Blob> {
        let found = self.tracking().tracker().find_blob(file.digest).await?;
        let error = match found {
            Some(blob) if blob.size == file.size => return Ok(blob),
            Some(blob) => Error::corrupt("models.files", "a file's object has another size")
                .with("expected_bytes", file.size)
                .with("found_bytes", blob.size),
            None => Error::corrupt("models.files", "the store knows no object of a file"),
        };
        let error = error.with("expected_digest", file.digest).with_hint(RESTORE_HINT);
        Err(located(error, version, &file.path))
    }

    async fn write_files(
        &self,
        version: &ModelVersion,
        directory: &Path,
        progress: Option<&Progress>,
    ) -> Result<()> {
        let total = version.manifest.bytes();
        let done = Arc::new(AtomicU64::new(0));
        for file in &version.manifest.files {
            let path = directory.join(file.path.as_str());
            let parent = path.parent().unwrap_or(directory).to_owned();
            off(move || fs::create_dir_all(&parent).map_err(|e| io_error(DOWNLOAD, &parent, e)))
                .await?;
            let within = progress.map(|progress| {
                let (progress, before) = (Arc::clone(progress), done.load(Ordering::Relaxed));
                Arc::new(move |bytes, _| progress(before + bytes, total)) as Progress
            });
            self.write_file(version, file, &path, within).await?;
            done.fetch_add(file.size, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn write_file(
        &self,
        version: &ModelVersion,
        file: &ManifestFile,
        path: &Path,
        progress: Option<Progress>,
    ) -> Result<()> {
        let blob = self.object(version, file).await?;
        let options = DownloadBlob { progress, ..DownloadBlob::default() };
        let written = self.tracking().blobs().download(&blob, path, options).await;
        written.map_err(|e| located(e, version, &file.path))
    }
}

/// Checks that a version's manifest is the one that its digest names.
///
/// # Errors
/// `Corrupt` with both digests.
pub(super) fn check_manifest(version: &ModelVersion) -> Result<()> {
    let found = version.manifest.digest();
    if found == version.digest {
        return Ok(());
    }
    Err(Error::corrupt("models.manifest", "the manifest is not what was registered")
        .with("version", version.id())
        .with("expected_digest", version.digest)
        .with("found_digest", found)
        .with_hint("restore the metadata from a backup"))
}

fn file_of<'v>(version: &'v ModelVersion, path: &str) -> Result<&'v ManifestFile> {
    version.manifest.file(path).ok_or_else(|| {
        Error::not_found("models.files", "the version has no such file")
            .with("version", version.id())
            .with("path", path.escape_debug())
    })
}

/// Says which version and file an error is about.
fn located(error: Error, version: &ModelVersion, path: &ArtifactPath) -> Error {
    error.with("version", version.id()).with("file", path)
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    off_thread(work).await.map_err(|e| join_error(DOWNLOAD, e))?
}
