//! Objects below the store's root: written, read, listed and deleted.

use bytes::Bytes;
use futures::TryStreamExt;
use mlops_core::Result;
use mlops_core::tracking::Digest;
use object_store::{ObjectStoreExt, PutPayload};

use super::error::of_store;
use super::layout::below;
use super::log::Log;
use super::store::SegmentStore;

impl SegmentStore {
    pub(super) async fn put(
        &self,
        operation: &'static str,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let put = self.store.put(&below(&self.root, path), PutPayload::from(bytes)).await;
        put.map(drop).map_err(|error| of_store(operation, path, error))
    }

    pub(super) async fn get(&self, operation: &'static str, path: &str) -> Result<Bytes> {
        let failed = |error| of_store(operation, path, error);
        let got = self.store.get(&below(&self.root, path)).await.map_err(failed)?;
        got.bytes().await.map_err(failed)
    }

    /// The digest and the length of an object, which is never in memory as a whole.
    pub(super) async fn digest(
        &self,
        operation: &'static str,
        path: &str,
    ) -> Result<(Digest, u64)> {
        let failed = |error| of_store(operation, path, error);
        let got = self.store.get(&below(&self.root, path)).await.map_err(failed)?;
        let (mut hasher, mut parts) = (blake3::Hasher::new(), got.into_stream());
        let mut length = 0;
        while let Some(part) = parts.try_next().await.map_err(failed)? {
            hasher.update(&part);
            length += part.len() as u64;
        }
        Ok((Digest(*hasher.finalize().as_bytes()), length))
    }

    /// Deletes an object; `false` if it was not there.
    pub(super) async fn delete(&self, operation: &'static str, path: &str) -> Result<bool> {
        let place = below(&self.root, path);
        let failed = |error| of_store(operation, path, error);
        // Some stores say nothing of an object that is not there.
        match self.store.head(&place).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            found => found.map_err(failed)?,
        };
        match self.store.delete(&place).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The objects below a folder, with the instants when they were written.
    pub(super) async fn list(
        &self,
        operation: &'static str,
        folder: &str,
    ) -> Result<Vec<(String, i64)>> {
        let listed = self.store.list(Some(&below(&self.root, folder)));
        let listed: Vec<_> =
            listed.try_collect().await.map_err(|e| of_store(operation, folder, e))?;
        let named = listed.into_iter().filter_map(|meta| {
            let parts = meta.location.prefix_match(&self.root)?;
            let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some((parts.join("/"), meta.last_modified.timestamp_micros()))
        });
        let mut named: Vec<_> = named.collect();
        named.sort();
        Ok(named)
    }

    /// Deletes the files that a log which was not committed names and the one before does not: whoever
    /// loses a race leaves nothing that an erasure would have to find.
    pub(super) async fn discard(
        &self,
        operation: &'static str,
        base: &Log,
        lost: &Log,
    ) -> Result<()> {
        let known = base.named();
        for path in lost.named() {
            if !known.contains(path) && path.ends_with(".parquet") {
                self.delete(operation, path).await?;
            }
        }
        Ok(())
    }
}
