//! A multipart upload into one staged file, published durably when it is complete.
//!
//! Stricter than `LocalFileSystem`'s: a part that failed, or whose future was never run, leaves a
//! hole that a later rename would publish as zeroes. Here `complete` counts the bytes and refuses.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::disk::{Disk, DiskError};
use crate::blocking::off_thread;

/// An upload that has begun; dropping it removes the staged file.
#[derive(Debug)]
pub(super) struct DurableUpload {
    disk: Arc<Disk>,
    dest: PathBuf,
    /// Taken by `complete` and `abort`.
    staged: Option<PathBuf>,
    parts: Arc<Mutex<Parts>>,
    /// Where the next part goes: the bytes announced so far.
    announced: u64,
}

#[derive(Debug)]
struct Parts {
    file: Option<File>,
    written: u64,
}

impl DurableUpload {
    pub(super) fn start(disk: Arc<Disk>, dest: PathBuf) -> Result<Self, DiskError> {
        let (file, staged) = disk.stage(&dest)?;
        let parts = Arc::new(Mutex::new(Parts { file: Some(file), written: 0 }));
        Ok(Self { disk, dest, staged: Some(staged), parts, announced: 0 })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.announced;
        self.announced += data.content_length() as u64;
        let parts = Arc::clone(&self.parts);
        let path = self.dest.clone();
        Box::pin(async move {
            let written = off_thread(move || {
                let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                parts.write(offset, &data, path)
            });
            Ok(written.await??)
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or(DiskError::Finished)?;
        let announced = self.announced;
        let disk = Arc::clone(&self.disk);
        let parts = Arc::clone(&self.parts);
        let dest = self.dest.clone();
        let published = off_thread(move || {
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            let written = parts.written;
            let file = if written == announced {
                parts.file.take().ok_or(DiskError::Finished)
            } else {
                Err(DiskError::Incomplete { path: dest.clone(), written, announced })
            };
            disk.publish(file, &staged, &dest, false)
        });
        Ok(published.await??)
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or(DiskError::Finished)?;
        let removed = off_thread(move || {
            std::fs::remove_file(&staged).map_err(|source| DiskError::Io {
                action: "remove",
                path: staged,
                source,
            })
        });
        Ok(removed.await??)
    }
}

impl Drop for DurableUpload {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            // One unlink, so not worth a task that nobody would wait for. If it fails, a sweep
            // finds the file.
            drop(std::fs::remove_file(staged));
        }
    }
}

impl Parts {
    fn write(&mut self, offset: u64, data: &PutPayload, path: PathBuf) -> Result<(), DiskError> {
        let file = self.file.as_mut().ok_or(DiskError::Finished)?;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| data.iter().try_for_each(|bytes| file.write_all(bytes)))
            .map_err(|source| DiskError::Io { action: "write", path, source })?;
        self.written += data.content_length() as u64;
        Ok(())
    }
}
