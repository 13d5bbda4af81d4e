//! Which values can be equal, and how they are written.
//!
//! A [`Kind`] is what is left of an Arrow type when storage is taken away. Two columns meet in the
//! narrowest kind that holds the values of both ([`Kind::join`]), or nowhere.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

/// The values of a column, and the bytes or bits that stand for one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A column of nulls: it has no value, so it meets every other kind.
    Null,
    Bool,
    /// Integers of `i64`.
    Signed,
    /// Integers of `u64`.
    Unsigned,
    /// Integers of both, as `i128`.
    BigInt,
    /// Numbers of `f64`.
    Float,
    /// Milliseconds since 1970, a date of either width.
    Date,
    /// Nanoseconds since midnight.
    Time,
    /// A timestamp in this unit, with or without a zone.
    Instant(TimeUnit, bool),
    /// Timestamps of several units: nanoseconds as `i128`.
    BigInstant(bool),
    Duration(TimeUnit),
    BigDuration,
    /// Decimals of one scale that fit `i128`, unscaled.
    Decimal(i8),
    /// Decimals of several scales, or of 256 bits, or integers among them: digits without trailing
    /// zeros, and a scale.
    AnyDecimal,
    Text,
    Bytes,
    Interval(IntervalUnit),
    List(Box<Kind>),
    Struct(Vec<Kind>),
}

/// What the key of a single column of a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The value in 64 bits.
    Narrow,
    /// The value in 128 bits.
    Value,
    /// A hash of it.
    Fingerprint,
}

impl Kind {
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Bool,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Signed,
            DataType::UInt64 => Self::Unsigned,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(unit, zone) => Self::Instant(*unit, zone.is_some()),
            DataType::Duration(unit) => Self::Duration(*unit),
            DataType::Interval(unit) => Self::Interval(*unit),
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale) => Self::Decimal(*scale),
            DataType::Decimal256(_, _) => Self::AnyDecimal,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::Dictionary(_, values) => Self::of(values)?,
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                Self::List(Box::new(Self::of(item.data_type())?))
            }
            DataType::Struct(fields) => Self::Struct(
                fields.iter().map(|field| Self::of(field.data_type())).collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }

    /// The kind in which values of both are written alike; none if they are never equal.
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        if self == other {
            return Some(self.clone());
        }
        Some(match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind.clone(),
            (a, b) if a.is_integer() && b.is_integer() => Self::BigInt,
            (a, b) if a.is_exact_number() && b.is_exact_number() => Self::AnyDecimal,
            (Self::Instant(_, zoned), Self::Instant(_, other)) if zoned == other => {
                Self::BigInstant(*zoned)
            }
            (Self::Duration(_), Self::Duration(_)) => Self::BigDuration,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.join(b)?)),
            (Self::Struct(a), Self::Struct(b)) if a.len() == b.len() => {
                Self::Struct(a.iter().zip(b).map(|(a, b)| a.join(b)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Null
            | Self::Bool
            | Self::Signed
            | Self::Unsigned
            | Self::Float
            | Self::Date
            | Self::Time
            | Self::Instant(..)
            | Self::Duration(_) => Form::Narrow,
            Self::BigInt | Self::BigInstant(_) | Self::BigDuration | Self::Decimal(_) => {
                Form::Value
            }
            _ => Form::Fingerprint,
        }
    }

    pub(super) fn is_instant(&self) -> bool {
        matches!(self, Self::Instant(..) | Self::BigInstant(_))
    }

    fn is_integer(&self) -> bool {
        matches!(self, Self::Signed | Self::Unsigned | Self::BigInt)
    }

    fn is_exact_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Decimal(_) | Self::AnyDecimal)
    }
}
