//! Failing rows with their reasons, as one Parquet file.
//!
//! The file has the data's columns, then `_row`, the number of the row in the data, and
//! `_failed_checks`, the names of the checks that it fails, in the suite's order. Rows stand in the order
//! of the data. If no row fails, the file has no rows: what reads it next need not ask whether it is
//! there.
//!
//! It appears whole or not at all, and so it is replaced: a store shows what is uploaded in parts only
//! when the last part is there. Local files are written under another name and renamed; after a crash
//! that other name may be left over, never a part of the file itself.

use std::sync::Arc;

use arrow::array::builder::{ListBuilder, StringBuilder};
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mlops_core::{Error, ErrorKind, Result};
use object_store::{MultipartUpload, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::bits;
use crate::files::{Place, of_store};
use crate::plan::Plan;
use crate::split::{Blamed, mask, pick};

/// The column of a row's number.
const ROW: &str = "_row";
/// The column of a row's reasons.
const REASONS: &str = "_failed_checks";
/// Rows of a row group, at most.
const GROUP_ROWS: usize = 131_072;
/// Bytes that a row group may take in memory before it is written.
const GROUP_BYTES: usize = 16 << 20;
/// Bytes that are uploaded at once; stores want 5 MiB at least of every part but the last.
const PART_BYTES: usize = 8 << 20;

/// The file that is being written.
pub(crate) struct Quarantine {
    place: Place,
    schema: SchemaRef,
    encoder: Encoder,
    upload: Option<Box<dyn MultipartUpload>>,
}

/// Rows as bytes of a Parquet file; it may work on another thread than the one that uploads.
pub(crate) struct Encoder(ArrowWriter<Vec<u8>>);

/// What the rows of a quarantine have: those of the data, and what is said of each.
///
/// # Errors
/// `Invalid` if the data has a column of such a name already.
pub(crate) fn schema(data: &Schema) -> Result<SchemaRef> {
    let ours = |field: &&Arc<Field>| [ROW, REASONS].contains(&field.name().as_str());
    if let Some(taken) = data.fields().iter().find(ours) {
        return Err(Error::invalid("validate.quarantine", "the data has a column of this name")
            .with("column", taken.name())
            .with_hint("quarantined rows are numbered in `_row`, with `_failed_checks` beside"));
    }
    let reasons = Field::new_list_field(DataType::Utf8, false);
    let mut fields: Vec<Arc<Field>> = data.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW, DataType::UInt64, false)));
    fields.push(Arc::new(Field::new(REASONS, DataType::List(Arc::new(reasons)), false)));
    Ok(Arc::new(Schema::new_with_metadata(fields, data.metadata().clone())))
}

/// The failing rows of a chunk, with their reasons.
pub(crate) fn rows(
    plan: &Plan,
    schema: &SchemaRef,
    batch: &RecordBatch,
    first_row: u64,
    blamed: &Blamed,
) -> Result<RecordBatch> {
    let numbers: UInt64Array =
        bits::rows(&blamed.failed).map(|row| first_row + row as u64).collect();
    let item = Field::new_list_field(DataType::Utf8, false);
    let mut reasons = ListBuilder::new(StringBuilder::new()).with_field(item);
    for checks in blamed.reasons() {
        for check in checks {
            reasons.values().append_value(&plan.0.checks[check].name);
        }
        reasons.append(true);
    }
    let picked = pick(batch, &mask(blamed.failed.clone(), batch.num_rows()))?;
    let mut columns: Vec<ArrayRef> = picked.columns().to_vec();
    columns.push(Arc::new(numbers));
    columns.push(Arc::new(reasons.finish()));
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|source| {
        Error::new(ErrorKind::Internal, "validate.quarantine", "the rows are of another schema")
            .with_source(source)
    })
}

impl Quarantine {
    /// A file of such rows at a place; nothing is there before [`Quarantine::finish`].
    ///
    /// # Errors
    /// `Unsupported` if Parquet has no such type; `Invalid` for a folder.
    pub(crate) fn new(place: Place, schema: SchemaRef) -> Result<Self> {
        if place.is_folder {
            return Err(Error::invalid("validate.quarantine", "a folder cannot be written to")
                .with("file", &place.url)
                .with_hint("name a file: `bad.parquet`"));
        }
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
            .map_err(|source| {
                Error::new(
                    ErrorKind::Unsupported,
                    "validate.quarantine",
                    "the data has a type that Parquet has not",
                )
                .with_source(source)
            })?;
        Ok(Self { place, schema, encoder: Encoder(writer), upload: None })
    }

    /// The rows' schema.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds rows.
    pub(crate) async fn write(&mut self, rows: &[RecordBatch]) -> Result<()> {
        for rows in rows {
            self.encoder.write(rows)?;
            if self.encoder.0.inner().len() >= PART_BYTES {
                self.upload().await?;
            }
        }
        Ok(())
    }

    /// Makes the file visible.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.encoder.0.finish().map_err(|source| unwritable(source.into()))?;
        if self.upload.is_some() {
            self.upload().await?;
        }
        let Some(mut upload) = self.upload.take() else {
            let whole = std::mem::take(self.encoder.0.inner_mut());
            let put = self.place.store.put(&self.place.path, whole.into()).await;
            return put.map(drop).map_err(|error| of_store(&self.place.url, error));
        };
        if let Err(error) = upload.complete().await {
            return Err(give_up(upload, &self.place.url, error).await);
        }
        Ok(())
    }

    /// Uploads what is encoded.
    async fn upload(&mut self) -> Result<()> {
        let mut upload = if let Some(upload) = self.upload.take() {
            upload
        } else {
            let begun = self.place.store.put_multipart(&self.place.path).await;
            begun.map_err(|error| of_store(&self.place.url, error))?
        };
        let part = std::mem::take(self.encoder.0.inner_mut());
        match upload.put_part(part.into()).await {
            Ok(()) => {
                self.upload = Some(upload);
                Ok(())
            }
            Err(error) => Err(give_up(upload, &self.place.url, error).await),
        }
    }

    /// Removes what was begun, because the rest will not come.
    pub(crate) async fn abandon(mut self) {
        if let Some(mut upload) = self.upload.take() {
            // What made the validation fail is told; parts that nobody sees are not worth more.
            let _ = upload.abort().await;
        }
    }
}

async fn give_up(
    mut upload: Box<dyn MultipartUpload>,
    url: &str,
    error: object_store::Error,
) -> Error {
    let _ = upload.abort().await;
    of_store(url, error)
}

impl Encoder {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.0.write(rows).map_err(|source| unwritable(source.into()))?;
        if self.0.in_progress_size() >= GROUP_BYTES {
            self.0.flush().map_err(|source| unwritable(source.into()))?;
        }
        Ok(())
    }
}

#[cold]
fn unwritable(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::Unsupported, "validate.quarantine", "rows cannot be written as Parquet")
        .with_source(source)
}
