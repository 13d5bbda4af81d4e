//! A store whose writer dies: after so many puts and deletes nothing works any more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug)]
pub(crate) struct Broken {
    inner: Arc<dyn ObjectStore>,
    left: Arc<AtomicI64>,
}

impl Broken {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, changes: i64) -> Self {
        Self { inner, left: Arc::new(AtomicI64::new(changes)) }
    }

    /// So many puts and deletes more.
    pub(crate) fn revive(&self, changes: i64) {
        self.left.store(changes, Ordering::SeqCst);
    }

    fn alive(&self) -> Result<()> {
        if self.left.load(Ordering::SeqCst) > 0 { Ok(()) } else { Err(dead()) }
    }
}

fn dead() -> object_store::Error {
    object_store::Error::Generic { store: "broken", source: "the process was killed".into() }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

#[async_trait]
impl ObjectStore for Broken {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(dead());
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let left = Arc::clone(&self.left);
        let allowed = locations.map(move |location| {
            if left.fetch_sub(1, Ordering::SeqCst) <= 0 { Err(dead()) } else { location }
        });
        self.inner.delete_stream(allowed.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.alive()?;
        self.inner.copy_opts(from, to, options).await
    }
}
