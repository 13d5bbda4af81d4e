//! The values of a column of text, read from its dictionary page alone: a few hundred bytes for
//! thousands of rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::file::serialized_reader::SerializedPageReader;

use super::encodings::{all_in_dictionary, dictionary_bytes};
use super::error::guarded;
use super::footer::ParquetFile;
use super::sparse::Sparse;

/// Dictionaries that are longer are not worth a look of their own.
const MOST_BYTES: u64 = 64 << 10;

/// Where the dictionary of a leaf of text lies, if all its values are in it and it is short beside
/// them.
pub(crate) fn range(file: &ParquetFile, group: usize, leaf: usize) -> Option<Range<u64>> {
    let chunk = file.metadata().row_group(group).column(leaf);
    let whole = file.range(group, leaf);
    let bytes = dictionary_bytes(chunk)?;
    let worth = all_in_dictionary(chunk)
        && bytes <= MOST_BYTES
        && bytes > 0
        && bytes <= (whole.end - whole.start) / 2;
    worth.then(|| whole.start..whole.start + bytes)
}

/// The values in the fetched dictionary of a leaf; nothing if they cannot be had: then the column is
/// read, and says what is wrong.
pub(crate) fn values(
    file: &ParquetFile,
    group: usize,
    leaf: usize,
    range: &Range<u64>,
    bytes: Bytes,
) -> Option<ArrayRef> {
    let root = file.arrow.parquet_schema().get_column_root_idx(leaf);
    if !is_text(file.schema().fields().get(root)?.data_type()) {
        return None;
    }
    let sparse = Sparse::new(file.bytes, std::slice::from_ref(range), vec![bytes]);
    let chunk = file.metadata().row_group(group).column(leaf);
    let rows = usize::try_from(file.group_rows(group)).ok()?;
    let mut pages = SerializedPageReader::new(Arc::new(sparse), chunk, rows, None).ok()?;
    match guarded(|| pages.get_next_page()).flatten().ok()?? {
        Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY,
            ..
        } => texts(&buf, num_values as usize),
        _ => None,
    }
}

/// Whether a dictionary's values can be had for columns of this type.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Texts, each after its length in four bytes.
fn texts(mut bytes: &[u8], count: usize) -> Option<ArrayRef> {
    let mut offsets = vec![0_i32];
    let mut values = Vec::with_capacity(bytes.len());
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        values.extend_from_slice(text);
        offsets.push(i32::try_from(values.len()).ok()?);
        bytes = rest;
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Some(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(values), None).ok()?))
}
