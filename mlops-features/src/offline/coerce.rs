//! Brings columns to the types that a table declares, where no value changes; anything else is an
//! error that names the column, the row and the value.
//!
//! Appends, foreign files and the rows that ask all pass through here, so that `7` of an `Int32` column
//! is the same key, and the same feature, as `7` of an `UInt64` one. The non-obvious decision: whether a
//! whole number fits a float, or a double a single, is decided value by value, not by type. Most integers
//! are exact as doubles, and a column that is not must be said, not rounded.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Float32Array, ListArray, PrimitiveArray,
    new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt64Type,
};
use mlops_core::features::{FeatureType, KeyType, TableKey};
use mlops_core::{Error, Result};

const OPERATION: &str = "features.column";
const DAY_MICROS: i64 = 86_400_000_000;
const DAY_MILLIS: i64 = 86_400_000;

/// Key columns, in the order of `keys`, as `Int64`, `Utf8` or `Binary`. Nulls stay.
///
/// # Errors
/// `Invalid` for a column of another kind of type, and for an unsigned number that does not fit.
pub(crate) fn coerce_keys(columns: &[ArrayRef], keys: &[TableKey]) -> Result<Vec<ArrayRef>> {
    columns.iter().zip(keys).map(|(array, key)| key_column(array, key, false)).collect()
}

/// As [`coerce_keys`], for rows that ask: an unsigned number that is no `int` becomes null, because it
/// matches nothing.
pub(crate) fn coerce_asked_keys(columns: &[ArrayRef], keys: &[TableKey]) -> Result<Vec<ArrayRef>> {
    columns.iter().zip(keys).map(|(array, key)| key_column(array, key, true)).collect()
}

/// A column of values as [`FeatureType::arrow`].
///
/// # Errors
/// `Invalid` if a value would change, or the type is of another kind.
pub(crate) fn coerce_column(
    array: &ArrayRef,
    data_type: FeatureType,
    name: &str,
) -> Result<ArrayRef> {
    let target = data_type.arrow();
    let array = &plain(array, name)?;
    if *array.data_type() == target && data_type != FeatureType::Vector {
        return Ok(Arc::clone(array));
    }
    let from = array.data_type();
    match data_type {
        _ if *from == DataType::Null => Ok(new_null_array(&target, array.len())),
        FeatureType::Int if from.is_integer() => whole(array, name, false),
        FeatureType::Float if from.is_integer() => {
            exact_whole(array, name, |v| v as f64 as i128)?;
            quick(array, &target, name)
        }
        FeatureType::Float32 if from.is_integer() => {
            exact_whole(array, name, |v| v as f32 as i128)?;
            quick(array, &target, name)
        }
        FeatureType::Float32 if *from == DataType::Float64 => {
            exact::<Float64Type>(array, name, "a single-precision float", is_single)?;
            quick(array, &target, name)
        }
        FeatureType::Float | FeatureType::Float32 if from.is_floating() => {
            quick(array, &target, name)
        }
        FeatureType::String if is_text(from) => quick(array, &target, name),
        FeatureType::Bytes if is_bytes(from) => quick(array, &target, name),
        FeatureType::Timestamp if matches!(from, DataType::Timestamp(..)) => {
            coerce_time(array, name)
        }
        FeatureType::Date if *from == DataType::Date64 => {
            exact::<Date64Type>(array, name, "a whole day", |v| v % DAY_MILLIS == 0)?;
            quick(array, &target, name)
        }
        FeatureType::Vector => vector(array, name),
        _ => Err(wrong_type(name, from, data_type)),
    }
}

/// A column of instants as `Timestamp` of microseconds, UTC. Naive timestamps are UTC, dates their
/// midnight; nulls stay.
///
/// # Errors
/// `Invalid` for parts of a microsecond, for what is out of range, and for other types.
pub(crate) fn coerce_time(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let array = &plain(array, name)?;
    let scaled = |by: i64| move |v: i64| v.checked_mul(by);
    let micros = match array.data_type() {
        DataType::Null => PrimitiveArray::new_null(array.len()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().clone()
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            instants::<TimestampSecondType>(array, name, scaled(1_000_000))?
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            instants::<TimestampMillisecondType>(array, name, scaled(1_000))?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            instants::<TimestampNanosecondType>(array, name, |v| {
                (v % 1_000 == 0).then_some(v / 1_000)
            })?
        }
        DataType::Date32 => {
            instants::<Date32Type>(array, name, |v| i64::from(v).checked_mul(DAY_MICROS))?
        }
        DataType::Date64 => instants::<Date64Type>(array, name, scaled(1_000))?,
        from => return Err(wrong_type(name, from, "timestamp")),
    };
    Ok(Arc::new(micros.with_timezone("UTC")))
}

fn key_column(array: &ArrayRef, key: &TableKey, lenient: bool) -> Result<ArrayRef> {
    let array = &plain(array, &key.name)?;
    let (from, target) = (array.data_type(), key.data_type.arrow());
    match key.data_type {
        _ if *from == target => Ok(Arc::clone(array)),
        _ if *from == DataType::Null => Ok(new_null_array(&target, array.len())),
        KeyType::Int if from.is_integer() => whole(array, &key.name, lenient),
        KeyType::String if is_text(from) => quick(array, &target, &key.name),
        KeyType::Bytes if is_bytes(from) => quick(array, &target, &key.name),
        expected => Err(wrong_type(&key.name, from, expected).with_hint(
            "keys match by value, and only keys of one kind: whole numbers of any width, text, or \
             bytes",
        )),
    }
}

/// Without dictionaries and runs.
fn plain(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, value) => quick(array, value, name),
        DataType::RunEndEncoded(_, value) => quick(array, value.data_type(), name),
        _ => Ok(Arc::clone(array)),
    }
}

/// A cast that is known to change no value.
fn quick(array: &ArrayRef, target: &DataType, name: &str) -> Result<ArrayRef> {
    cast(array, target).map_err(|source| {
        Error::invalid(OPERATION, "the column cannot be brought to the type")
            .with("column", name)
            .with("type", array.data_type())
            .with("expected", target)
            .with_source(source)
    })
}

/// Whole numbers as `Int64`; what does not fit is an error, or null.
fn whole(array: &ArrayRef, name: &str, lenient: bool) -> Result<ArrayRef> {
    if let Some(unsigned) = array.as_primitive_opt::<UInt64Type>() {
        if lenient {
            let fitting: PrimitiveArray<Int64Type> =
                unsigned.iter().map(|v| v.and_then(|v| i64::try_from(v).ok())).collect();
            return Ok(Arc::new(fitting));
        }
        exact::<UInt64Type>(array, name, "a whole number of 64 bits with a sign", |v| {
            i64::try_from(v).is_ok()
        })?;
    }
    quick(array, &DataType::Int64, name)
}

/// Checks that whole numbers come back from a float as they went in.
fn exact_whole(array: &ArrayRef, name: &str, back: impl Fn(i128) -> i128) -> Result<()> {
    let expected = "exact as a float";
    if *array.data_type() == DataType::UInt64 {
        let good = |v: u64| back(i128::from(v)) == i128::from(v);
        return exact::<UInt64Type>(array, name, expected, good);
    }
    let array = quick(array, &DataType::Int64, name)?;
    exact::<Int64Type>(&array, name, expected, |v| back(i128::from(v)) == i128::from(v))
}

/// Checks each value that is not null.
fn exact<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    name: &str,
    expected: &str,
    good: impl Fn(T::Native) -> bool,
) -> Result<()>
where
    T::Native: Display,
{
    let values = array.as_primitive::<T>();
    // The whole buffer at once, and row by row only where something is wrong in it.
    if values.values().iter().all(|v| good(*v)) {
        return Ok(());
    }
    match (0..values.len()).find(|row| values.is_valid(*row) && !good(values.value(*row))) {
        Some(row) => Err(wrong_value(name, row, values.value(row), expected)),
        None => Ok(()),
    }
}

fn instants<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    name: &str,
    micros: impl Fn(T::Native) -> Option<i64>,
) -> Result<PrimitiveArray<TimestampMicrosecondType>>
where
    T::Native: Display,
{
    let values = array.as_primitive::<T>();
    let mut out = Vec::with_capacity(values.len());
    for (row, value) in values.values().iter().enumerate() {
        out.push(match micros(*value) {
            Some(micros) => micros,
            None if values.is_null(row) => 0,
            None => {
                let expected = "an instant in whole microseconds";
                let unit = values.data_type();
                return Err(wrong_value(name, row, value, expected).with("type", unit));
            }
        });
    }
    Ok(PrimitiveArray::new(out.into(), values.nulls().cloned()))
}

/// Lists of floats as lists of single-precision floats without nulls.
fn vector(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let wrong = || wrong_type(name, array.data_type(), FeatureType::Vector);
    let lists = match array.data_type() {
        DataType::List(_) => Arc::clone(array),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            quick(array, &DataType::List(Arc::clone(item)), name)?
        }
        _ => return Err(wrong()),
    };
    let lists = lists.as_list::<i32>();
    let items = match lists.value_type() {
        DataType::Float32 | DataType::Float64 => Arc::clone(lists.values()),
        DataType::Float16 => quick(lists.values(), &DataType::Float32, name)?,
        DataType::Null => new_null_array(&DataType::Float32, lists.values().len()),
        _ => return Err(wrong()),
    };
    let mut values = Vec::with_capacity(items.len());
    let mut offsets = Vec::with_capacity(lists.len() + 1);
    offsets.push(0);
    for row in 0..lists.len() {
        // What lies under a null list is nobody's.
        let (first, last) = if lists.is_valid(row) {
            (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize)
        } else {
            (0, 0)
        };
        for item in first..last {
            if items.is_null(item) {
                return Err(wrong_value(name, row, "null", "an item of a vector"));
            }
            values.push(match items.as_primitive_opt::<Float64Type>() {
                Some(doubles) if !is_single(doubles.value(item)) => {
                    let expected = "a single-precision float";
                    return Err(wrong_value(name, row, doubles.value(item), expected));
                }
                Some(doubles) => doubles.value(item) as f32,
                None => items.as_primitive::<Float32Type>().value(item),
            });
        }
        offsets.push(i32::try_from(values.len()).map_err(|_| wrong())?);
    }
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let values = Arc::new(Float32Array::from(values));
    let made = ListArray::try_new(field, offsets, values, lists.nulls().cloned());
    Ok(Arc::new(made.map_err(|source| wrong().with_source(source))?))
}

fn is_single(value: f64) -> bool {
    value.is_nan() || f64::from(value as f32).to_bits() == value.to_bits()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(data_type, Binary | LargeBinary | BinaryView | FixedSizeBinary(_))
}

#[cold]
fn wrong_type(name: &str, found: &DataType, expected: impl Display) -> Error {
    Error::invalid(OPERATION, "the column has another type")
        .with("column", name)
        .with("type", found)
        .with("expected", expected)
}

#[cold]
fn wrong_value(name: &str, row: usize, value: impl Display, expected: &str) -> Error {
    Error::invalid(OPERATION, "a value does not fit its column")
        .with("column", name)
        .with("row", row)
        .with("value", value)
        .with("expected", expected)
}

#[cfg(test)]
mod tests;
