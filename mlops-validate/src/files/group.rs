//! Some columns of one row group: fetched, then decoded in memory.
//!
//! What is in memory at a time is the columns that were asked for of one row group, compressed as they
//! are in the file, and one batch of decoded rows. A writer that puts a whole table into one row group
//! makes that much; pages of a column are not fetched one by one.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use mlops_core::{Error, ErrorKind, Result};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::error::{guarded, of_parquet, of_store};
use super::footer::ParquetFile;
use super::sparse::Sparse;

/// Some columns of one row group.
#[derive(Debug)]
pub(crate) struct Group {
    file: Arc<ParquetFile>,
    arrow: ArrowReaderMetadata,
    number: usize,
    /// Which columns of the schema, in its order.
    columns: Vec<usize>,
    fetched: Option<Sparse>,
}

impl Group {
    /// The `wanted` columns of a row group, decoded as `arrow` says; nothing is fetched yet.
    pub(crate) fn new(
        file: Arc<ParquetFile>,
        arrow: ArrowReaderMetadata,
        number: usize,
        wanted: &[bool],
    ) -> Self {
        let columns = (0..wanted.len()).filter(|column| wanted[*column]).collect();
        Self { file, arrow, number, columns, fetched: None }
    }

    /// Where the columns' values lie, one range a leaf.
    fn ranges(&self) -> Vec<Range<u64>> {
        let parquet = self.arrow.parquet_schema();
        (0..parquet.num_columns())
            .filter(|leaf| self.columns.contains(&parquet.get_column_root_idx(*leaf)))
            .map(|leaf| self.file.range(self.number, leaf))
            .filter(|range| !range.is_empty())
            .collect()
    }

    /// How many bytes of the file the columns take.
    pub(crate) fn bytes(&self) -> u64 {
        self.ranges().into_iter().map(|range| range.end - range.start).sum()
    }

    /// Fetches the columns, those that lie beside one another at once.
    pub(crate) async fn fetch(&mut self) -> Result<()> {
        let ranges = self.ranges();
        let place = &self.file.place;
        let parts = if ranges.is_empty() {
            Vec::new()
        } else {
            let fetched = place.store.get_ranges(&place.path, &ranges).await;
            fetched.map_err(|error| of_store(&place.url, error))?
        };
        self.fetched = Some(Sparse::new(self.file.bytes, &ranges, parts));
        Ok(())
    }

    /// The rows, `batch_rows` at a time, in batches of as many columns as the file has; those that are
    /// not among the wanted are null.
    ///
    /// # Errors
    /// `Corrupt`, naming file, row group and column.
    pub(crate) fn read(
        self,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let mut reader = self.reader(&self.columns, batch_rows)?;
        let schema = widened(self.arrow.schema(), &self.columns);
        let mut rows_left = self.file.group_rows(self.number);
        let mut ended = false;
        Ok(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let batch = match guarded(|| reader.next()) {
                Ok(None) if rows_left == 0 => return None,
                Ok(None) => Err(self.corrupt("the row group has fewer rows than the footer says")),
                Ok(Some(Ok(batch))) => {
                    rows_left = rows_left.saturating_sub(batch.num_rows() as u64);
                    widen(&schema, &self.columns, &batch)
                }
                Ok(Some(Err(source))) => Err(self.find_column().with_source(source)),
                Err(source) => Err(self.find_column().with_source(source)),
            };
            ended = batch.is_err();
            Some(batch)
        }))
    }

    fn reader(&self, columns: &[usize], batch_rows: usize) -> Result<ParquetRecordBatchReader> {
        let Some(fetched) = self.fetched.clone() else {
            return Err(Error::new(
                ErrorKind::Internal,
                "validate.files",
                "a row group is decoded before it is fetched",
            ));
        };
        let mask = ProjectionMask::roots(self.arrow.parquet_schema(), columns.iter().copied());
        let made = guarded(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(fetched, self.arrow.clone())
                .with_row_groups(vec![self.number])
                .with_projection(mask)
                .with_batch_size(batch_rows)
                .build()
        });
        match made {
            Ok(made) => made.map_err(|error| {
                of_parquet(&self.file.place.url, "a row group cannot be read", error)
                    .with("row group", self.number)
            }),
            Err(source) => Err(self.corrupt("a row group cannot be read").with_source(source)),
        }
    }

    /// Which column it is that cannot be read: the first that cannot be read alone.
    #[cold]
    fn find_column(&self) -> Error {
        let error = self.corrupt("the values of a column cannot be read");
        let broken = self.columns.iter().find(|column| {
            let all = self
                .reader(&[**column], 8192)
                .map(|reader| guarded(move || reader.into_iter().all(|batch| batch.is_ok())));
            !matches!(all, Ok(Ok(true)))
        });
        match broken {
            Some(column) => error.with("column", self.arrow.schema().field(*column).name()),
            None => error,
        }
    }

    #[cold]
    fn corrupt(&self, message: &'static str) -> Error {
        Error::corrupt("validate.files", message)
            .with("file", &self.file.place.url)
            .with("row group", self.number)
    }
}

/// A schema in which the columns that are not read are of no type.
pub(crate) fn widened(schema: &Schema, columns: &[usize]) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(number, field)| {
            if columns.contains(&number) {
                Field::clone(field)
            } else {
                Field::new(field.name(), DataType::Null, true)
            }
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// A batch of some columns as one of all; see [`widened`].
pub(crate) fn widen(
    schema: &SchemaRef,
    columns: &[usize],
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let missing: ArrayRef = Arc::new(NullArray::new(rows));
    let mut found = batch.columns().iter();
    let all = (0..schema.fields().len())
        .map(|number| {
            let column = if columns.contains(&number) { found.next() } else { None };
            Arc::clone(column.unwrap_or(&missing))
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), all, &options).map_err(
        |source: ArrowError| {
            Error::corrupt("validate.files", "a batch is not of its file's schema")
                .with_source(source)
        },
    )
}
