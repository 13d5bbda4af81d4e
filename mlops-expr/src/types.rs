//! The types of values, as expressions see them: encodings and widths that mean the same are one.

use std::fmt::{Display, Formatter, Result};
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, TimeUnit};

/// A type. What is `Int` to `Duration` is 64 bits while it is evaluated; `UInt64` and `Decimal` 128.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// Of a NULL that has met nothing yet.
    Null,
    Bool,
    /// Bits, and whether it is signed; `UInt64` is not among them.
    Int(u8, bool),
    UInt64,
    /// Precision of at most 38 digits, scale.
    Decimal(u8, u8),
    Float32,
    Float64,
    Text,
    Date,
    /// Nanoseconds of a day.
    Time,
    Timestamp(TimeUnit, Option<Arc<str>>),
    Duration(TimeUnit),
    Interval,
    Struct(Fields),
    /// May only be asked whether it is null.
    Other(DataType),
}

pub(crate) const INT: Type = Type::Int(64, true);

impl Type {
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool,
            DataType::Int8 => Self::Int(8, true),
            DataType::Int16 => Self::Int(16, true),
            DataType::Int32 => Self::Int(32, true),
            DataType::Int64 => INT,
            DataType::UInt8 => Self::Int(8, false),
            DataType::UInt16 => Self::Int(16, false),
            DataType::UInt32 => Self::Int(32, false),
            DataType::UInt64 => Self::UInt64,
            DataType::Float16 | DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => {
                // A negative scale is zeros before the dot.
                let (precision, scale) = (i32::from(*p) - i32::from((*s).min(0)), (*s).max(0));
                match (u8::try_from(precision), u8::try_from(scale)) {
                    (Ok(p @ ..=38), Ok(s @ ..=38)) => Self::Decimal(p.max(s), s),
                    _ => Self::Other(data_type.clone()),
                }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(unit, zone) => Self::Timestamp(*unit, zone.clone()),
            DataType::Duration(unit) => Self::Duration(*unit),
            DataType::Struct(fields) => Self::Struct(fields.clone()),
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::RunEndEncoded(_, values) => Self::of(values.data_type()),
            other => Self::Other(other.clone()),
        }
    }

    /// The Arrow type of a computed value.
    pub(crate) fn arrow(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int(8, true) => DataType::Int8,
            Self::Int(16, true) => DataType::Int16,
            Self::Int(32, true) => DataType::Int32,
            Self::Int(_, true) => DataType::Int64,
            Self::Int(8, false) => DataType::UInt8,
            Self::Int(16, false) => DataType::UInt16,
            Self::Int(_, false) => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Decimal(p, s) => DataType::Decimal128(*p, *s as i8),
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Nanosecond),
            Self::Timestamp(unit, zone) => DataType::Timestamp(*unit, zone.clone()),
            Self::Duration(unit) => DataType::Duration(*unit),
            Self::Interval => DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano),
            Self::Struct(fields) => DataType::Struct(fields.clone()),
            Self::Other(other) => other.clone(),
        }
    }

    pub(crate) fn is_float(&self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Whether it is an integer or a decimal.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self, Self::Int(..) | Self::UInt64 | Self::Decimal(..))
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_exact() || self.is_float()
    }

    /// Precision and scale as a decimal, if it is exact.
    pub(crate) fn digits(&self) -> Option<(u8, u8)> {
        Some(match self {
            Self::Int(8, _) => (3, 0),
            Self::Int(16, _) => (5, 0),
            Self::Int(32, _) => (10, 0),
            Self::Int(..) => (19, 0),
            Self::UInt64 => (20, 0),
            Self::Decimal(p, s) => (*p, *s),
            _ => return None,
        })
    }

    /// Nanoseconds of one tick, and whether it counts from midnight UTC, if it is a point in time.
    pub(crate) fn instant(&self) -> Option<(i64, bool)> {
        match self {
            Self::Date => Some((crate::calendar::NANOS_PER_DAY, false)),
            Self::Timestamp(unit, zone) => Some((tick(*unit), zone.is_some())),
            _ => None,
        }
    }
}

/// Nanoseconds of one tick.
pub(crate) fn tick(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    }
}

/// The finer unit.
pub(crate) fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    if tick(a) < tick(b) { a } else { b }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("boolean"),
            Self::Int(bits, true) => write!(f, "int{bits}"),
            Self::Int(bits, false) => write!(f, "uint{bits}"),
            Self::UInt64 => f.write_str("uint64"),
            Self::Decimal(p, s) => write!(f, "decimal({p}, {s})"),
            Self::Float32 => f.write_str("float32"),
            Self::Float64 => f.write_str("float64"),
            Self::Text => f.write_str("text"),
            Self::Date => f.write_str("date"),
            Self::Time => f.write_str("time"),
            Self::Timestamp(_, None) => f.write_str("timestamp"),
            Self::Timestamp(_, Some(zone)) => write!(f, "timestamp in {zone}"),
            Self::Duration(_) => f.write_str("duration"),
            Self::Interval => f.write_str("interval"),
            Self::Struct(_) => f.write_str("struct"),
            Self::Other(other) => write!(f, "{other}"),
        }
    }
}
