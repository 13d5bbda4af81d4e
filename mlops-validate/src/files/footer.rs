//! A Parquet file, opened by its footer.
//!
//! The footer is parsed from its own bytes, and what it says of offsets and lengths is checked against
//! the file's size before anything is read at them: a footer is data from outside.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mlops_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::error::{guarded, of_parquet, of_store};
use super::stores::Place;

/// Bytes of the end that are read at once: the footers of nearly all files are shorter.
const TAIL: u64 = 64 << 10;
/// The length of the footer and the magic bytes.
const END: u64 = 8;

/// A Parquet file.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    pub(crate) place: Place,
    pub(crate) bytes: u64,
    /// The footer, with the Arrow schema that it means.
    pub(crate) arrow: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// `Corrupt` for what is no whole Parquet file; `Unsupported` for an encrypted one.
    pub(crate) async fn open(place: Place, bytes: u64) -> Result<Self> {
        let metadata = Arc::new(footer(&place, bytes).await?);
        check(&place, bytes, &metadata)?;
        let arrow = guarded(|| ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()))
            .flatten()
            .map_err(|error| of_parquet(&place.url, "the file's schema cannot be read", error))?;
        Ok(Self { place, bytes, arrow })
    }

    /// What its footer says.
    pub(crate) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.arrow.metadata()
    }

    /// Its schema.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.arrow.schema()
    }

    /// The rows of a row group.
    pub(crate) fn group_rows(&self, group: usize) -> u64 {
        self.metadata().row_group(group).num_rows() as u64
    }

    /// Where the values of a leaf lie in a row group.
    pub(crate) fn range(&self, group: usize, leaf: usize) -> Range<u64> {
        let (start, length) = self.metadata().row_group(group).column(leaf).byte_range();
        start..start + length
    }
}

async fn footer(place: &Place, bytes: u64) -> Result<ParquetMetaData> {
    let corrupt = |message| {
        Error::corrupt("validate.files", message).with("file", &place.url).with("bytes", bytes)
    };
    if bytes < END + 4 {
        return Err(corrupt("too short for a Parquet file"));
    }
    let read = async |range: Range<u64>| {
        let found = place.store.get_range(&place.path, range.clone()).await;
        let found = found.map_err(|error| of_store(&place.url, error))?;
        if found.len() as u64 != range.end - range.start {
            return Err(corrupt("the file is shorter than the store says"));
        }
        Ok(found)
    };
    let tail_start = bytes.saturating_sub(TAIL);
    let tail = read(tail_start..bytes).await?;
    let end = &tail[tail.len() - END as usize..];
    match &end[4..] {
        b"PAR1" => {}
        b"PARE" => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "validate.files",
                "the file's footer is encrypted",
            )
            .with("file", &place.url));
        }
        _ => {
            return Err(corrupt("not a Parquet file, or its end is missing")
                .with_hint("a Parquet file ends in PAR1; was it written to its end?"));
        }
    }
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let Some(start) = (bytes - END).checked_sub(length) else {
        return Err(corrupt("the footer is said to be longer than the file"));
    };
    let encoded = if start >= tail_start {
        tail.slice((start - tail_start) as usize..tail.len() - END as usize)
    } else {
        read(start..bytes - END).await?
    };
    let decoded = guarded(|| ParquetMetaDataReader::decode_metadata(&encoded)).flatten();
    decoded.map_err(|error| of_parquet(&place.url, "the footer cannot be read", error))
}

/// What a footer says must be possible in a file of so many bytes.
fn check(place: &Place, bytes: u64, metadata: &ParquetMetaData) -> Result<()> {
    let mut rows = 0_i64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let corrupt = |message| {
            Error::corrupt("validate.files", message)
                .with("file", &place.url)
                .with("row group", number)
        };
        rows = match rows.checked_add(group.num_rows()) {
            Some(rows) if group.num_rows() >= 0 => rows,
            _ => return Err(corrupt("the number of rows is impossible")),
        };
        for column in group.columns() {
            let path = column.column_path();
            if let Some(file) = column.file_path() {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "validate.files",
                    "the values of a column are in another file",
                )
                .with("file", &place.url)
                .with("column", path)
                .with("other file", file));
            }
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let possible = start >= 0
                && column.data_page_offset() >= 0
                && column.compressed_size() >= 0
                && column.num_values() >= 0
                && end.is_some_and(|end| end as u64 <= bytes);
            if !possible {
                return Err(corrupt("a column is said to lie outside the file")
                    .with("column", path)
                    .with_hint("was the file written to its end?"));
            }
        }
    }
    if rows != metadata.file_metadata().num_rows() {
        return Err(Error::corrupt("validate.files", "the row groups are not all of the rows")
            .with("file", &place.url)
            .with("rows", metadata.file_metadata().num_rows())
            .with("in row groups", rows));
    }
    Ok(())
}
