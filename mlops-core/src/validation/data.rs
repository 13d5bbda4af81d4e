//! What is validated.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Batches that come one after the other.
pub type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Json,
}

/// What is validated: a table in memory, a stream, or files.
#[non_exhaustive]
pub enum Data {
    /// Batches of one schema.
    Batches(SchemaRef, Vec<RecordBatch>),
    /// A stream; it can be read once.
    Stream(SchemaRef, BatchStream),
    /// Files of one schema, by URL or path; their rows follow one another in this order. A URL that
    /// ends in `/` stands for the files below it, in the order of their names.
    Files(Vec<String>, Option<FileFormat>),
}

impl Data {
    /// Files; what they hold is told by their names (`.parquet`, `.csv`, `.json`, `.jsonl`,
    /// `.ndjson`).
    pub fn files<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self::Files(urls.into_iter().map(Into::into).collect(), None)
    }

    /// A stream of batches of `schema`.
    pub fn stream(schema: SchemaRef, batches: BatchStream) -> Self {
        Self::Stream(schema, batches)
    }
}

impl From<RecordBatch> for Data {
    fn from(batch: RecordBatch) -> Self {
        Self::Batches(batch.schema(), vec![batch])
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batches(_, batches) => {
                let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
                write!(f, "Batches({} of {rows} rows)", batches.len())
            }
            Self::Stream(..) => f.write_str("Stream"),
            Self::Files(urls, format) => f.debug_tuple("Files").field(urls).field(format).finish(),
        }
    }
}
