//! The parts of a file that were fetched, as if they were the file.

use std::io::Cursor;
use std::ops::Range;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Parts of a file, in the order of their places.
#[derive(Debug, Clone)]
pub(crate) struct Sparse {
    file_bytes: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Sparse {
    /// The `parts` of a file, each with the range it was fetched from.
    pub(crate) fn new(file_bytes: u64, ranges: &[Range<u64>], parts: Vec<Bytes>) -> Self {
        let mut parts: Vec<(u64, Bytes)> =
            ranges.iter().map(|range| range.start).zip(parts).collect();
        parts.sort_by_key(|(start, _)| *start);
        Self { file_bytes, parts }
    }

    /// What was fetched from `start` on.
    fn from(&self, start: u64) -> Result<Bytes> {
        let after = self.parts.partition_point(|(part, _)| *part <= start);
        self.parts[..after]
            .last()
            .and_then(|(part, bytes)| {
                let skipped = usize::try_from(start - part).ok()?;
                (skipped <= bytes.len()).then(|| bytes.slice(skipped..))
            })
            .ok_or_else(|| ParquetError::EOF(format!("byte {start} is in no column that is read")))
    }
}

impl Length for Sparse {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for Sparse {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.from(start).map(Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "a page of {length} bytes at {start} reaches past its column, by {}",
                length - bytes.len()
            )));
        }
        Ok(bytes.slice(..length))
    }
}
