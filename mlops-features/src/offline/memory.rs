//! An offline store in memory: the reference model, and the store of workspaces that keep nothing.
//!
//! For tests and for trying things; its rows end with the process. Everything is done the plain way,
//! with one lock and every row looked at, and shares no join with the store of segments, so that what
//! the two agree on is probably right. Files are read whole, from local disks only, on the thread that
//! asks.

mod append;
mod change;
mod files;
mod join;
mod rows;
mod statistics;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use mlops_core::features::{
    Append, Appended, AsOf, CompactReport, Compaction, Erased, KeyBatch, Manifest, OfflineStore,
    Probe, Scan, Source, Table, TableId,
};
use mlops_core::time::Clock;
use mlops_core::validation::BatchStream;
use mlops_core::{Error, ErrorKind, Result};

use self::rows::Rows;

/// Rows that are kept in memory.
///
/// ```
/// use std::sync::Arc;
/// use mlops_core::time::SystemClock;
/// use mlops_features::offline::MemoryOffline;
///
/// let store = MemoryOffline::new(Arc::new(SystemClock));
/// # let _ = store;
/// ```
#[derive(Debug)]
pub struct MemoryOffline {
    clock: Arc<dyn Clock>,
    logs: Mutex<HashMap<TableId, Log>>,
}

/// Rows by the path of their segment.
type Segments = Vec<(String, Arc<Rows>)>;

/// What is read: the position, its rows, and the `seq` of the first that is later, if there may be such rows.
type Read = (u64, Segments, Option<u64>);

/// What is kept of one table.
#[derive(Debug, Default)]
struct Log {
    /// The last manifest; its position is 0 if there was none.
    last: Manifest,
    /// Those that can still be read, by position.
    manifests: BTreeMap<u64, Manifest>,
    /// The rows of segments, by path.
    segments: HashMap<String, Arc<Rows>>,
    /// Segments that were merged, and until when they stay.
    merged: Vec<(String, i64)>,
    /// How many segments were ever made: their names.
    made: u64,
}

impl MemoryOffline {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, logs: Mutex::new(HashMap::new()) }
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<TableId, Log>> {
        // A log changes at the end of an operation, in steps that do not panic.
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position that is read, and its rows by segment; those of files are one.
    fn read(&self, table: &Table, position: Option<u64>) -> Result<Read> {
        if let Source::Files(urls) = &table.source {
            return match position {
                None | Some(0) => {
                    Ok((0, vec![(String::new(), Arc::new(files::read(table, urls)?))], None))
                }
                Some(position) => Err(no_position(&table.id, position)),
            };
        }
        let logs = self.logs();
        let Some(log) = logs.get(&table.id) else {
            return Log::default().read(&table.id, position);
        };
        log.read(&table.id, position)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl OfflineStore for MemoryOffline {
    async fn append(&self, table: &Table, batch: RecordBatch, options: Append) -> Result<Appended> {
        let mut logs = self.logs();
        // After the lock: stamps never go back.
        let now = self.clock.now_micros();
        let log = logs.entry(table.id.clone()).or_default();
        log.append(table, &batch, options, now)
    }

    async fn manifest(&self, table: &TableId, position: Option<u64>) -> Result<Manifest> {
        let logs = self.logs();
        let Some(log) = logs.get(table) else {
            return Log::default().manifest(table, position);
        };
        log.manifest(table, position)
    }

    async fn scan(&self, table: &Table, mut scan: Scan) -> Result<BatchStream> {
        let names: Vec<String> = match &scan.columns {
            Some(names) => names.clone(),
            None => table.columns.iter().map(|column| column.name.clone()).collect(),
        };
        let (_, mut segments, before) = self.read(table, scan.position)?;
        scan.before_seq = least(scan.before_seq, before);
        if let Some(wanted) = &scan.segment {
            segments.retain(|(path, _)| path == wanted);
            if segments.is_empty() {
                return Err(Error::not_found("features.scan", "no segment of this position")
                    .with("table", &table.id)
                    .with("segment", wanted));
            }
        }
        let batch = |(_, rows): &(String, Arc<Rows>)| rows.batch(table, &names, &rows.pick(&scan));
        let batches = segments.iter().map(batch).collect::<Result<Vec<_>>>()?;
        let batches = batches.into_iter().filter(|batch| batch.num_rows() > 0).map(Ok);
        Ok(stream::iter(batches).boxed())
    }

    async fn as_of(&self, table: &Table, mut probe: Probe) -> Result<AsOf> {
        let (position, segments, before) = self.read(table, probe.position)?;
        probe.before_seq = least(probe.before_seq, before);
        let parts: Vec<&Rows> = segments.iter().map(|(_, rows)| &**rows).collect();
        join::as_of(table, &Rows::concat(table, &parts)?, &probe, position)
    }

    async fn compact(&self, table: &Table, options: Compaction) -> Result<CompactReport> {
        let mut logs = self.logs();
        let now = self.clock.now_micros();
        match logs.get_mut(&table.id) {
            Some(log) => log.compact(table, &options, now),
            None => Ok(CompactReport::default()),
        }
    }

    async fn erase(&self, table: &Table, keys: &KeyBatch) -> Result<Erased> {
        if let Source::Files(urls) = &table.source {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "features.erase",
                "the rows of this table are in files that the store does not own",
            )
            .with("table", &table.id)
            .with("files", urls.join(", ")));
        }
        match self.logs().get_mut(&table.id) {
            Some(log) => log.erase(table, keys),
            None => Ok(Erased::default()),
        }
    }
}

impl Log {
    fn manifest(&self, table: &TableId, position: Option<u64>) -> Result<Manifest> {
        match position {
            None => Ok(self.last.clone()),
            Some(0) => Ok(Manifest::default()),
            Some(n) => self.manifests.get(&n).cloned().ok_or_else(|| no_position(table, n)),
        }
    }

    fn read(&self, table: &TableId, position: Option<u64>) -> Result<Read> {
        let manifest = self.manifest(table, position)?;
        let of = |segment: &mlops_core::features::Segment| {
            self.segments.get(&segment.path).map(|rows| (segment.path.clone(), Arc::clone(rows)))
        };
        if let Some(own) = manifest.segments.iter().map(of).collect() {
            return Ok((manifest.position, own, None));
        }
        // They were merged, and their time is over: the rows are in those of now.
        let now = self.last.segments.iter().filter_map(of).collect();
        Ok((manifest.position, now, Some(manifest.next_seq)))
    }

    /// The next manifest becomes the last.
    fn commit(&mut self, mut manifest: Manifest) -> u64 {
        manifest.position = self.last.position + 1;
        self.manifests.insert(manifest.position, manifest.clone());
        self.last = manifest;
        self.last.position
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

fn no_position(table: &TableId, position: u64) -> Error {
    Error::not_found("features.read", "no such position, or its segments are gone")
        .with("table", table)
        .with("position", position)
}
