//! Local Parquet files: rows that come to the store, and training sets that leave it.
//!
//! A view whose rows stay in their files needs none of this; see
//! [`Source::Files`](mlops_core::features::Source::Files).
//!
//! ```
//! use mlops_core::arrow::array::{Int64Array, RecordBatch};
//! use mlops_features::files::{ParquetRows, write_parquet};
//! # use std::sync::Arc;
//! # let directory = tempfile::tempdir().unwrap();
//! # let file = directory.path().join("rows.parquet");
//! let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2])) as _)]).unwrap();
//! write_parquet(&file, &rows)?;
//! assert_eq!(ParquetRows::open(&file)?.whole()?, rows);
//! # Ok::<(), mlops_core::Error>(())
//! ```

use std::fs::File;
use std::io;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use mlops_core::{Error, ErrorKind, Result};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

const OPERATION: &str = "features.files";
/// Rows of a batch.
const BATCH_ROWS: usize = 64 * 1024;

/// The rows of a file, batch by batch.
pub struct ParquetRows {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    rows: u64,
    file: String,
}

impl ParquetRows {
    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` if it is not there; `Invalid` if it is no file, or no Parquet.
    pub fn open(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        let unread = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound => {
                Error::not_found(OPERATION, "there is no such file").with("file", &name)
            }
            _ => Error::invalid(OPERATION, "the file cannot be read")
                .with("file", &name)
                .with_source(e),
        };
        let unfit = |e| {
            Error::invalid(OPERATION, "is no whole Parquet file").with("file", &name).with_source(e)
        };
        // Opening a pipe would wait for somebody to write to it.
        if !std::fs::metadata(file).map_err(unread)?.is_file() {
            return Err(Error::invalid(OPERATION, "is no file").with("file", &name));
        }
        let opened = File::open(file).map_err(unread)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(opened).map_err(unfit)?;
        let rows = builder.metadata().file_metadata().num_rows().try_into().unwrap_or(0);
        let schema = builder.schema().clone();
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(unfit)?;
        Ok(Self { reader, schema, rows, file: name })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows the file says that it has.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// All rows that are left as one batch.
    ///
    /// # Errors
    /// `Invalid` if they cannot be read, or are too many for one batch.
    pub fn whole(mut self) -> Result<RecordBatch> {
        let batches = self.by_ref().collect::<Result<Vec<_>>>()?;
        concat_batches(&self.schema, &batches).map_err(|e| {
            Error::invalid(OPERATION, "the rows do not fit in one batch")
                .with("file", &self.file)
                .with_source(e)
        })
    }
}

impl Iterator for ParquetRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.reader.next()?;
        Some(next.map_err(|e| {
            Error::invalid(OPERATION, "is no whole Parquet file")
                .with("file", &self.file)
                .with_source(e)
        }))
    }
}

/// Writes rows to a file, whole or not at all: who waits for it never reads half of it.
///
/// # Errors
/// `Invalid` for columns that Parquet has not; `Internal` if the file cannot be written.
pub fn write_parquet(file: &Path, rows: &RecordBatch) -> Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let written = write(&part, rows)
        .and_then(|()| std::fs::rename(&part, file).map_err(|e| unwritten().with_source(e)));
    if written.is_err() {
        // It may not be there at all.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(|e| e.with("file", file.display()))
}

fn write(part: &Path, rows: &RecordBatch) -> Result<()> {
    let failed = |e| match e {
        parquet::errors::ParquetError::NYI(what) => {
            Error::invalid(OPERATION, "a column has no form in Parquet").with("problem", what)
        }
        e => unwritten().with_source(e),
    };
    let level = ZstdLevel::try_new(3).map_err(failed)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let opened = File::create(part).map_err(|e| unwritten().with_source(e))?;
    let mut writer =
        ArrowWriter::try_new(opened, rows.schema(), Some(properties)).map_err(failed)?;
    writer.write(rows).map_err(failed)?;
    let opened = writer.into_inner().map_err(failed)?;
    opened.sync_all().map_err(|e| unwritten().with_source(e))
}

fn unwritten() -> Error {
    Error::new(ErrorKind::Internal, OPERATION, "the file cannot be written")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn what_is_no_parquet_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.parquet");
        assert_eq!(ParquetRows::open(&file).err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(ParquetRows::open(directory.path()).err().unwrap().kind(), ErrorKind::Invalid);
        for bytes in [&b""[..], b"PAR1", b"PAR1 and nothing else PAR1"] {
            std::fs::write(&file, bytes).unwrap();
            let error = ParquetRows::open(&file).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("a.parquet"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let rows = RecordBatch::try_from_iter([("id", column)]).unwrap();
        std::fs::create_dir(directory.path().join("taken")).unwrap();
        for name in ["taken", "absent/a.parquet"] {
            assert!(write_parquet(&directory.path().join(name), &rows).is_err());
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let file = directory.path().join("a.parquet");
        write_parquet(&file, &rows).unwrap();
        let read = ParquetRows::open(&file).unwrap();
        assert_eq!((read.rows(), read.schema().fields().len()), (1, 1));
    }
}
