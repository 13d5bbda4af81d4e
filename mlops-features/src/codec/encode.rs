//! From columns to packed rows, a column at a time.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use mlops_core::features::{FeatureType, TableColumn};
use mlops_core::{Error, Result};

use super::layout::{HEAD, Place};
use super::row::RowCodec;

/// Packed rows, one after the other.
#[derive(Debug, Clone, Default)]
pub struct PackedBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Of the rows that are being packed, where each begins.
    starts: Vec<usize>,
    /// Of the rows that are being packed, where each one's next value of variable width begins.
    cursors: Vec<usize>,
}

impl PackedBatch {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A row's bytes.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        let end = *self.ends.get(row)?;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        Some(&self.bytes[start..end])
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl RowCodec {
    /// Packs rows of a batch, which may have other columns too, and adds them to `out`.
    ///
    /// Text, bytes and vectors may come in any of their encodings.
    ///
    /// # Errors
    /// `Invalid` for a column that is not there or has another type, for a vector with a null in it, for a row
    /// of more than 4 GiB, for a row that the batch does not have. `out` is then as it was.
    pub fn encode_rows(
        &self,
        batch: &RecordBatch,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
        out: &mut PackedBatch,
    ) -> Result<()> {
        let layout = self.current();
        let columns = layout.columns.iter().map(|column| find(batch, column));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        if let Some(row) = rows.clone().find(|row| *row >= batch.num_rows()) {
            return Err(Error::invalid("features.codec", "the batch has no such row")
                .with("row", row)
                .with("rows", batch.num_rows()));
        }
        let first = out.ends.len();
        let before = out.bytes.len();
        let packed = out.begin(layout.heap, &columns, rows.clone()).and_then(|()| {
            for start in &out.starts {
                out.bytes[*start..*start + HEAD].copy_from_slice(&layout.head.to_le_bytes());
            }
            for (column, place) in columns.iter().zip(&layout.places) {
                out.write(column, *place, rows.clone())?;
            }
            Ok(())
        });
        if packed.is_err() {
            out.ends.truncate(first);
            out.bytes.truncate(before);
        }
        packed
    }
}

impl PackedBatch {
    /// Makes room for rows, all zeros.
    fn begin(
        &mut self,
        heap: usize,
        columns: &[Source<'_>],
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<()> {
        self.cursors.clear();
        self.cursors.resize(rows.len(), 0);
        for column in columns {
            column.add_sizes(rows.clone(), &mut self.cursors);
        }
        self.starts.clear();
        self.starts.reserve(rows.len());
        self.ends.reserve(rows.len());
        let mut end = self.bytes.len();
        for size in &mut self.cursors {
            if u32::try_from(*size).is_err() {
                return Err(Error::invalid("features.codec", "a row is larger than 4 GiB")
                    .with("bytes", *size));
            }
            self.starts.push(end);
            end += heap + *size;
            self.ends.push(end);
            *size = 0;
        }
        self.bytes.resize(end, 0);
        Ok(())
    }

    fn write(
        &mut self,
        column: &Source<'_>,
        place: Place,
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Result<()> {
        let array = column.array.as_ref();
        match column.data_type {
            FeatureType::Int => self.fixed::<Int64Type, 8>(array, place, rows, i64::to_le_bytes),
            FeatureType::Timestamp => {
                self.fixed::<TimestampMicrosecondType, 8>(array, place, rows, i64::to_le_bytes);
            }
            FeatureType::Float => {
                self.fixed::<Float64Type, 8>(array, place, rows, f64::to_le_bytes);
            }
            FeatureType::Float32 => {
                self.fixed::<Float32Type, 4>(array, place, rows, f32::to_le_bytes);
            }
            FeatureType::Date => self.fixed::<Date32Type, 4>(array, place, rows, i32::to_le_bytes),
            FeatureType::Bool => {
                let values = array.as_boolean();
                self.each(array, place, rows, |out, row| out[0] = u8::from(values.value(row)));
            }
            FeatureType::String => {
                let values = array.as_string::<i32>();
                self.variable(
                    array,
                    place,
                    rows,
                    |row, out| {
                        out.copy_from_slice(values.value(row).as_bytes());
                    },
                    |row| values.value_length(row) as usize,
                );
            }
            FeatureType::Bytes => {
                let values = array.as_binary::<i32>();
                self.variable(
                    array,
                    place,
                    rows,
                    |row, out| {
                        out.copy_from_slice(values.value(row));
                    },
                    |row| values.value_length(row) as usize,
                );
            }
            _ => self.vectors(column, place, rows)?,
        }
        Ok(())
    }

    fn vectors(
        &mut self,
        column: &Source<'_>,
        place: Place,
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Result<()> {
        let lists = column.array.as_list::<i32>();
        let items = lists.values().as_primitive::<Float32Type>();
        let span = |row: usize| {
            let offsets = lists.value_offsets();
            offsets[row] as usize..offsets[row + 1] as usize
        };
        if items.null_count() > 0 {
            let holed = |row: &usize| lists.is_valid(*row) && span(*row).any(|i| items.is_null(i));
            if let Some(row) = rows.clone().find(holed) {
                return Err(Error::invalid("features.codec", "a vector has a null in it")
                    .with("column", column.name)
                    .with("row", row));
            }
        }
        self.variable(
            column.array.as_ref(),
            place,
            rows,
            |row, out| {
                let (words, _) = out.as_chunks_mut::<4>();
                for (word, value) in words.iter_mut().zip(&items.values()[span(row)]) {
                    *word = value.to_le_bytes();
                }
            },
            |row| 4 * span(row).len(),
        );
        Ok(())
    }

    fn fixed<T: ArrowPrimitiveType, const N: usize>(
        &mut self,
        array: &dyn Array,
        place: Place,
        rows: impl Iterator<Item = usize>,
        bytes: impl Fn(T::Native) -> [u8; N],
    ) {
        let values = array.as_primitive::<T>().values();
        self.each(array, place, rows, |out, row| {
            if let Some(out) = out.first_chunk_mut::<N>() {
                *out = bytes(values[row]);
            }
        });
    }

    /// Lets `write` put each value that is not null to its place.
    fn each(
        &mut self,
        array: &dyn Array,
        place: Place,
        rows: impl Iterator<Item = usize>,
        write: impl Fn(&mut [u8], usize),
    ) {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let (byte, at) = (place.byte as usize, place.at as usize);
        for (start, row) in self.starts.iter().zip(rows) {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let out = &mut self.bytes[*start..];
            out[byte] |= place.mask;
            write(&mut out[at..], row);
        }
    }

    /// Lets `write` put each value that is not null to the end of its row's values.
    fn variable(
        &mut self,
        array: &dyn Array,
        place: Place,
        rows: impl Iterator<Item = usize>,
        write: impl Fn(usize, &mut [u8]),
        length: impl Fn(usize) -> usize,
    ) {
        let (byte, at, heap) = (place.byte as usize, place.at as usize, place.heap as usize);
        for ((start, cursor), row) in self.starts.iter().zip(&mut self.cursors).zip(rows) {
            let out = &mut self.bytes[*start..];
            if array.is_valid(row) {
                out[byte] |= place.mask;
                let length = length(row);
                write(row, &mut out[heap + *cursor..][..length]);
                *cursor += length;
            }
            out[at..at + 4].copy_from_slice(&(*cursor as u32).to_le_bytes());
        }
    }
}

/// A column of the batch, of the type that it must have.
struct Source<'a> {
    name: &'a str,
    data_type: FeatureType,
    array: Cow<'a, ArrayRef>,
}

impl Source<'_> {
    /// Adds how many bytes each row's value needs, if not always as many.
    fn add_sizes(&self, rows: impl Iterator<Item = usize>, sizes: &mut [usize]) {
        let (offsets, unit) = match self.data_type {
            FeatureType::String => (self.array.as_string::<i32>().value_offsets(), 1),
            FeatureType::Bytes => (self.array.as_binary::<i32>().value_offsets(), 1),
            FeatureType::Vector => (self.array.as_list::<i32>().value_offsets(), 4),
            _ => return,
        };
        for (size, row) in sizes.iter_mut().zip(rows) {
            if self.array.is_valid(row) {
                *size += unit * (offsets[row + 1] - offsets[row]) as usize;
            }
        }
    }
}

fn find<'a>(batch: &'a RecordBatch, column: &'a TableColumn) -> Result<Source<'a>> {
    let array = batch.column_by_name(&column.name).ok_or_else(|| {
        let schema = batch.schema();
        let all: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::invalid("features.codec", "the batch lacks a column of the table")
            .with("column", &column.name)
            .with("columns", all.join(", "))
    })?;
    let bad = || {
        Error::invalid("features.codec", "a column has another type")
            .with("column", &column.name)
            .with("found", array.data_type())
            .with("expected", column.data_type.arrow())
    };
    let array = if fits(array.data_type(), column.data_type) {
        Cow::Borrowed(array)
    } else if encodes(array.data_type(), column.data_type) {
        let brought = cast(array, &column.data_type.arrow());
        Cow::Owned(brought.map_err(|e| bad().with_source(e))?)
    } else {
        return Err(bad());
    };
    Ok(Source { name: &column.name, data_type: column.data_type, array })
}

/// Whether an array is read as it is.
fn fits(found: &DataType, expected: FeatureType) -> bool {
    match (expected, found) {
        // A zone is how an instant is shown.
        (FeatureType::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, _)) => true,
        (FeatureType::Vector, DataType::List(item)) => *item.data_type() == DataType::Float32,
        _ => *found == expected.arrow(),
    }
}

/// Whether an array is another encoding of the same values.
fn encodes(found: &DataType, expected: FeatureType) -> bool {
    let float = |item: &DataType| *item == DataType::Float32;
    match (found, expected) {
        (DataType::Null, _)
        | (DataType::LargeUtf8 | DataType::Utf8View, FeatureType::String)
        | (
            DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_),
            FeatureType::Bytes,
        ) => true,
        (DataType::LargeList(item) | DataType::FixedSizeList(item, _), FeatureType::Vector) => {
            float(item.data_type())
        }
        (DataType::Dictionary(_, values), _) => fits(values, expected) || encodes(values, expected),
        _ => false,
    }
}
