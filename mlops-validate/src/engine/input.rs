//! Data that is open.

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use mlops_core::validation::BatchStream;

/// Data that is open.
pub(super) enum Input {
    /// Batches in memory.
    Batches(SchemaRef, Vec<RecordBatch>),
    /// A stream, until it is read.
    Stream(SchemaRef, Option<BatchStream>),
    /// Files.
    #[cfg(feature = "files")]
    Files(crate::files::Table),
    /// None of the files can be read, and a check asks about that.
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "only files can be missing"))]
    Nothing,
}

static NO_COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::empty()));

impl Input {
    /// Its schema.
    pub(super) fn schema(&self) -> &SchemaRef {
        match self {
            Self::Batches(schema, _) | Self::Stream(schema, _) => schema,
            #[cfg(feature = "files")]
            Self::Files(table) => &table.schema,
            Self::Nothing => &NO_COLUMNS,
        }
    }

    /// How many rows, where that is known.
    pub(super) fn rows(&self) -> Option<u64> {
        match self {
            Self::Batches(_, batches) => {
                Some(batches.iter().map(|batch| batch.num_rows() as u64).sum())
            }
            Self::Stream(..) => None,
            #[cfg(feature = "files")]
            Self::Files(table) => table.rows(),
            Self::Nothing => Some(0),
        }
    }
}
