//! Files that are one table.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mlops_core::{Error, Result};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::footer::ParquetFile;
use super::text::TextFile;

/// Files of one schema; their rows follow one another.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) schema: SchemaRef,
    pub(crate) parts: Vec<Part>,
}

/// One of a table's files.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Parquet(Arc<ParquetFile>),
    Text(TextFile),
}

impl Table {
    /// How many rows, if footers tell.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Parquet(file) => {
                    u64::try_from(file.metadata().file_metadata().num_rows()).ok()
                }
                Part::Text(_) => None,
            })
            .sum()
    }

    /// Bytes of the values.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Parquet(file) => file
                    .metadata()
                    .row_groups()
                    .iter()
                    .map(|group| group.compressed_size().unsigned_abs())
                    .sum(),
                Part::Text(file) => file.bytes,
            })
            .sum()
    }
}

/// Adds a Parquet file to those of a schema, which may become more nullable.
///
/// Text that the file's writer has called by another of its names (`LargeUtf8`, a dictionary) is read
/// as the first file's: the same values are in the file.
///
/// # Errors
/// `Invalid`, naming file and column, if the file is of another schema.
pub(crate) fn join(schema: &SchemaRef, file: ParquetFile) -> Result<(SchemaRef, ParquetFile)> {
    let found = Arc::clone(file.schema());
    if let Some(different) = difference(schema, &found) {
        return Err(different.with("file", &file.place.url));
    }
    let same_types =
        schema.fields().iter().zip(found.fields()).all(|(a, b)| a.data_type() == b.data_type());
    let file = if same_types { file } else { retyped(schema, file)? };
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .zip(found.fields())
        .map(|(a, b)| Field::clone(a).with_nullable(a.is_nullable() || b.is_nullable()))
        .collect();
    Ok((Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())), file))
}

/// The first difference between the schema of the first file and another's.
fn difference(expected: &Schema, found: &Schema) -> Option<Error> {
    let differ = |message, column: &str| {
        Error::invalid("validate.files", message)
            .with("column", column)
            .with_hint("the files of one validation have one schema, that of the first")
    };
    for (number, field) in expected.fields().iter().enumerate() {
        let Some(other) = found.fields().get(number) else {
            return Some(differ("a file lacks a column of the first", field.name()));
        };
        if other.name() != field.name() {
            return Some(
                differ("a file has another column where the first has this", field.name())
                    .with("found", other.name()),
            );
        }
        if unencoded(field.data_type()) != unencoded(other.data_type()) {
            return Some(
                differ("a file has another type for a column than the first", field.name())
                    .with("expected", field.data_type())
                    .with("found", other.data_type()),
            );
        }
    }
    let more = found.fields().get(expected.fields().len())?;
    Some(differ("a file has a column that the first lacks", more.name()))
}

/// A type without what is merely its encoding.
fn unencoded(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => unencoded(values),
        other => other.clone(),
    }
}

/// A file read with the types of another schema.
fn retyped(schema: &Schema, file: ParquetFile) -> Result<ParquetFile> {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .zip(file.schema().fields())
        .map(|(expected, own)| Field::clone(own).with_data_type(expected.data_type().clone()))
        .collect();
    let own = Schema::new_with_metadata(fields, file.schema().metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(own));
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(file.metadata()), options);
    let arrow = arrow.map_err(|source| {
        Error::invalid("validate.files", "a file cannot be read with the types of the first")
            .with("file", &file.place.url)
            .with_source(source)
    })?;
    Ok(ParquetFile { arrow, ..file })
}
