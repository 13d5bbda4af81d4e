//! Columns that rows are decoded to: typed, with their memory kept from one call to the next.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array,
    Int64Array, ListArray, PrimitiveArray, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use mlops_core::features::FeatureType;
use mlops_core::{Error, Result};

/// The values of one feature, one a row.
///
/// Where there is no value, the slices of values hold zero; [`Column::valid`] tells the two apart.
#[derive(Debug, Clone)]
pub struct Column {
    data_type: FeatureType,
    pub(super) data: Data,
    pub(super) valid: Vec<bool>,
}

/// Columns of the types that share a representation share a variant.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Bool(Vec<bool>),
    /// `Int` and `Timestamp`.
    Wide(Vec<i64>),
    Float(Vec<f64>),
    Float32(Vec<f32>),
    Date(Vec<i32>),
    /// `String` and `Bytes`: where each value ends, and the bytes. Text was checked to be text.
    Text(Vec<i32>, Vec<u8>),
    Vector(Vec<i32>, Vec<f32>),
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// None.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A double.
    Float(f64),
    /// A single-precision float.
    Float32(f32),
    /// Text.
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Microseconds since 1970.
    Timestamp(i64),
    /// Days since 1970.
    Date(i32),
    /// A list of floats.
    Vector(&'a [f32]),
}

impl Column {
    /// A column without rows.
    pub fn new(data_type: FeatureType) -> Result<Self> {
        let data = match data_type {
            FeatureType::Bool => Data::Bool(Vec::new()),
            FeatureType::Int | FeatureType::Timestamp => Data::Wide(Vec::new()),
            FeatureType::Float => Data::Float(Vec::new()),
            FeatureType::Float32 => Data::Float32(Vec::new()),
            FeatureType::Date => Data::Date(Vec::new()),
            FeatureType::String | FeatureType::Bytes => Data::Text(Vec::new(), Vec::new()),
            FeatureType::Vector => Data::Vector(Vec::new(), Vec::new()),
            _ => {
                return Err(
                    Error::invalid("features.codec", "has no layout").with("type", data_type)
                );
            }
        };
        Ok(Self { data_type, data, valid: Vec::new() })
    }

    /// Its type.
    pub fn data_type(&self) -> FeatureType {
        self.data_type
    }

    /// For each row, whether it has a value.
    #[inline]
    pub fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// The values of a `float` column.
    #[inline]
    pub fn floats(&self) -> Option<&[f64]> {
        if let Data::Float(values) = &self.data { Some(values) } else { None }
    }

    /// The values of a `float32` column.
    #[inline]
    pub fn floats32(&self) -> Option<&[f32]> {
        if let Data::Float32(values) = &self.data { Some(values) } else { None }
    }

    /// The values of an `int` column, or the microseconds of a `timestamp` column.
    #[inline]
    pub fn ints(&self) -> Option<&[i64]> {
        if let Data::Wide(values) = &self.data { Some(values) } else { None }
    }

    /// The value of a row; null too if there is no such row.
    #[inline]
    pub fn value(&self, row: usize) -> Value<'_> {
        if !self.valid.get(row).copied().unwrap_or(false) {
            return Value::Null;
        }
        match &self.data {
            Data::Bool(values) => Value::Bool(values[row]),
            Data::Wide(values) if self.data_type == FeatureType::Int => Value::Int(values[row]),
            Data::Wide(values) => Value::Timestamp(values[row]),
            Data::Float(values) => Value::Float(values[row]),
            Data::Float32(values) => Value::Float32(values[row]),
            Data::Date(values) => Value::Date(values[row]),
            Data::Text(ends, bytes) => {
                let bytes = &bytes[span(ends, row)];
                if self.data_type == FeatureType::Bytes {
                    return Value::Bytes(bytes);
                }
                Value::String(std::str::from_utf8(bytes).unwrap_or_default())
            }
            Data::Vector(ends, items) => Value::Vector(&items[span(ends, row)]),
        }
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.valid.clear();
        match &mut self.data {
            Data::Bool(values) => values.clear(),
            Data::Wide(values) => values.clear(),
            Data::Float(values) => values.clear(),
            Data::Float32(values) => values.clear(),
            Data::Date(values) => values.clear(),
            Data::Text(ends, bytes) => {
                ends.clear();
                bytes.clear();
            }
            Data::Vector(ends, items) => {
                ends.clear();
                items.clear();
            }
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `Invalid` if the value has another type, or the column becomes larger than 2 GiB.
    pub fn push(&mut self, value: Value<'_>) -> Result<()> {
        let null = value == Value::Null;
        match (&mut self.data, value) {
            (Data::Bool(values), Value::Bool(value)) => values.push(value),
            (Data::Wide(values), Value::Int(value)) if self.data_type == FeatureType::Int => {
                values.push(value);
            }
            (Data::Wide(values), Value::Timestamp(value))
                if self.data_type == FeatureType::Timestamp =>
            {
                values.push(value);
            }
            (Data::Float(values), Value::Float(value)) => values.push(value),
            (Data::Float32(values), Value::Float32(value)) => values.push(value),
            (Data::Date(values), Value::Date(value)) => values.push(value),
            (Data::Text(ends, bytes), Value::String(text))
                if self.data_type == FeatureType::String =>
            {
                add(ends, bytes, text.as_bytes())?;
            }
            (Data::Text(ends, bytes), Value::Bytes(value))
                if self.data_type == FeatureType::Bytes =>
            {
                add(ends, bytes, value)?;
            }
            (Data::Vector(ends, items), Value::Vector(value)) => add(ends, items, value)?,
            (data, Value::Null) => data.push_zero(),
            (_, value) => {
                return Err(Error::invalid("features.codec", "a value has another type")
                    .with("found", format_args!("{value:?}"))
                    .with("expected", self.data_type));
            }
        }
        self.valid.push(!null);
        Ok(())
    }

    /// Adds rows without values until there are `rows`.
    pub(crate) fn fill_null(&mut self, rows: usize) {
        while self.valid.len() < rows {
            self.data.push_zero();
            self.valid.push(false);
        }
    }

    /// As an Arrow array of the type's [`FeatureType::arrow`], without a copy of the values.
    pub fn into_array(self) -> ArrayRef {
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        match self.data {
            Data::Bool(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Data::Wide(values) if self.data_type == FeatureType::Int => {
                Arc::new(Int64Array::new(values.into(), nulls))
            }
            Data::Wide(values) => {
                Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
            }
            Data::Float(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Data::Float32(values) => Arc::new(Float32Array::new(values.into(), nulls)),
            Data::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Data::Text(ends, bytes) => {
                let (offsets, bytes) = (offsets(&ends), Buffer::from_vec(bytes));
                if self.data_type == FeatureType::Bytes {
                    return Arc::new(BinaryArray::new(offsets, bytes, nulls));
                }
                Arc::new(StringArray::new(offsets, bytes, nulls))
            }
            Data::Vector(ends, items) => {
                let field = Arc::new(Field::new_list_field(DataType::Float32, true));
                let items = PrimitiveArray::new(ScalarBuffer::from(items), None);
                let items: Arc<Float32Array> = Arc::new(items);
                debug_assert_eq!(items.null_count(), 0);
                Arc::new(ListArray::new(field, offsets(&ends), items, nulls))
            }
        }
    }
}

impl Data {
    #[inline]
    pub(super) fn push_zero(&mut self) {
        match self {
            Self::Bool(values) => values.push(false),
            Self::Wide(values) => values.push(0),
            Self::Float(values) => values.push(0.0),
            Self::Float32(values) => values.push(0.0),
            Self::Date(values) => values.push(0),
            Self::Text(ends, _) | Self::Vector(ends, _) => {
                ends.push(ends.last().copied().unwrap_or(0));
            }
        }
    }
}

/// Adds a value of variable width.
fn add<T: Copy>(ends: &mut Vec<i32>, items: &mut Vec<T>, value: &[T]) -> Result<()> {
    let end = i32::try_from(items.len() + value.len()).map_err(|_| too_large())?;
    items.extend_from_slice(value);
    ends.push(end);
    Ok(())
}

#[cold]
pub(super) fn too_large() -> Error {
    Error::invalid("features.codec", "one column of one answer is larger than 2 GiB")
        .with_hint("ask for fewer rows at once")
}

fn span(ends: &[i32], row: usize) -> std::ops::Range<usize> {
    let start = if row == 0 { 0 } else { ends[row - 1] };
    start as usize..ends[row] as usize
}

fn offsets(ends: &[i32]) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.extend_from_slice(ends);
    OffsetBuffer::new(offsets.into())
}
