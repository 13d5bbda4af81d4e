//! Arrow arrays as vectors: lent where the layout is ours, widened or decoded where it is not.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DictionaryArray, PrimitiveArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowDictionaryKeyType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type,
};

use super::mask::Mask;
use super::vector::{Data, Texts, Values, Vector};

/// The rows of `array` that are null, if one is.
pub(crate) fn nulls(array: &dyn Array) -> Option<Mask> {
    if array.data_type() == &DataType::Null {
        return Some(Mask::ones(array.len()));
    }
    if let Some(nulls) = array.nulls()
        && array.as_any_dictionary_opt().is_none()
        && !matches!(array.data_type(), DataType::RunEndEncoded(..) | DataType::Union(..))
    {
        return (nulls.null_count() > 0).then(|| Mask::of_bits(nulls.inner()).not(array.len()));
    }
    let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(Mask::of_bits(nulls.inner()).not(array.len()))
}

/// The array as a vector of its type's physical form.
pub(crate) fn read(array: &ArrayRef) -> Vector<'_> {
    let nulls = nulls(array);
    let data = data(array);
    let data = match (data, &nulls) {
        (Data::Bool(bits), Some(nulls)) => Data::Bool(bits.without(nulls)),
        (data, _) => data,
    };
    Vector { data, nulls }
}

fn data(array: &ArrayRef) -> Data<'_> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    match array.data_type() {
        DataType::Null => Data::Null,
        DataType::Boolean => Data::Bool(Mask::of_bits(array.as_boolean().values())),
        DataType::Int8 => wide::<Int8Type>(array, i64::from),
        DataType::Int16 => wide::<Int16Type>(array, i64::from),
        DataType::Int32 => wide::<Int32Type>(array, i64::from),
        DataType::UInt8 => wide::<UInt8Type>(array, i64::from),
        DataType::UInt16 => wide::<UInt16Type>(array, i64::from),
        DataType::UInt32 => wide::<UInt32Type>(array, i64::from),
        DataType::Date32 => wide::<Date32Type>(array, i64::from),
        DataType::Date64 => wide::<Date64Type>(array, |ms| ms.div_euclid(86_400_000)),
        DataType::Int64 => lent::<Int64Type>(array),
        DataType::Timestamp(Second, _) => lent::<TimestampSecondType>(array),
        DataType::Timestamp(Millisecond, _) => lent::<TimestampMillisecondType>(array),
        DataType::Timestamp(Microsecond, _) => lent::<TimestampMicrosecondType>(array),
        DataType::Timestamp(Nanosecond, _) => lent::<TimestampNanosecondType>(array),
        DataType::Duration(Second) => lent::<DurationSecondType>(array),
        DataType::Duration(Millisecond) => lent::<DurationMillisecondType>(array),
        DataType::Duration(Microsecond) => lent::<DurationMicrosecondType>(array),
        DataType::Duration(Nanosecond) => lent::<DurationNanosecondType>(array),
        DataType::Time32(Second) => {
            wide::<Time32SecondType>(array, |t| i64::from(t) * 1_000_000_000)
        }
        DataType::Time32(_) => wide::<Time32MillisecondType>(array, |t| i64::from(t) * 1_000_000),
        DataType::Time64(Microsecond) => {
            wide::<Time64MicrosecondType>(array, |t| t.saturating_mul(1000))
        }
        DataType::Time64(_) => wide::<Time64NanosecondType>(array, |t| t),
        DataType::Float16 => double::<Float16Type>(array, f64::from),
        DataType::Float32 => double::<Float32Type>(array, f64::from),
        DataType::Float64 => Data::F64(Values::Lent(array.as_primitive::<Float64Type>().values())),
        DataType::UInt64 => {
            let array: &UInt64Array = array.as_primitive();
            Data::I128(Values::Owned(array.values().iter().map(|v| i128::from(*v)).collect()))
        }
        DataType::Decimal32(_, s) => decimal(array.as_primitive::<Decimal32Type>(), *s, i128::from),
        DataType::Decimal64(_, s) => decimal(array.as_primitive::<Decimal64Type>(), *s, i128::from),
        DataType::Decimal128(_, 0..) => {
            Data::I128(Values::Lent(array.as_primitive::<Decimal128Type>().values()))
        }
        DataType::Decimal128(_, s) => decimal(array.as_primitive::<Decimal128Type>(), *s, |v| v),
        DataType::Decimal256(_, s) => {
            decimal(array.as_primitive::<Decimal256Type>(), *s, |v| v.to_i128().unwrap_or(0))
        }
        DataType::Utf8 => Data::Text(Texts::Utf8(array.as_string())),
        DataType::LargeUtf8 => Data::Text(Texts::Large(array.as_string())),
        DataType::Utf8View => Data::Text(Texts::View(array.as_string_view())),
        DataType::Dictionary(key, value) => match (key.as_ref(), value.as_ref()) {
            (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => words(array),
            (_, value) => decoded(array, value),
        },
        DataType::RunEndEncoded(_, values) => decoded(array, values.data_type()),
        _ => Data::Opaque,
    }
}

fn lent<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Data<'_> {
    Data::I64(Values::Lent(array.as_primitive::<T>().values()))
}

fn wide<T: ArrowPrimitiveType>(array: &ArrayRef, f: impl Fn(T::Native) -> i64) -> Data<'static> {
    let values = array.as_primitive::<T>().values();
    Data::I64(Values::Owned(values.iter().map(|value| f(*value)).collect()))
}

fn double<T: ArrowPrimitiveType>(array: &ArrayRef, f: impl Fn(T::Native) -> f64) -> Data<'static> {
    let values = array.as_primitive::<T>().values();
    Data::F64(Values::Owned(values.iter().map(|value| f(*value)).collect()))
}

/// A negative scale becomes zeros; what is larger than its type allows becomes 0 in a null's place.
fn decimal<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    scale: i8,
    f: impl Fn(T::Native) -> i128,
) -> Data<'static> {
    let factor = 10_i128.saturating_pow(u32::from(scale.min(0).unsigned_abs()));
    Data::I128(Values::Owned(
        array.values().iter().map(|value| f(*value).saturating_mul(factor)).collect(),
    ))
}

/// A dictionary of texts: its values are lent.
fn words(array: &ArrayRef) -> Data<'_> {
    fn keys<K: ArrowDictionaryKeyType>(array: &ArrayRef) -> Option<(Vec<u32>, &ArrayRef)> {
        use arrow::datatypes::ArrowNativeType;
        let array: &DictionaryArray<K> = array.as_any().downcast_ref()?;
        let limit = array.values().len();
        let key = |key: &K::Native| key.as_usize();
        // A null row's key is anything.
        let keys = array.keys().values().iter().map(key);
        Some((keys.map(|k| if k < limit { k as u32 } else { 0 }).collect(), array.values()))
    }
    let found = None
        .or_else(|| keys::<Int32Type>(array))
        .or_else(|| keys::<Int8Type>(array))
        .or_else(|| keys::<Int16Type>(array))
        .or_else(|| keys::<Int64Type>(array))
        .or_else(|| keys::<UInt8Type>(array))
        .or_else(|| keys::<UInt16Type>(array))
        .or_else(|| keys::<UInt32Type>(array))
        .or_else(|| keys::<arrow::datatypes::UInt64Type>(array));
    match found {
        Some((keys, values)) if !values.is_empty() => match data(values) {
            Data::Text(texts) => Data::Text(Texts::Dictionary(keys, texts.into())),
            _ => Data::Null,
        },
        // No value: each row is null.
        _ => Data::Null,
    }
}

/// A dictionary or runs of something else: decoded by Arrow, then owned.
fn decoded(array: &ArrayRef, value: &DataType) -> Data<'static> {
    let Ok(plain) = cast(array, value) else {
        return Data::Null;
    };
    match data(&plain) {
        Data::Bool(bits) => Data::Bool(bits),
        Data::I64(values) => Data::I64(own(values)),
        Data::I128(values) => Data::I128(own(values)),
        Data::F64(values) => Data::F64(own(values)),
        Data::Text(texts) => {
            let mut builder = super::vector::TextBuilder::with_capacity(plain.len());
            for i in 0..plain.len() {
                builder.text.push_str(texts.get(i));
                builder.end();
            }
            builder.finish()
        }
        Data::Null => Data::Null,
        Data::Opaque => Data::Opaque,
    }
}

fn own<T: Copy>(values: Values<'_, T>) -> Values<'static, T> {
    match values {
        Values::Lent(values) => Values::Owned(values.to_vec()),
        Values::Owned(values) => Values::Owned(values),
        Values::Same(value) => Values::Same(value),
    }
}
