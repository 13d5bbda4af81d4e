//! Writes one segment: sorted batches in, a durable object and its entry in the manifest out.
//!
//! Bytes go to the store as they are made, in parts, so that a segment of any length takes the memory of
//! one row group. A segment below one part is put at once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use blake3::Hasher;
use mlops_core::Result;
use mlops_core::features::Segment;
use mlops_core::tracking::Digest;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;

use super::error::{internal, of_store};
use super::layout::properties;
use super::summary::Summary;

/// Bytes of a part of an upload.
const PART_BYTES: usize = 8 << 20;

/// A segment that is being written.
pub(super) struct SegmentWriter<'a> {
    operation: &'static str,
    store: &'a Arc<dyn ObjectStore>,
    path: Path,
    /// Its name in the manifest.
    name: String,
    keys: usize,
    writer: Option<ArrowWriter<Vec<u8>>>,
    upload: Option<Box<dyn MultipartUpload>>,
    hasher: Hasher,
    bytes: u64,
    summary: Summary,
}

impl<'a> SegmentWriter<'a> {
    /// Will write `name`, which is at `path`, of rows with so many key columns.
    pub(super) fn new(
        operation: &'static str,
        store: &'a Arc<dyn ObjectStore>,
        path: Path,
        name: String,
        keys: usize,
    ) -> Self {
        Self {
            operation,
            store,
            path,
            name,
            keys,
            writer: None,
            upload: None,
            hasher: Hasher::new(),
            bytes: 0,
            summary: Summary::new(keys),
        }
    }

    /// Adds rows, which come after those of before; keys, the store's own columns, and values.
    pub(super) async fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let operation = self.operation;
        self.summary.add(batch)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => {
                let properties =
                    properties(batch, self.keys).map_err(|e| internal(operation, e))?;
                let made = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties));
                empty.insert(made.map_err(|e| internal(operation, e))?)
            }
        };
        writer.write(batch).map_err(|e| internal(operation, e))?;
        if writer.inner().len() >= PART_BYTES {
            let mut made = std::mem::take(writer.inner_mut());
            self.send(&mut made, false).await?;
            if let Some(writer) = &mut self.writer {
                // What is left of a part goes before what comes.
                *writer.inner_mut() = made;
            }
        }
        Ok(())
    }

    /// Makes it durable; `None` if it has no rows.
    pub(super) async fn finish(mut self) -> Result<Option<Segment>> {
        let Some(writer) = self.writer.take() else { return Ok(None) };
        let mut rest = writer.into_inner().map_err(|source| internal(self.operation, source))?;
        if self.upload.is_some() || rest.len() > PART_BYTES {
            self.send(&mut rest, true).await?;
            if let Some(upload) = &mut self.upload {
                let done = upload.complete().await;
                done.map_err(|error| of_store(self.operation, &self.name, error))?;
            }
        } else {
            self.hasher.update(&rest);
            self.bytes = rest.len() as u64;
            let put = self.store.put(&self.path, PutPayload::from(rest)).await;
            put.map_err(|error| of_store(self.operation, &self.name, error))?;
        }
        let digest = Digest(*self.hasher.finalize().as_bytes());
        let mut segment = Segment::new(self.name, digest, self.bytes, 0);
        self.summary.finish(&mut segment);
        Ok(Some(segment))
    }

    /// Sends whole parts, and what is left if it is the last; all parts but the last have one length.
    async fn send(&mut self, made: &mut Vec<u8>, last: bool) -> Result<()> {
        let mut start = 0;
        while made.len() - start >= PART_BYTES || (last && start < made.len()) {
            let end = made.len().min(start + PART_BYTES);
            let part = made[start..end].to_vec();
            self.hasher.update(&part);
            self.bytes += part.len() as u64;
            let upload = match &mut self.upload {
                Some(upload) => upload,
                empty => {
                    let upload = self.store.put_multipart(&self.path).await;
                    empty.insert(upload.map_err(|e| of_store(self.operation, &self.name, e))?)
                }
            };
            if let Err(error) = upload.put_part(PutPayload::from(part)).await {
                // The first failure is what is said.
                let _ = upload.abort().await;
                return Err(of_store(self.operation, &self.name, error));
            }
            start = end;
        }
        made.drain(..start);
        Ok(())
    }
}
