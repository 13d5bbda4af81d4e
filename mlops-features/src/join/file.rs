//! A Parquet file, opened by its footer, and parts of its row groups.
//!
//! A footer is data from outside: what it says of offsets is checked against the file's size before
//! anything is read at them, and decoders that panic are caught.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use mlops_core::features::{Table, TableColumn};
use mlops_core::{Error, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection,
};
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataPushDecoder};

use super::error::{guarded, of_parquet, of_store};
use super::keys::check_key;
use super::ticks::check_time;

/// Bytes of the end that are read at once: the footers of most files are shorter.
const TAIL: u64 = 64 << 10;

/// How a file's columns become Arrow's.
///
/// Instants of the old type INT96 are read as microseconds: as nanoseconds, which is what a reader takes
/// unless told, those before 1677 and after 2262 would turn into others.
pub(crate) fn arrow_metadata(
    metadata: Arc<ParquetMetaData>,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let made = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
    let roots = made.parquet_schema().root_schema().get_fields();
    let old = |at: usize| {
        roots.get(at).is_some_and(|root| {
            root.is_primitive() && root.get_physical_type() == PhysicalType::INT96
        })
    };
    if !(0..roots.len()).any(old) {
        return Ok(made);
    }
    let schema = made.schema();
    let fields = schema.fields().iter().enumerate().map(|(at, field)| {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        if old(at) { field.as_ref().clone().with_data_type(micros) } else { field.as_ref().clone() }
    });
    let fields: Vec<_> = fields.collect();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(metadata, options)
}

/// What a file of rows is to the join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A segment of ours: sorted by key and by the order of writes, with the store's own columns; a
    /// column that it does not have is null.
    Segment,
    /// A file of others: the table's column names, rows in any order.
    Foreign,
}

/// A Parquet file of rows of a table.
#[derive(Debug, Clone)]
pub(crate) struct JoinFile {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// What the file is called in errors, without credentials.
    pub(crate) url: String,
    /// How many bytes it has, if that is known: one that has another number is `Corrupt`.
    pub(crate) bytes: Option<u64>,
    pub(crate) layout: Layout,
    /// Rows of this `seq` and of greater ones are left out; of a file of others, by their place.
    pub(crate) before_seq: Option<u64>,
}

/// A file whose footer is read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: JoinFile,
    bytes: u64,
    pub(super) arrow: ArrowReaderMetadata,
    /// The place of its first row among those of all files.
    pub(super) first: u64,
    /// Where the keys are in its schema.
    pub(super) keys: Vec<usize>,
    pub(super) event_time: usize,
    pub(super) created: Option<usize>,
    /// Where `seq` is, if rows are left out by it.
    pub(super) seq: Option<usize>,
}

impl JoinFile {
    /// Reads the footer and finds the columns of keys and times.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt` for what is no whole Parquet file, or not of the size it should have;
    /// `Invalid` for a column that is missing or of another type.
    pub(super) async fn open(self, table: &Table) -> Result<Opened> {
        let head = self.store.head(&self.path).await;
        let bytes = head.map_err(|error| of_store(&self.url, error))?.size;
        if let Some(known) = self.bytes.filter(|known| *known != bytes) {
            return Err(Error::corrupt("features.as_of", "a segment is not what was written")
                .with("file", &self.url)
                .with("bytes", bytes)
                .with("expected", known));
        }
        let metadata = self.footer(bytes).await?;
        self.check(bytes, &metadata)?;
        let arrow = guarded(|| arrow_metadata(Arc::new(metadata)));
        let arrow = arrow
            .map_err(|error| of_parquet(&self.url, "the file's schema cannot be read", error))?;
        let schema = arrow.schema();
        let mut keys = Vec::with_capacity(table.keys.len());
        for key in &table.keys {
            let at = self.column(schema, &key.name)?;
            check_key(key, schema.field(at).data_type()).map_err(|e| e.with("file", &self.url))?;
            keys.push(at);
        }
        let (event_time, created) = match self.layout {
            Layout::Segment => (Table::EVENT_TIME, Some(Table::CREATED)),
            Layout::Foreign => (table.event_time.as_str(), table.created.as_deref()),
        };
        let time = |name: &str| -> Result<usize> {
            let at = self.column(schema, name)?;
            check_time(name, schema.field(at).data_type())
                .map_err(|error| error.with("file", &self.url))?;
            Ok(at)
        };
        let (event_time, created) = (time(event_time)?, created.map(time).transpose()?);
        let seq = match self.layout {
            Layout::Segment if self.before_seq.is_some() => Some(self.seq(schema)?),
            _ => None,
        };
        Ok(Opened { bytes, first: 0, keys, event_time, created, seq, arrow, file: self })
    }

    fn seq(&self, schema: &SchemaRef) -> Result<usize> {
        let at = self.column(schema, Table::SEQ)?;
        if *schema.field(at).data_type() == DataType::UInt64 {
            return Ok(at);
        }
        Err(Error::corrupt("features.as_of", "a segment's places are of another type")
            .with("file", &self.url)
            .with("type", schema.field(at).data_type()))
    }

    async fn footer(&self, bytes: u64) -> Result<ParquetMetaData> {
        let wrong = |error| {
            of_parquet(&self.url, "not a Parquet file, or not a whole one", error)
                .with("bytes", bytes)
        };
        let mut decoder = ParquetMetaDataPushDecoder::try_new(bytes).map_err(wrong)?;
        let mut wanted: Vec<_> = std::iter::once(bytes.saturating_sub(TAIL)..bytes).collect();
        loop {
            let parts = self.fetch(bytes, &wanted).await?;
            decoder.push_ranges(wanted, parts).map_err(wrong)?;
            match guarded(|| decoder.try_decode()).map_err(wrong)? {
                DecodeResult::Data(metadata) => return Ok(metadata),
                DecodeResult::NeedsData(ranges) => wanted = ranges,
                DecodeResult::Finished => {
                    return Err(wrong(ParquetError::General("no footer".to_owned())));
                }
            }
        }
    }

    async fn fetch(&self, bytes: u64, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.iter().any(|range| range.start > range.end || range.end > bytes) {
            return Err(Error::corrupt("features.as_of", "a part of a file lies outside of it")
                .with("file", &self.url)
                .with("bytes", bytes)
                .with_hint("was the file written to its end?"));
        }
        let parts = self.store.get_ranges(&self.path, ranges).await;
        let parts = parts.map_err(|error| of_store(&self.url, error))?;
        let whole = parts.len() == ranges.len()
            && parts.iter().zip(ranges).all(|(part, r)| part.len() as u64 == r.end - r.start);
        if !whole {
            return Err(Error::corrupt("features.as_of", "a file is shorter than its store says")
                .with("file", &self.url));
        }
        Ok(parts)
    }

    /// What a footer says must be possible in a file of so many bytes.
    fn check(&self, bytes: u64, metadata: &ParquetMetaData) -> Result<()> {
        let possible = metadata.row_groups().iter().all(|group| {
            group.num_rows() >= 0
                && group.columns().iter().all(|column| {
                    let start =
                        column.dictionary_page_offset().unwrap_or(column.data_page_offset());
                    let end = start.checked_add(column.compressed_size());
                    start >= 0
                        && column.data_page_offset() >= 0
                        && column.compressed_size() >= 0
                        && end.is_some_and(|end| end as u64 <= bytes)
                })
        });
        if possible {
            return Ok(());
        }
        Err(Error::corrupt("features.as_of", "a column is said to lie outside the file")
            .with("file", &self.url)
            .with_hint("was the file written to its end?"))
    }

    fn column(&self, schema: &SchemaRef, name: &str) -> Result<usize> {
        schema.index_of(name).map_err(|_| match self.layout {
            Layout::Segment => {
                Error::corrupt("features.as_of", "a segment lacks a column that all have")
                    .with("file", &self.url)
                    .with("column", name)
            }
            Layout::Foreign => {
                let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                Error::invalid("features.as_of", "the file has no such column")
                    .with("file", &self.url)
                    .with("column", name)
                    .with("columns", names.join(", "))
            }
        })
    }
}

impl Opened {
    pub(super) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.arrow.metadata()
    }

    pub(super) fn data_type(&self, column: usize) -> &DataType {
        self.arrow.schema().field(column).data_type()
    }

    pub(super) fn name(&self, column: usize) -> &str {
        self.arrow.schema().field(column).name()
    }

    pub(super) fn rows(&self) -> u64 {
        self.metadata().row_groups().iter().map(|group| group.num_rows() as u64).sum()
    }

    pub(super) fn group_rows(&self, group: usize) -> usize {
        self.metadata().row_group(group).num_rows() as usize
    }

    /// Where a column of values is, if the file has it.
    ///
    /// # Errors
    /// `Invalid` if a file of others does not.
    pub(super) fn value(&self, column: &TableColumn) -> Result<Option<usize>> {
        match self.file.column(self.arrow.schema(), &column.name) {
            Ok(at) => Ok(Some(at)),
            Err(_) if self.file.layout == Layout::Segment => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many bytes a column of a row group takes in the file.
    pub(super) fn group_bytes(&self, group: usize, column: usize) -> u64 {
        let (parquet, group) = (self.arrow.parquet_schema(), self.metadata().row_group(group));
        (0..parquet.num_columns())
            .filter(|leaf| parquet.get_column_root_idx(*leaf) == column)
            .map(|leaf| group.column(leaf).compressed_size().max(0) as u64)
            .sum()
    }

    /// Fetches what is selected of some columns of a row group; what comes of it decodes without the store.
    /// `columns` ascend, and the batches have them in this order. `None` if nothing is selected.
    pub(super) async fn read(
        &self,
        group: usize,
        columns: &[usize],
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<Option<ParquetRecordBatchReader>> {
        let wrong = |error| self.unreadable(group, error);
        let mask = ProjectionMask::roots(self.arrow.parquet_schema(), columns.iter().copied());
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.arrow.clone())
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let mut decoder = guarded(|| builder.build()).map_err(wrong)?;
        loop {
            match guarded(|| decoder.try_next_reader()).map_err(wrong)? {
                DecodeResult::NeedsData(ranges) => {
                    let parts = self.file.fetch(self.bytes, &ranges).await?;
                    decoder.push_ranges(ranges, parts).map_err(wrong)?;
                }
                DecodeResult::Data(reader) => return Ok(Some(reader)),
                DecodeResult::Finished => return Ok(None),
            }
        }
    }

    /// A row group that cannot be decoded.
    #[cold]
    pub(super) fn unreadable(&self, group: usize, source: ParquetError) -> Error {
        of_parquet(&self.file.url, "a row group cannot be read", source).with("row group", group)
    }

    /// A row group that has fewer, or more, rows than it says.
    #[cold]
    pub(super) fn miscounted(&self, group: usize) -> Error {
        Error::corrupt("features.as_of", "a row group has not the rows that the footer says")
            .with("file", &self.file.url)
            .with("row group", group)
    }
}
