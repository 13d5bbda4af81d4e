//! From Arrow's arrays to the few shapes of values.

use std::borrow::Cow;

use arrow::array::{Array, AsArray, BooleanArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type, i256,
};

use super::{Rows, Values};

pub(super) fn values<'a>(array: &'a dyn Array, rows: &Rows) -> Values<'a> {
    match array.data_type() {
        DataType::Float16 => floats::<Float16Type>(array, rows, Into::into),
        DataType::Float32 => floats::<Float32Type>(array, rows, f64::from),
        DataType::Float64 if rows.mask.is_none() => {
            Values::Floats(Cow::Borrowed(array.as_primitive::<Float64Type>().values()))
        }
        DataType::Float64 => floats::<Float64Type>(array, rows, |v| v),
        DataType::Int8 => whole::<Int8Type>(array, rows),
        DataType::Int16 => whole::<Int16Type>(array, rows),
        DataType::Int32 => whole::<Int32Type>(array, rows),
        DataType::Int64 => exactly_i64::<Int64Type>(array, rows),
        DataType::UInt8 => whole::<UInt8Type>(array, rows),
        DataType::UInt16 => whole::<UInt16Type>(array, rows),
        DataType::UInt32 => whole::<UInt32Type>(array, rows),
        DataType::UInt64 => wide::<UInt64Type>(
            array,
            rows,
            |v| i64::try_from(v).ok(),
            |v| i256::from_i128(v.into()),
        ),
        DataType::Decimal32(..) => whole::<Decimal32Type>(array, rows),
        DataType::Decimal64(..) => exactly_i64::<Decimal64Type>(array, rows),
        DataType::Decimal128(..) => {
            wide::<Decimal128Type>(array, rows, |v| i64::try_from(v).ok(), i256::from_i128)
        }
        DataType::Decimal256(..) => wide::<Decimal256Type>(
            array,
            rows,
            |v| v.to_i128().and_then(|v| i64::try_from(v).ok()),
            |v| v,
        ),
        DataType::Date32 => whole::<Date32Type>(array, rows),
        DataType::Date64 => exactly_i64::<Date64Type>(array, rows),
        DataType::Time32(TimeUnit::Second) => whole::<Time32SecondType>(array, rows),
        DataType::Time32(_) => whole::<Time32MillisecondType>(array, rows),
        DataType::Time64(TimeUnit::Microsecond) => {
            exactly_i64::<Time64MicrosecondType>(array, rows)
        }
        DataType::Time64(_) => exactly_i64::<Time64NanosecondType>(array, rows),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => exactly_i64::<TimestampSecondType>(array, rows),
            TimeUnit::Millisecond => exactly_i64::<TimestampMillisecondType>(array, rows),
            TimeUnit::Microsecond => exactly_i64::<TimestampMicrosecondType>(array, rows),
            TimeUnit::Nanosecond => exactly_i64::<TimestampNanosecondType>(array, rows),
        },
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => exactly_i64::<DurationSecondType>(array, rows),
            TimeUnit::Millisecond => exactly_i64::<DurationMillisecondType>(array, rows),
            TimeUnit::Microsecond => exactly_i64::<DurationMicrosecondType>(array, rows),
            TimeUnit::Nanosecond => exactly_i64::<DurationNanosecondType>(array, rows),
        },
        DataType::Boolean => {
            let array: &BooleanArray = array.as_boolean();
            Values::Bools(rows.gather(|row| array.value(row)))
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Values::Texts(rows.gather(|row| array.value(row)))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Values::Texts(rows.gather(|row| array.value(row)))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Values::Texts(rows.gather(|row| array.value(row)))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Values::Bytes(rows.gather(|row| array.value(row)))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Values::Bytes(rows.gather(|row| array.value(row)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Values::Bytes(rows.gather(|row| array.value(row)))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Values::Bytes(rows.gather(|row| array.value(row)))
        }
        _ => Values::Other,
    }
}

fn floats<'a, T: ArrowPrimitiveType>(
    array: &dyn Array,
    rows: &Rows,
    convert: impl Fn(T::Native) -> f64,
) -> Values<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Values::Floats(Cow::Owned(rows.collect(array.values(), convert)))
}

fn whole<'a, T: ArrowPrimitiveType<Native: Into<i64>>>(
    array: &dyn Array,
    rows: &Rows,
) -> Values<'a> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Values::Whole(Cow::Owned(rows.collect(array.values(), Into::into)))
}

fn exactly_i64<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &'a dyn Array,
    rows: &Rows,
) -> Values<'a> {
    let values = array.as_primitive::<T>().values();
    Values::Whole(if rows.mask.is_none() {
        Cow::Borrowed(values)
    } else {
        Cow::Owned(rows.collect(values, |v| v))
    })
}

/// 64 bits if all values have them: most decimals do.
fn wide<'a, T: ArrowPrimitiveType>(
    array: &dyn Array,
    rows: &Rows,
    narrow: impl Fn(T::Native) -> Option<i64>,
    widen: impl Fn(T::Native) -> i256,
) -> Values<'a> {
    let values = array.as_primitive::<T>().values();
    let mut fits = true;
    let narrowed = rows.collect(values, |value| {
        narrow(value).unwrap_or_else(|| {
            fits = false;
            0
        })
    });
    if fits {
        Values::Whole(Cow::Owned(narrowed))
    } else {
        Values::Wide(rows.collect(values, widen))
    }
}
