//! A vector as an Arrow array of its type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, PrimitiveArray, StringArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, Int64Type};
use mlops_core::{Error, Result};

use super::mask::Mask;
use super::vector::{Data, Texts, Values, Vector};
use crate::source::OPERATION;
use crate::types::Type;

/// The array of `rows` values of the type.
pub(crate) fn write(vector: Vector<'_>, ty: &Type, rows: usize) -> Result<ArrayRef> {
    let nulls = vector.nulls.map(|nulls| NullBuffer::new(nulls.not(rows).into_bits(rows)));
    Ok(match (vector.data, ty) {
        (Data::Bool(bits), _) => Arc::new(BooleanArray::new(bits.into_bits(rows), nulls)),
        (Data::I64(values), Type::Int(8, true)) => {
            Arc::new(Int8Array::new(native(values, rows, |v| v as i8), nulls))
        }
        (Data::I64(values), Type::Int(16, true)) => {
            Arc::new(Int16Array::new(native(values, rows, |v| v as i16), nulls))
        }
        (Data::I64(values), Type::Int(32, true)) => {
            Arc::new(Int32Array::new(native(values, rows, |v| v as i32), nulls))
        }
        (Data::I64(values), Type::Int(8, false)) => {
            Arc::new(UInt8Array::new(native(values, rows, |v| v as u8), nulls))
        }
        (Data::I64(values), Type::Int(16, false)) => {
            Arc::new(UInt16Array::new(native(values, rows, |v| v as u16), nulls))
        }
        (Data::I64(values), Type::Int(32, false)) => {
            Arc::new(UInt32Array::new(native(values, rows, |v| v as u32), nulls))
        }
        (Data::I64(values), Type::Date) => {
            Arc::new(Date32Array::new(native(values, rows, |v| v as i32), nulls))
        }
        (Data::I64(values), ty) => long(values, ty, rows, nulls),
        (Data::I128(values), Type::UInt64) => {
            Arc::new(UInt64Array::new(native(values, rows, |v| v as u64), nulls))
        }
        (Data::I128(values), Type::Decimal(p, s)) => {
            let array = Decimal128Array::new(native(values, rows, |v| v), nulls);
            let array = array.with_precision_and_scale(*p, *s as i8);
            Arc::new(array.map_err(|error| Error::invalid(OPERATION, error.to_string()))?)
        }
        (Data::F64(values), Type::Float32) => {
            Arc::new(Float32Array::new(native(values, rows, |v| v as f32), nulls))
        }
        (Data::F64(values), _) => Arc::new(Float64Array::new(native(values, rows, |v| v), nulls)),
        (Data::Text(texts), _) => Arc::new(text(texts, rows, nulls)?),
        (Data::Null | Data::Opaque | Data::I128(_), ty) => new_null_array(&ty.arrow(), rows),
    })
}

/// A 64-bit array: made as integers, and then called what it is.
fn long(values: Values<'_, i64>, ty: &Type, rows: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    let array = PrimitiveArray::<Int64Type>::new(native(values, rows, |v| v), nulls);
    match ty.arrow() {
        to @ (arrow::datatypes::DataType::Timestamp(..)
        | arrow::datatypes::DataType::Duration(_)
        | arrow::datatypes::DataType::Time64(_)) => named(&array, &to),
        _ => Arc::new(array),
    }
}

fn named(array: &Int64Array, to: &arrow::datatypes::DataType) -> ArrayRef {
    use arrow::datatypes::{DataType, TimeUnit};
    fn of<T: ArrowPrimitiveType<Native = i64>>(array: &Int64Array) -> PrimitiveArray<T> {
        array.reinterpret_cast::<T>()
    }
    use arrow::datatypes as t;
    match to {
        DataType::Timestamp(unit, zone) => {
            let zone = zone.clone();
            match unit {
                TimeUnit::Second => {
                    Arc::new(of::<t::TimestampSecondType>(array).with_timezone_opt(zone))
                }
                TimeUnit::Millisecond => {
                    Arc::new(of::<t::TimestampMillisecondType>(array).with_timezone_opt(zone))
                }
                TimeUnit::Microsecond => {
                    Arc::new(of::<t::TimestampMicrosecondType>(array).with_timezone_opt(zone))
                }
                TimeUnit::Nanosecond => {
                    Arc::new(of::<t::TimestampNanosecondType>(array).with_timezone_opt(zone))
                }
            }
        }
        DataType::Duration(TimeUnit::Second) => Arc::new(of::<t::DurationSecondType>(array)),
        DataType::Duration(TimeUnit::Millisecond) => {
            Arc::new(of::<t::DurationMillisecondType>(array))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            Arc::new(of::<t::DurationMicrosecondType>(array))
        }
        DataType::Duration(TimeUnit::Nanosecond) => {
            Arc::new(of::<t::DurationNanosecondType>(array))
        }
        _ => Arc::new(of::<t::Time64NanosecondType>(array)),
    }
}

fn native<T: Copy, N: arrow::datatypes::ArrowNativeType>(
    values: Values<'_, T>,
    rows: usize,
    f: impl Fn(T) -> N,
) -> ScalarBuffer<N> {
    match values {
        Values::Same(value) => vec![f(value); rows].into(),
        values => values.slice().iter().map(|value| f(*value)).collect::<Vec<N>>().into(),
    }
}

fn text(texts: Texts<'_>, rows: usize, nulls: Option<NullBuffer>) -> Result<StringArray> {
    let too_long = || {
        Error::invalid(OPERATION, "a batch of texts is longer than 2 GiB")
            .with_hint("use smaller batches")
    };
    let (text, ends) = match texts {
        Texts::Owned(text, ends) => (text, ends),
        texts => {
            let mut text = String::new();
            let mut ends = Vec::with_capacity(rows);
            for i in 0..rows {
                let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(i));
                text.push_str(if null { "" } else { texts.get(i) });
                ends.push(text.len());
            }
            (text, ends)
        }
    };
    if i32::try_from(text.len()).is_err() {
        return Err(too_long());
    }
    let offsets: Vec<i32> = std::iter::once(0).chain(ends.iter().map(|end| *end as i32)).collect();
    let offsets = OffsetBuffer::new(offsets.into());
    StringArray::try_new(offsets, Buffer::from_vec(text.into_bytes()), nulls)
        .map_err(|error| Error::invalid(OPERATION, error.to_string()))
}

/// The bits into words that the caller keeps; `None` is all zeros.
pub(crate) fn into_words(mask: Option<&Mask>, rows: usize, out: &mut Vec<u64>) {
    out.clear();
    match mask {
        Some(mask) => out.extend_from_slice(&mask.words()[..rows.div_ceil(64)]),
        None => out.resize(rows.div_ceil(64), 0),
    }
}
