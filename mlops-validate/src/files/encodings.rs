//! How the text of a row group is decoded.
//!
//! Text that a row group keeps in a dictionary throughout is decoded as one: its values are copied
//! once, checks judge each of them once, and a row costs four bytes. Other text is decoded as views
//! into the pages. Both are only done to columns whose checks come to the same answer whatever the
//! encoding, which the caller says; the others are decoded as the file's schema says.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;

use super::footer::ParquetFile;

/// The ways in which the row groups of one file have been decoded so far.
#[derive(Debug, Default)]
pub(crate) struct Encodings {
    known: HashMap<Vec<As>, ArrowReaderMetadata>,
}

/// How a column is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum As {
    Written,
    Dictionary,
    View,
}

impl Encodings {
    /// How to decode a row group; `free` are the columns that may be decoded in any encoding.
    pub(crate) fn of(
        &mut self,
        file: &ParquetFile,
        group: usize,
        free: &[bool],
    ) -> ArrowReaderMetadata {
        let schema = file.schema();
        let parquet = file.arrow.parquet_schema();
        let mut ways = vec![As::Written; schema.fields().len()];
        for (leaf, chunk) in file.metadata().row_group(group).columns().iter().enumerate() {
            let root = parquet.get_column_root_idx(leaf);
            let is_text = schema.fields().get(root).is_some_and(|field| {
                matches!(
                    field.data_type(),
                    DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
                )
            });
            if is_text && free.get(root).copied().unwrap_or(false) {
                let worth = all_in_dictionary(chunk) && is_small(file, group, leaf);
                ways[root] = if worth { As::Dictionary } else { As::View };
            }
        }
        if let Some(known) = self.known.get(&ways) {
            return known.clone();
        }
        let read = supplied(file, &ways).unwrap_or_else(|| file.arrow.clone());
        self.known.insert(ways, read.clone());
        read
    }
}

/// Whether every data page of the column is encoded by the dictionary, as far as that is said.
pub(crate) fn all_in_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.dictionary_page_offset().is_some()
        && chunk.page_encoding_stats_mask().is_some_and(|mask| {
            mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY)
        })
}

/// Whether the dictionary is short beside the rows: judging each value once then saves time.
fn is_small(file: &ParquetFile, group: usize, leaf: usize) -> bool {
    let chunk = file.metadata().row_group(group).column(leaf);
    dictionary_bytes(chunk).is_some_and(|bytes| bytes <= chunk.num_values().unsigned_abs() * 4)
}

/// How many bytes of the file the dictionary takes.
pub(crate) fn dictionary_bytes(chunk: &ColumnChunkMetaData) -> Option<u64> {
    let start = chunk.dictionary_page_offset()?;
    u64::try_from(chunk.data_page_offset().checked_sub(start)?).ok()
}

/// The file's schema with some columns in other encodings; nothing if the reader cannot do it.
fn supplied(file: &ParquetFile, ways: &[As]) -> Option<ArrowReaderMetadata> {
    if ways.iter().all(|way| *way == As::Written) {
        return None;
    }
    let fields: Vec<Field> = file
        .schema()
        .fields()
        .iter()
        .zip(ways)
        .map(|(field, way)| {
            let field = Field::clone(field);
            match way {
                As::Written => field,
                As::View => field.with_data_type(DataType::Utf8View),
                As::Dictionary => field.with_data_type(DataType::Dictionary(
                    Box::new(DataType::Int32),
                    Box::new(DataType::Utf8),
                )),
            }
        })
        .collect();
    let schema = Schema::new_with_metadata(fields, file.schema().metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
    ArrowReaderMetadata::try_new(Arc::clone(file.metadata()), options).ok()
}
