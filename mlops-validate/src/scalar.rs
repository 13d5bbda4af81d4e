//! One value of a column, with an order.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, TimeUnit, UInt64Type, i256,
};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A value that can be compared with others of its column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Scalar {
    /// What counts in integers of 64 bits: integers, dates, instants, times, durations, booleans.
    Int(i64),
    /// Unsigned integers of 64 bits.
    UInt(u64),
    /// Floats.
    Float(f64),
    /// Decimals of the column's scale, as little-endian bytes of 256 bits.
    Decimal([u8; 32]),
    /// Text and bytes.
    Bytes(Vec<u8>),
}

impl Scalar {
    /// The order of two values of one column; a NaN comes after everything.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::UInt(a), Self::UInt(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => {
                a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            }
            (Self::Decimal(a), Self::Decimal(b)) => {
                i256::from_le_bytes(*a).cmp(&i256::from_le_bytes(*b))
            }
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }

    /// Whether it is NaN.
    pub(crate) fn is_nan(&self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }
}

/// The values of a column, whatever its encoding.
#[derive(Debug)]
pub(crate) struct Scalars {
    plain: ArrayRef,
}

impl Scalars {
    /// Whether values of this type have an order here.
    pub(crate) fn supports(data_type: &DataType) -> bool {
        plain_type(data_type).is_some()
    }

    pub(crate) fn new(column: &ArrayRef) -> Result<Self> {
        let unreadable = || {
            Error::invalid("validate", "values of this type have no order")
                .with("type", column.data_type())
        };
        let to = plain_type(column.data_type()).ok_or_else(unreadable)?;
        let plain = cast(column, &to).map_err(|source| unreadable().with_source(source))?;
        Ok(Self { plain })
    }

    /// The value of a row, if it is not null.
    pub(crate) fn get(&self, row: usize) -> Option<Scalar> {
        let plain = &self.plain;
        if plain.is_null(row) {
            return None;
        }
        Some(match plain.data_type() {
            DataType::Int64 => Scalar::Int(plain.as_primitive::<Int64Type>().value(row)),
            DataType::UInt64 => Scalar::UInt(plain.as_primitive::<UInt64Type>().value(row)),
            // −0.0 + 0.0 is 0.0: of equal values the least must not be the one that came first.
            DataType::Float64 => {
                Scalar::Float(plain.as_primitive::<Float64Type>().value(row) + 0.0)
            }
            DataType::Decimal128(..) => {
                let value = plain.as_primitive::<Decimal128Type>().value(row);
                Scalar::Decimal(i256::from_i128(value).to_le_bytes())
            }
            DataType::Decimal256(..) => {
                Scalar::Decimal(plain.as_primitive::<Decimal256Type>().value(row).to_le_bytes())
            }
            DataType::LargeUtf8 => Scalar::Bytes(plain.as_string::<i64>().value(row).into()),
            _ => Scalar::Bytes(plain.as_binary_opt::<i64>()?.value(row).to_vec()),
        })
    }
}

/// The type in which the order of a type is plain.
fn plain_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Dictionary(_, values) => plain_type(values)?,
        DataType::UInt64 => DataType::UInt64,
        DataType::Boolean => DataType::Int64,
        integer if integer.is_integer() => DataType::Int64,
        DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Timestamp(_, _) => DataType::Int64,
        float if float.is_floating() => DataType::Float64,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) => data_type.clone(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::LargeUtf8,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => DataType::LargeBinary,
        _ => return None,
    })
}

/// Nanoseconds of a unit.
pub(crate) fn unit_nanos(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}
