//! Reads a Parquet file of rows: its footer, and row groups in pieces of bounded size.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use mlops_core::features::Segment;
use mlops_core::{Error, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataPushDecoder};

use super::error::{guarded, of_parquet, of_store};
use crate::join::arrow_metadata;

/// Bytes of the end that are read at once; a file that is no longer is read whole.
const TAIL: u64 = 256 << 10;
/// Bytes of a piece, about.
const PIECE_BYTES: usize = 32 << 20;
/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 16_384;

/// A file whose footer was read.
#[derive(Debug, Clone)]
pub(super) struct RowFile {
    operation: &'static str,
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// What it is called in errors.
    name: String,
    bytes: u64,
    /// All of it, if it is short.
    whole: Option<Bytes>,
    metadata: ArrowReaderMetadata,
}

/// A part of a row group that is read at once.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) group: usize,
    pub(super) rows: Range<usize>,
}

/// Reads pieces of a file, one after the other.
#[derive(Debug)]
pub(super) struct Pieces {
    file: RowFile,
    mask: ProjectionMask,
    left: std::vec::IntoIter<Piece>,
    decoder: Option<ParquetPushDecoder>,
}

impl RowFile {
    /// Reads the footer of a segment, which must be as long as the manifest says.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`; `Corrupt` if it is not what was written.
    pub(super) async fn segment(
        operation: &'static str,
        store: &Arc<dyn ObjectStore>,
        path: Path,
        segment: &Segment,
    ) -> Result<Self> {
        let name = segment.path.clone();
        let file = Self::open(operation, store, path, name, Some(segment.bytes)).await?;
        if file.rows() != segment.rows {
            return Err(Error::corrupt(operation, "a segment is not what was written")
                .with("segment", &segment.path)
                .with("rows", file.rows())
                .with("expected", segment.rows));
        }
        Ok(file)
    }

    /// Reads the footer of a file.
    ///
    /// # Errors
    /// As [`RowFile::segment`].
    pub(super) async fn open(
        operation: &'static str,
        store: &Arc<dyn ObjectStore>,
        path: Path,
        name: String,
        expected: Option<u64>,
    ) -> Result<Self> {
        let head = store.head(&path).await.map_err(|e| of_store(operation, &name, e))?;
        let bytes = head.size;
        if let Some(expected) = expected.filter(|expected| *expected != bytes) {
            return Err(Error::corrupt(operation, "a segment is not what was written")
                .with("segment", &name)
                .with("bytes", bytes)
                .with("expected", expected)
                .with_hint("restore the file from a backup"));
        }
        let wrong = |error| of_parquet(operation, &name, error);
        let mut decoder = ParquetMetaDataPushDecoder::try_new(bytes).map_err(wrong)?;
        let mut wanted: Vec<_> = std::iter::once(bytes.saturating_sub(TAIL)..bytes).collect();
        let mut whole = None;
        let metadata = loop {
            let parts = fetch(operation, store.as_ref(), &path, &name, bytes, &wanted).await?;
            if wanted.first() == Some(&(0..bytes)) {
                whole = parts.first().cloned();
            }
            decoder.push_ranges(wanted, parts).map_err(wrong)?;
            match guarded(|| decoder.try_decode()).map_err(wrong)? {
                DecodeResult::Data(metadata) => break metadata,
                DecodeResult::NeedsData(ranges) => wanted = ranges,
                DecodeResult::Finished => {
                    return Err(wrong(ParquetError::General("no footer".to_owned())));
                }
            }
        };
        let metadata = guarded(|| arrow_metadata(Arc::new(metadata))).map_err(wrong)?;
        Ok(Self { operation, store: Arc::clone(store), path, name, bytes, whole, metadata })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn rows(&self) -> u64 {
        let groups = self.metadata().row_groups();
        groups.iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0)).sum()
    }

    /// These row groups, each in pieces of at most so many rows, and of so many that they are about
    /// [`PIECE_BYTES`] if rows are long.
    pub(super) fn cut(&self, groups: impl IntoIterator<Item = usize>, rows: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for group in groups {
            let all = usize::try_from(self.metadata().row_group(group).num_rows()).unwrap_or(0);
            let bytes = usize::try_from(self.metadata().row_group(group).total_byte_size());
            let row = bytes.unwrap_or(0) / all.max(1);
            let rows = rows.min(PIECE_BYTES / row.max(1)).max(1);
            let starts = (0..all).step_by(rows);
            pieces.extend(
                starts.map(|at| Piece { group, rows: at..all.min(at.saturating_add(rows)) }),
            );
        }
        pieces
    }

    /// Reads these columns (by their place in the schema) of these pieces.
    pub(super) fn read(self, columns: &[usize], pieces: Vec<Piece>) -> Pieces {
        let schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(schema, columns.iter().copied());
        Pieces { file: self, mask, left: pieces.into_iter(), decoder: None }
    }

    async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(whole) = &self.whole else {
            let (store, path) = (self.store.as_ref(), &self.path);
            return fetch(self.operation, store, path, &self.name, self.bytes, ranges).await;
        };
        let parts = ranges.iter().map(|range| {
            let inside = range.start <= range.end && range.end <= whole.len() as u64;
            inside.then(|| whole.slice(range.start as usize..range.end as usize))
        });
        let parts: Option<Vec<_>> = parts.collect();
        parts.ok_or_else(|| outside(self.operation, &self.name, self.bytes))
    }
}

impl Pieces {
    /// The next rows; `None` after the last. Columns are in the order of the file's schema.
    ///
    /// # Errors
    /// `Corrupt`, `NotFound`, `Unavailable`.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.decoder.is_none() {
                let Some(piece) = self.left.next() else { return Ok(None) };
                self.decoder = Some(self.decoder(piece)?);
            }
            let Some(decoder) = &mut self.decoder else { continue };
            let decoded = guarded(|| decoder.try_decode());
            match decoded.map_err(|e| of_parquet(self.file.operation, &self.file.name, e))? {
                DecodeResult::Data(batch) => return Ok(Some(batch)),
                DecodeResult::Finished => self.decoder = None,
                DecodeResult::NeedsData(ranges) => {
                    let parts = self.file.fetch(&ranges).await?;
                    let pushed = decoder.push_ranges(ranges, parts);
                    pushed.map_err(|e| of_parquet(self.file.operation, &self.file.name, e))?;
                }
            }
        }
    }

    fn decoder(&self, piece: Piece) -> Result<ParquetPushDecoder> {
        let wrong = |e| of_parquet(self.file.operation, &self.file.name, e);
        let group = self.file.metadata().row_group(piece.group);
        let all = usize::try_from(group.num_rows()).unwrap_or(0);
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.file.metadata.clone())
            .with_row_groups(vec![piece.group])
            .with_projection(self.mask.clone())
            .with_batch_size(BATCH_ROWS);
        if piece.rows != (0..all) {
            let rows = std::iter::once(piece.rows);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(rows, all));
        }
        guarded(|| builder.build()).map_err(wrong)
    }
}

async fn fetch(
    operation: &'static str,
    store: &dyn ObjectStore,
    path: &Path,
    name: &str,
    bytes: u64,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>> {
    if ranges.iter().any(|range| range.start > range.end || range.end > bytes) {
        return Err(outside(operation, name, bytes));
    }
    let parts = store.get_ranges(path, ranges).await;
    let parts = parts.map_err(|error| of_store(operation, name, error))?;
    let whole = parts.len() == ranges.len()
        && parts.iter().zip(ranges).all(|(part, r)| part.len() as u64 == r.end - r.start);
    if whole { Ok(parts) } else { Err(outside(operation, name, bytes)) }
}

#[cold]
fn outside(operation: &'static str, name: &str, bytes: u64) -> Error {
    Error::corrupt(operation, "a part of a file lies outside of it")
        .with("file", name)
        .with("bytes", bytes)
        .with_hint("was the file written to its end?")
}
