//! Where serving logs are: segments below a prefix of an object store.

use std::fmt;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;
use mlops_core::features::{FeatureName, ServiceRef};
use mlops_core::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::head::{AT, FORMAT, Head};
use crate::offline::error::{guarded, of_parquet, of_store};

const OPERATION: &str = "features.serving_log";
/// The entry of the file's metadata that has the [`Head`].
const HEAD: &str = "mlops.serving";

/// The serving logs below a prefix of an object store.
#[derive(Clone)]
pub struct ServingLogs {
    store: Arc<dyn ObjectStore>,
    root: Path,
}

/// A segment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentAt {
    pub(crate) path: Path,
    pub(crate) service: ServiceRef,
    /// The first and the last instant, in microseconds since 1970.
    pub(crate) at: (i64, i64),
}

impl ServingLogs {
    /// Those below `prefix` of a store; empty for its root.
    ///
    /// # Errors
    /// `Invalid` for a prefix that is no path.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        let root = Path::parse(prefix.trim_matches('/')).map_err(|source| {
            Error::invalid(OPERATION, "the prefix is no path of a store")
                .with("prefix", prefix)
                .with_source(source)
        })?;
        Ok(Self { store, root })
    }

    /// The segments of all services, or of one, or of one version, by their paths: by service, version and
    /// first instant.
    pub(crate) async fn segments(&self, service: Option<&ServiceRef>) -> Result<Vec<SegmentAt>> {
        let below = match service {
            None => self.root.clone(),
            Some(ServiceRef { name, version: None }) => self.root.clone().join(name.as_str()),
            Some(ServiceRef { name, version: Some(version) }) => {
                self.root.clone().join(name.as_str()).join(version.to_string())
            }
        };
        let listed = self.store.list(Some(&below)).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|error| of_store(OPERATION, below.as_ref(), error))?;
        let mut found: Vec<_> =
            listed.into_iter().filter_map(|meta| self.segment(meta.location)).collect();
        found.sort_by(|a, b| (&a.service, &a.path).cmp(&(&b.service, &b.path)));
        Ok(found)
    }

    /// What a path says; `None` for what is no segment.
    fn segment(&self, path: Path) -> Option<SegmentAt> {
        let parts: Vec<String> =
            path.prefix_match(&self.root)?.map(|part| part.as_ref().to_owned()).collect();
        let [service, version, file] = parts.as_slice() else { return None };
        let mut words = file.strip_suffix(".parquet")?.splitn(3, '-');
        let mut instant = || {
            let word = u64::from_str_radix(words.next()?, 16).ok()?;
            Some((word ^ (1 << 63)) as i64)
        };
        let at = (instant()?, instant()?);
        let service = ServiceRef::version(FeatureName::new(service).ok()?, version.parse().ok()?);
        Some(SegmentAt { path, service, at })
    }

    /// Writes a segment, durable when this returns, and returns where it is.
    ///
    /// Its name is of its instants and of a hash of its bytes: a write that is tried again, because nobody
    /// knows whether it succeeded, does not double its records.
    pub(crate) async fn write(&self, head: &Head, batch: &RecordBatch) -> Result<Path> {
        let bytes = encode(head, batch).map_err(|source| {
            Error::new(ErrorKind::Internal, OPERATION, "records could not be put together")
                .with_source(source)
        })?;
        let (first, last) = instants(batch)?;
        let word = |micros: i64| format!("{:016x}", micros as u64 ^ (1 << 63));
        let hash = blake3::hash(&bytes).to_hex();
        let file = format!("{}-{}-{}.parquet", word(first), word(last), &hash[..32]);
        let version = head.service.version.unwrap_or_default().to_string();
        let path = self.root.clone().join(head.service.name.as_str()).join(version).join(file);
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, PutPayload::from(bytes), options).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(path),
            Err(error) => Err(of_store(OPERATION, path.as_ref(), error)),
        }
    }

    /// Reads a segment whole; it has no more rows than the buffer of a writer.
    pub(crate) async fn read(&self, path: &Path) -> Result<(Head, RecordBatch)> {
        let failed = |error| of_store(OPERATION, path.as_ref(), error);
        let bytes = self.store.get(path).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let read = guarded(|| decode(bytes));
        let (head, batch) = read.map_err(|error| of_parquet(OPERATION, path.as_ref(), error))?;
        let wrong = |message: &'static str| Error::corrupt(OPERATION, message).with("file", path);
        let head = head.ok_or_else(|| wrong("the file is no segment of a serving log"))?;
        let head: Head = serde_json::from_str(&head)
            .map_err(|e| wrong("a segment does not say what it has").with_source(e))?;
        if head.format > FORMAT {
            let message = "was written by a newer version";
            return Err(Error::new(ErrorKind::Unsupported, OPERATION, message)
                .with("file", path)
                .with("format", head.format));
        }
        Ok((head, batch))
    }

    /// Takes a segment away; one that is gone is ignored.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(of_store(OPERATION, path.as_ref(), error)),
        }
    }
}

impl fmt::Debug for ServingLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingLogs").field("store", &self.store).field("root", &self.root).finish()
    }
}

fn instants(batch: &RecordBatch) -> Result<(i64, i64)> {
    let none = || Error::new(ErrorKind::Internal, OPERATION, "a segment has no instants");
    let at = batch.column_by_name(AT).ok_or_else(none)?;
    let at = at.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(none)?.values();
    let first = at.iter().min().ok_or_else(none)?;
    Ok((*first, at.iter().max().copied().unwrap_or(*first)))
}

fn encode(head: &Head, batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let text = serde_json::to_string(head).map_err(|e| ParquetError::General(e.to_string()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_key_value_metadata(Some(vec![KeyValue::new(HEAD.to_owned(), text)]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.into_inner()
}

fn decode(bytes: bytes::Bytes) -> Result<(Option<String>, RecordBatch), ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let entries = builder.metadata().file_metadata().key_value_metadata();
    let head = entries.and_then(|all| all.iter().find(|entry| entry.key == HEAD));
    let head = head.and_then(|entry| entry.value.clone());
    let schema = std::sync::Arc::clone(builder.schema());
    let batches = builder.build()?.collect::<Result<Vec<_>, _>>()?;
    Ok((head, concat_batches(&schema, &batches)?))
}
