//! One column of a chunk, ready to be written row by row.
//!
//! Numbers are brought into the canonical form of their [`Kind`] for the whole chunk at once; text
//! stays where it is. Buffers are shared with the array, not copied, where the form allows it.

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, UInt64Array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use xxhash_rust::xxh3::xxh3_128;

use super::kind::Kind;

pub(super) struct Part {
    values: Values,
    nulls: Option<NullBuffer>,
    len: usize,
}

enum Values {
    /// Every row is null.
    Null,
    Shared(ScalarBuffer<i64>),
    Words(Vec<u64>),
    SharedBig(ScalarBuffer<i128>),
    Big(Vec<i128>),
    /// Digits without trailing zeros, and how many of them are behind the point.
    Decimals(Vec<(i256, i16)>),
    Bytes(OffsetBuffer<i32>, Buffer),
    LargeBytes(OffsetBuffer<i64>, Buffer),
    Views(BinaryViewArray),
    Fixed(usize, Buffer),
    List(Vec<(usize, usize)>, Box<Part>),
    Struct(Vec<Part>),
    Dictionary(Vec<usize>, Box<Part>),
}

impl Part {
    /// None if the array does not hold values of this kind.
    pub(super) fn new(array: &ArrayRef, kind: &Kind) -> Option<Self> {
        let values = Values::new(array, kind)?;
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        Some(Self { values, nulls, len: array.len() })
    }

    pub(super) fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// Appends one word for each row; for kinds of the narrow form.
    pub(super) fn narrow(&self, out: &mut Vec<u64>) {
        match &self.values {
            Values::Shared(values) => out.extend(values.iter().map(|value| *value as u64)),
            Values::Words(words) => out.extend_from_slice(words),
            Values::Dictionary(rows, part) => {
                let mut words = Vec::with_capacity(part.len);
                part.narrow(&mut words);
                out.extend(rows.iter().map(|row| words[*row]));
            }
            _ => out.resize(out.len() + self.len, 0),
        }
    }

    /// Appends one value for each row; for kinds of the value form.
    pub(super) fn value(&self, out: &mut Vec<u128>) {
        match &self.values {
            Values::SharedBig(values) => out.extend(values.iter().map(|value| *value as u128)),
            Values::Big(values) => out.extend(values.iter().map(|value| *value as u128)),
            Values::Dictionary(rows, part) => gather(rows, part, Self::value, out),
            _ => out.resize(out.len() + self.len, 0),
        }
    }

    /// Appends one fingerprint for each row, for any kind.
    pub(super) fn fingerprints(&self, out: &mut Vec<u128>) {
        match &self.values {
            // Hashing each value once pays only where there are fewer of them than rows.
            Values::Dictionary(rows, part) if part.len <= rows.len() => {
                gather(rows, part, Self::fingerprints, out);
            }
            Values::Bytes(offsets, bytes) => {
                out.extend(offsets.windows(2).map(|ends| xxh3_128(&bytes[ends[0] as usize..ends[1] as usize])));
            }
            _ => {
                let mut bytes = Vec::with_capacity(64);
                out.extend((0..self.len).map(|row| {
                    if self.is_null(row) {
                        return 0;
                    }
                    if let Some(raw) = self.raw(row) {
                        return xxh3_128(raw);
                    }
                    bytes.clear();
                    self.write(row, &mut bytes);
                    xxh3_128(&bytes)
                }));
            }
        }
    }

    /// Appends a row so that it can be read back by who knows the kind.
    #[inline]
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            // As long as the prefix of a value of the kind, which never is zero.
            out.extend_from_slice(if self.is_bytes() { &[0; 8] } else { &[0] });
            return;
        }
        if let Some(raw) = self.raw(row) {
            out.extend_from_slice(&(raw.len() as u64 + 1).to_le_bytes());
            out.extend_from_slice(raw);
            return;
        }
        match &self.values {
            Values::Shared(values) => word(values[row] as u64, out),
            Values::Words(words) => word(words[row], out),
            Values::SharedBig(values) => big(values[row], out),
            Values::Big(values) => big(values[row], out),
            Values::Decimals(values) => {
                let (digits, scale) = values[row];
                out.push(1);
                out.extend_from_slice(&digits.to_le_bytes());
                out.extend_from_slice(&scale.to_le_bytes());
            }
            Values::List(ranges, items) => {
                let (from, to) = ranges[row];
                word((to - from) as u64, out);
                for item in from..to {
                    items.write(item, out);
                }
            }
            Values::Struct(fields) => {
                out.push(1);
                for field in fields {
                    field.write(row, out);
                }
            }
            Values::Dictionary(rows, part) => part.write(rows[row], out),
            _ => out.push(0),
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null)
            || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    fn is_bytes(&self) -> bool {
        match &self.values {
            Values::Dictionary(_, part) => part.is_bytes(),
            Values::Bytes(..) | Values::LargeBytes(..) | Values::Views(_) | Values::Fixed(..) => true,
            _ => false,
        }
    }

    /// The text or bytes of a row that is not null.
    #[inline]
    fn raw(&self, row: usize) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(offsets, bytes) => {
                Some(&bytes[offsets[row] as usize..offsets[row + 1] as usize])
            }
            Values::LargeBytes(offsets, bytes) => {
                Some(&bytes[offsets[row] as usize..offsets[row + 1] as usize])
            }
            Values::Views(views) => Some(views.value(row)),
            Values::Fixed(size, bytes) => Some(&bytes[row * size..(row + 1) * size]),
            Values::Dictionary(rows, part) => part.raw(rows[row]),
            _ => None,
        }
    }
}

impl Values {
    fn new(array: &ArrayRef, kind: &Kind) -> Option<Self> {
        Some(match (array.data_type(), kind) {
            (DataType::Null, _) => Self::Null,
            (DataType::Dictionary(..), _) => dictionary(array, kind)?,
            (DataType::Boolean, Kind::Bool) => {
                let bits = array.as_boolean().values();
                Self::Words(bits.iter().map(u64::from).collect())
            }
            (DataType::Int64, Kind::Signed) => shared::<Int64Type>(array),
            (DataType::UInt64, Kind::Unsigned) => {
                let values = array.as_primitive::<UInt64Type>().values();
                Self::Shared(ScalarBuffer::new(values.inner().clone(), 0, values.len()))
            }
            (_, Kind::Signed) => {
                Self::Words(integers(array)?.into_iter().map(|value| value as i64 as u64).collect())
            }
            (_, Kind::BigInt) => Self::Big(integers(array)?),
            (_, Kind::Float) => Self::Words(floats(array)?),
            (DataType::Date32, Kind::Date) => {
                Self::Words(map::<Date32Type, _>(array, |days| (i64::from(days) * 86_400_000) as u64))
            }
            (DataType::Date64, Kind::Date) => shared_raw(array)?,
            (DataType::Time32(TimeUnit::Second), Kind::Time) => {
                Self::Words(map::<Time32SecondType, _>(array, |s| (i64::from(s) * 1_000_000_000) as u64))
            }
            (DataType::Time32(_), Kind::Time) => {
                Self::Words(map::<Time32MillisecondType, _>(array, |ms| (i64::from(ms) * 1_000_000) as u64))
            }
            (DataType::Time64(TimeUnit::Microsecond), Kind::Time) => {
                // A legal time of day fits; what does not is not a time, and wraps to some value.
                Self::Words(map::<Time64MicrosecondType, _>(array, |us| us.wrapping_mul(1_000) as u64))
            }
            (DataType::Time64(_), Kind::Time) => shared::<Time64NanosecondType>(array),
            (_, Kind::Instant(..) | Kind::Duration(_)) => shared_raw(array)?,
            (DataType::Timestamp(unit, _) | DataType::Duration(unit), Kind::BigInstant(_) | Kind::BigDuration) => {
                let factor = nanoseconds(*unit);
                let Self::Shared(values) = shared_raw(array)? else { return None };
                Self::Big(values.iter().map(|value| i128::from(*value) * factor).collect())
            }
            (DataType::Decimal128(..), Kind::Decimal(_)) => {
                Self::SharedBig(array.as_primitive::<Decimal128Type>().values().clone())
            }
            (_, Kind::Decimal(_)) => {
                let digits = unscaled(array)?.0.into_iter();
                // 32 and 64 bits always fit.
                Self::Big(digits.map(|value| value.to_i128().unwrap_or_default()).collect())
            }
            (_, Kind::AnyDecimal) => {
                let (digits, scale) = unscaled(array)?;
                Self::Decimals(digits.into_iter().map(|value| strip(value, scale)).collect())
            }
            (DataType::Interval(unit), Kind::Interval(_)) => Self::Big(intervals(array, *unit)),
            (DataType::List(_), Kind::List(item)) => {
                let list = array.as_list::<i32>();
                let ends = list.offsets().iter().map(|end| *end as usize).collect();
                lists(ends, list.values(), item)?
            }
            (DataType::LargeList(_), Kind::List(item)) => {
                let list = array.as_list::<i64>();
                let ends = list.offsets().iter().map(|end| *end as usize).collect();
                lists(ends, list.values(), item)?
            }
            (DataType::FixedSizeList(_, size), Kind::List(item)) => {
                let list = array.as_fixed_size_list();
                let ends = (0..=list.len()).map(|row| list.value_offset(row) as usize);
                let ends: Vec<usize> = if *size == 0 { vec![0; list.len() + 1] } else { ends.collect() };
                lists(ends, list.values(), item)?
            }
            (DataType::Struct(_), Kind::Struct(kinds)) => {
                let columns = array.as_struct().columns().iter().zip(kinds);
                Self::Struct(columns.map(|(column, kind)| Part::new(column, kind)).collect::<Option<_>>()?)
            }
            (_, Kind::Text | Kind::Bytes) => bytes(array)?,
            _ => return None,
        })
    }
}

fn gather(rows: &[usize], part: &Part, keys: fn(&Part, &mut Vec<u128>), out: &mut Vec<u128>) {
    let mut values = Vec::with_capacity(part.len);
    keys(part, &mut values);
    out.extend(rows.iter().map(|row| values[*row]));
}

#[inline]
fn word(value: u64, out: &mut Vec<u8>) {
    let mut bytes = [1; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    out.extend_from_slice(&bytes);
}

fn big(value: i128, out: &mut Vec<u8>) {
    out.push(1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn map<T: ArrowPrimitiveType, V>(array: &ArrayRef, to: impl Fn(T::Native) -> V) -> Vec<V> {
    array.as_primitive::<T>().values().iter().map(|value| to(*value)).collect()
}

fn shared<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> Values {
    Values::Shared(array.as_primitive::<T>().values().clone())
}

/// Types that are `i64` underneath.
fn shared_raw(array: &ArrayRef) -> Option<Values> {
    use arrow::datatypes::Date64Type;
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
        DataType::Decimal32(_, scale) => (map::<Decimal32Type, _>(array, |v| from(v.into())), *scale),
        DataType::Decimal64(_, scale) => (map::<Decimal64Type, _>(array, |v| from(v.into())), *scale),
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

fn lists(ends: Vec<usize>, items: &ArrayRef, kind: &Kind) -> Option<Values> {
    // A slice of a list keeps all items of the whole; only those of its rows are looked at.
    let (first, last) = (*ends.first()?, *ends.last()?);
    let part = Part::new(&items.slice(first, last - first), kind)?;
    let ranges = ends.windows(2).map(|ends| (ends[0] - first, ends[1] - first)).collect();
    Some(Values::List(ranges, Box::new(part)))
}

fn dictionary(array: &ArrayRef, kind: &Kind) -> Option<Values> {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        return Some(Values::Null);
    }
    if values.len() > array.len() {
        // A chunk of a large dictionary: only what its rows name is worth bringing into form.
        let rows = dictionary.normalized_keys();
        let rows = UInt64Array::from_iter_values(rows.into_iter().map(|row| row as u64));
        let values = take(values, &rows, None).ok()?;
        return Some(Values::Dictionary((0..rows.len()).collect(), Box::new(Part::new(&values, kind)?)));
    }
    let rows = dictionary.normalized_keys();
    Some(Values::Dictionary(rows, Box::new(Part::new(values, kind)?)))
}

fn bytes(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            Values::Bytes(text.offsets().clone(), text.values().clone())
        }
        DataType::LargeUtf8 => {
            let text = array.as_string::<i64>();
            Values::LargeBytes(text.offsets().clone(), text.values().clone())
        }
        DataType::Utf8View => Values::Views(array.as_string_view().clone().to_binary_view()),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            Values::Bytes(bytes.offsets().clone(), bytes.values().clone())
        }
        DataType::LargeBinary => {
            let bytes = array.as_binary::<i64>();
            Values::LargeBytes(bytes.offsets().clone(), bytes.values().clone())
        }
        DataType::BinaryView => Values::Views(array.as_binary_view().clone()),
        DataType::FixedSizeBinary(size) => {
            let fixed = array.as_fixed_size_binary();
            Values::Fixed(usize::try_from(*size).ok()?, fixed.values().clone())
        }
        _ => return None,
    })
}
