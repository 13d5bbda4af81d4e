//! [`SegmentStore`]: the offline store over Parquet in an object store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, TimeUnit};
use async_trait::async_trait;
use mlops_core::features::{
    Append, Appended, AsOf, CompactReport, Compaction, Erased, KeyBatch, Manifest, OfflineStore,
    Probe, Scan, Source, Table, TableId,
};
use mlops_core::registry::Catalog;
use mlops_core::time::Clock;
use mlops_core::tracking::Digest;
use mlops_core::validation::BatchStream;
use mlops_core::{Error, Key, Result};
use object_store::ObjectStore;
use object_store::path::Path;

use super::layout::below;
use super::log::Log;
use super::snapshot::READS;
use super::sources::Stores;
use crate::join::{JoinFile, Layout, as_of_files};

/// Pages of tokens that are remembered.
const CACHED_PAGES: usize = 400;
/// Tables whose last log is remembered.
const CACHED_LOGS: usize = 1_000;

/// An offline store: segments of Parquet and manifests in an object store, and for each table a small
/// document in a catalog, whose compare-and-set is the commit.
///
/// Any number of processes may write. The object store must be durable when it says so, and strongly
/// consistent; a directory's is `mlops_registry`'s durable one. Clones share what they remember.
#[derive(Debug, Clone)]
pub struct SegmentStore {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) root: Path,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sources: Stores,
    memory: Arc<Mutex<Memory>>,
}

type Page = Arc<Vec<(Key, Appended)>>;

/// What need not be read again, since it never changes, and who writes to which table here.
#[derive(Debug, Default)]
struct Memory {
    logs: HashMap<TableId, (Digest, Arc<Log>)>,
    pages: HashMap<String, Page>,
    writers: HashMap<TableId, Arc<futures::lock::Mutex<()>>>,
}

impl SegmentStore {
    /// Keeps segments below `prefix` of a store (empty for its root), and logs in a catalog.
    ///
    /// # Errors
    /// `Invalid` for a prefix that is no path.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let root = Path::parse(prefix.trim_matches('/')).map_err(|source| {
            Error::invalid("features.offline", "the prefix is no path of a store")
                .with("prefix", prefix)
                .with_source(source)
        })?;
        let (sources, memory) = (Stores::default(), Arc::default());
        Ok(Self { store, root, catalog, clock, sources, memory })
    }

    /// Reads files whose URL begins with `prefix` (`s3://bucket/`) from this store; the rest of the URL is the
    /// path in it. Paths and `file:` URLs need none.
    pub fn with_store(mut self, prefix: impl Into<String>, store: Arc<dyn ObjectStore>) -> Self {
        self.sources.add(prefix.into(), store);
        self
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // What is remembered is whole between any two statements.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cached(&self, table: &TableId) -> Option<(Digest, Arc<Log>)> {
        self.memory().logs.get(table).cloned()
    }

    pub(super) fn cache(&self, table: &TableId, digest: Digest, log: &Arc<Log>) {
        let mut memory = self.memory();
        if memory.logs.len() >= CACHED_LOGS {
            memory.logs.clear();
        }
        memory.logs.insert(table.clone(), (digest, Arc::clone(log)));
    }

    pub(super) fn cached_page(&self, path: &str) -> Option<Page> {
        self.memory().pages.get(path).cloned()
    }

    pub(super) fn cache_page(&self, path: &str, page: &Page) {
        let mut memory = self.memory();
        if memory.pages.len() >= CACHED_PAGES {
            memory.pages.clear();
        }
        memory.pages.insert(path.to_owned(), Arc::clone(page));
    }

    async fn as_of_segments(&self, table: &Table, probe: &Probe) -> Result<AsOf> {
        const OPERATION: &str = "features.as_of";
        let (mut tries, mut later) = (0, false);
        loop {
            tries += 1;
            let read = self.snapshot(OPERATION, &table.id, probe.position, later).await?;
            let before = probe.before_seq.unwrap_or(u64::MAX).min(read.before);
            let segments = read.log.segments().iter().filter(|segment| segment.seq.0 < before);
            let files = segments.map(|segment| JoinFile {
                store: Arc::clone(&self.store),
                path: below(&self.root, &segment.path),
                url: segment.path.clone(),
                bytes: Some(segment.bytes),
                layout: Layout::Segment,
                // Only a segment that was merged of older and newer ones has rows to be left out.
                before_seq: (segment.seq.1 >= before).then_some(before),
            });
            match as_of_files(table, files.collect(), probe, read.position).await {
                Err(error)
                    if tries < READS && self.again(OPERATION, &table.id, &read, &error).await? =>
                {
                    later = true;
                }
                answer => return answer,
            }
        }
    }

    /// Writers of one process wait for one another, instead of losing the compare-and-set by turns.
    pub(super) fn writer(&self, table: &TableId) -> Arc<futures::lock::Mutex<()>> {
        let mut memory = self.memory();
        memory.writers.retain(|_, writer| Arc::strong_count(writer) > 1);
        Arc::clone(memory.writers.entry(table.clone()).or_default())
    }
}

#[async_trait]
impl OfflineStore for SegmentStore {
    async fn append(&self, table: &Table, batch: RecordBatch, options: Append) -> Result<Appended> {
        self.append_rows(table, &batch, options).await
    }

    async fn manifest(&self, table: &TableId, position: Option<u64>) -> Result<Manifest> {
        Ok(self.log_at("features.manifest", table, position).await?.manifest.clone())
    }

    async fn scan(&self, table: &Table, scan: Scan) -> Result<BatchStream> {
        self.scan_rows(table, scan).await
    }

    async fn as_of(&self, table: &Table, probe: Probe) -> Result<AsOf> {
        let unit = probe.times.data_type();
        if !matches!(unit, DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)) {
            let message = "the instants that ask are of another type";
            return Err(Error::invalid("features.as_of", message)
                .with("type", unit)
                .with("expected", "timestamps of microseconds or nanoseconds"));
        }
        if let Source::Files(urls) = &table.source {
            let places = self.sources.files("features.as_of", urls).await?;
            let files = places.into_iter().map(|place| JoinFile {
                store: place.store,
                path: place.path,
                url: place.url,
                bytes: None,
                layout: Layout::Foreign,
                before_seq: probe.before_seq,
            });
            return as_of_files(table, files.collect(), &probe, 0).await;
        }
        self.as_of_segments(table, &probe).await
    }

    async fn compact(&self, table: &Table, options: Compaction) -> Result<CompactReport> {
        self.compact_segments(table, options).await
    }

    async fn erase(&self, table: &Table, keys: &KeyBatch) -> Result<Erased> {
        self.erase_keys(table, keys).await
    }
}
