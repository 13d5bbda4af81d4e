//! Numbers, instants and intervals in the form of their kind.

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};

use super::super::kind::Kind;
use super::Values;

/// The values of a column of one of the kinds that are numbers underneath; none for another kind or
/// an array that does not hold it.
pub(super) fn number(array: &ArrayRef, kind: &Kind) -> Option<Values> {
    Some(match (array.data_type(), kind) {
        (DataType::Boolean, Kind::Bool) => {
            let bits = array.as_boolean().values();
            Values::Words(bits.iter().map(u64::from).collect())
        }
        (DataType::Int64, Kind::Signed) => shared::<Int64Type>(array),
        (DataType::UInt64, Kind::Unsigned) => {
            let values = array.as_primitive::<UInt64Type>().values();
            Values::Shared(ScalarBuffer::new(values.inner().clone(), 0, values.len()))
        }
        (_, Kind::Signed) => {
            Values::Words(integers(array)?.into_iter().map(|value| value as i64 as u64).collect())
        }
        (_, Kind::BigInt) => Values::Big(integers(array)?),
        (_, Kind::Float) => Values::Words(floats(array)?),
        (DataType::Date32, Kind::Date) => {
            Values::Words(map::<Date32Type, _>(array, |days| (i64::from(days) * 86_400_000) as u64))
        }
        (DataType::Time32(TimeUnit::Second), Kind::Time) => {
            Values::Words(map::<Time32SecondType, _>(array, |s| {
                (i64::from(s) * 1_000_000_000) as u64
            }))
        }
        (DataType::Time32(_), Kind::Time) => {
            Values::Words(map::<Time32MillisecondType, _>(array, |ms| {
                (i64::from(ms) * 1_000_000) as u64
            }))
        }
        (DataType::Time64(TimeUnit::Microsecond), Kind::Time) => {
            // A legal time of day fits; what does not is not a time, and wraps to some value.
            Values::Words(map::<Time64MicrosecondType, _>(array, |us| {
                us.wrapping_mul(1_000) as u64
            }))
        }
        (DataType::Time64(_), Kind::Time) => shared::<Time64NanosecondType>(array),
        (DataType::Date64, Kind::Date) | (_, Kind::Instant(..) | Kind::Duration(_)) => {
            shared_raw(array)?
        }
        (
            DataType::Timestamp(unit, _) | DataType::Duration(unit),
            Kind::BigInstant(_) | Kind::BigDuration,
        ) => {
            let factor = nanoseconds(*unit);
            let Values::Shared(values) = shared_raw(array)? else { return None };
            Values::Big(values.iter().map(|value| i128::from(*value) * factor).collect())
        }
        (DataType::Decimal128(..), Kind::Decimal(_)) => {
            Values::SharedBig(array.as_primitive::<Decimal128Type>().values().clone())
        }
        (_, Kind::Decimal(_)) => {
            let digits = unscaled(array)?.0.into_iter();
            // 32 and 64 bits always fit.
            Values::Big(digits.map(|value| value.to_i128().unwrap_or_default()).collect())
        }
        (_, Kind::AnyDecimal) => {
            let (digits, scale) = unscaled(array)?;
            Values::Decimals(digits.into_iter().map(|value| strip(value, scale)).collect())
        }
        (DataType::Interval(unit), Kind::Interval(_)) => Values::Big(intervals(array, *unit)),
        _ => return None,
    })
}

fn map<T: ArrowPrimitiveType, V>(array: &ArrayRef, to: impl Fn(T::Native) -> V) -> Vec<V> {
    array.as_primitive::<T>().values().iter().map(|value| to(*value)).collect()
}

fn shared<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Values {
    Values::Shared(array.as_primitive::<T>().values().clone())
}

/// Types that are `i64` underneath.
fn shared_raw(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Date64 => shared::<Date64Type>(array),
        DataType::Timestamp(TimeUnit::Second, _) => shared::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, _) => shared::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => shared::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => shared::<TimestampNanosecondType>(array),
        DataType::Duration(TimeUnit::Second) => shared::<DurationSecondType>(array),
        DataType::Duration(TimeUnit::Millisecond) => shared::<DurationMillisecondType>(array),
        DataType::Duration(TimeUnit::Microsecond) => shared::<DurationMicrosecondType>(array),
        DataType::Duration(TimeUnit::Nanosecond) => shared::<DurationNanosecondType>(array),
        _ => return None,
    })
}

fn nanoseconds(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn integers(array: &ArrayRef) -> Option<Vec<i128>> {
    Some(match array.data_type() {
        DataType::Int8 => map::<Int8Type, _>(array, i128::from),
        DataType::Int16 => map::<Int16Type, _>(array, i128::from),
        DataType::Int32 => map::<Int32Type, _>(array, i128::from),
        DataType::Int64 => map::<Int64Type, _>(array, i128::from),
        DataType::UInt8 => map::<UInt8Type, _>(array, i128::from),
        DataType::UInt16 => map::<UInt16Type, _>(array, i128::from),
        DataType::UInt32 => map::<UInt32Type, _>(array, i128::from),
        DataType::UInt64 => map::<UInt64Type, _>(array, i128::from),
        _ => return None,
    })
}

fn floats(array: &ArrayRef) -> Option<Vec<u64>> {
    fn canonical(value: f64) -> u64 {
        if value.is_nan() {
            f64::NAN.to_bits()
        } else if value == 0.0 {
            0
        } else {
            value.to_bits()
        }
    }
    Some(match array.data_type() {
        DataType::Float16 => map::<Float16Type, _>(array, |value| canonical(value.to_f64())),
        DataType::Float32 => map::<Float32Type, _>(array, |value| canonical(value.into())),
        DataType::Float64 => map::<Float64Type, _>(array, canonical),
        _ => return None,
    })
}

/// Unscaled digits and the scale of decimals; of integers, themselves and 0.
fn unscaled(array: &ArrayRef) -> Option<(Vec<i256>, i8)> {
    let from = |value: i128| i256::from_i128(value);
    Some(match array.data_type() {
        DataType::Decimal32(_, scale) => {
            (map::<Decimal32Type, _>(array, |v| from(v.into())), *scale)
        }
        DataType::Decimal64(_, scale) => {
            (map::<Decimal64Type, _>(array, |v| from(v.into())), *scale)
        }
        DataType::Decimal128(_, scale) => (map::<Decimal128Type, _>(array, from), *scale),
        DataType::Decimal256(_, scale) => (map::<Decimal256Type, _>(array, |v| v), *scale),
        _ => (integers(array)?.into_iter().map(from).collect(), 0),
    })
}

fn strip(value: i256, scale: i8) -> (i256, i16) {
    if value == i256::ZERO {
        return (value, 0);
    }
    let mut scale = i16::from(scale);
    if let Some(mut small) = value.to_i128() {
        while small % 10 == 0 {
            small /= 10;
            scale -= 1;
        }
        return (i256::from_i128(small), scale);
    }
    let ten = i256::from_i128(10);
    let mut digits = value;
    while digits.checked_rem(ten) == Some(i256::ZERO) {
        digits = digits.checked_div(ten).unwrap_or(digits);
        scale -= 1;
    }
    (digits, scale)
}

fn intervals(array: &ArrayRef, unit: IntervalUnit) -> Vec<i128> {
    let pack = |months: i32, days: i32, rest: i64| {
        (i128::from(months) << 96) | (i128::from(days as u32) << 64) | i128::from(rest as u64)
    };
    match unit {
        IntervalUnit::YearMonth => map::<IntervalYearMonthType, _>(array, i128::from),
        IntervalUnit::DayTime => {
            map::<IntervalDayTimeType, _>(array, |v| pack(0, v.days, v.milliseconds.into()))
        }
        IntervalUnit::MonthDayNano => {
            map::<IntervalMonthDayNanoType, _>(array, |v| pack(v.months, v.days, v.nanoseconds))
        }
    }
}
