//! The types that a column of a signature can have, and which widens into which.

use arrow::datatypes::TimeUnit;
use serde::{Deserialize, Serialize};

use super::{Column, OPERATION, check_count, check_unique};
use crate::{Error, Key, Result};

/// Deepest nesting of lists and structs; a plain type has depth 1.
pub const MAX_DEPTH: usize = 32;

/// The logical type of a column; as text, one line of this grammar:
///
/// ```text
/// boolean  int8 … int64  uint8 … uint64  float16 float32 float64  utf8  binary  date32  date64
/// time32[s|ms]  time64[us|ns]  duration[s|ms|us|ns]  timestamp[us]  timestamp[us, Europe/Paris]
/// decimal128(10, 2)  decimal256(50, 4)
/// list<T>  large_list<T>  fixed_list[8]<T>           T? where an item may be null
/// struct<lat: float64, "wind speed": float32?>       names that are no identifiers as in JSON
/// ```
///
/// What is printed parses to the same type; spaces between tokens do not matter to the parser.
///
/// ```
/// use mlops_core::registry::ColumnType;
/// # fn main() -> mlops_core::Result<()> {
/// let spaced: ColumnType = " list< struct<at:timestamp[us,UTC],value:float32?> > ".parse()?;
/// assert_eq!(spaced.to_string(), "list<struct<at: timestamp[us, UTC], value: float32?>>");
/// assert_eq!(
///     "double".parse::<ColumnType>().unwrap_err().to_string(),
///     "column_type: invalid: not the name of a type (text: \"double\", byte: 0); \
///      hint: this type is called float64",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 8 bits.
    UInt8,
    /// Unsigned, 16 bits.
    UInt16,
    /// Unsigned, 32 bits.
    UInt32,
    /// Unsigned, 64 bits.
    UInt64,
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// Text, in any Arrow layout.
    Utf8,
    /// Bytes, in any Arrow layout.
    Binary,
    /// Days since 1970.
    Date32,
    /// Milliseconds since 1970, whole days.
    Date64,
    /// Time of day: `time32` for seconds and milliseconds, `time64` for the finer units.
    Time(TimeUnit),
    /// An instant, or without a zone a reading of some wall clock.
    Timestamp {
        /// What is counted.
        unit: TimeUnit,
        /// The zone in which it is shown, as Arrow has it: `UTC`, `+02:00`, `Europe/Paris`.
        zone: Option<Key>,
    },
    /// An elapsed time.
    Duration(TimeUnit),
    /// A decimal number in 128 bits.
    Decimal128 {
        /// Digits, 1 to 38.
        precision: u8,
        /// Digits after the point; negative for zeros before it.
        scale: i8,
    },
    /// A decimal number in 256 bits.
    Decimal256 {
        /// Digits, 1 to 76.
        precision: u8,
        /// Digits after the point; negative for zeros before it.
        scale: i8,
    },
    /// Any number of items.
    List(Box<Item>),
    /// Any number of items, with 64-bit offsets.
    LargeList(Box<Item>),
    /// The same number of items in every row.
    FixedList {
        /// How many items; not negative.
        size: i32,
        /// What they are.
        item: Box<Item>,
    },
    /// Named fields, in this order.
    Struct(Vec<Column>),
}

/// What the items of a list are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    /// Their type.
    pub data_type: ColumnType,
    /// Whether an item may be null; a `?` after the type in text.
    pub nullable: bool,
}

/// Numbers by the integers that they hold without a gap.
enum Number {
    Signed(u8),
    Unsigned(u8),
    /// Bits of the significand, the hidden one included.
    Float(u8),
}

impl ColumnType {
    /// Whether every value of this type is, to the last digit, a value of `to`.
    ///
    /// Numbers only, and what is made of them:
    /// * an integer into an integer that holds its whole range (`uint8` into `int16`, never `int8`
    ///   into `uint16`);
    /// * an integer into a float whose significand holds it (`int32` into `float64`, not into
    ///   `float32`; `int64` into none);
    /// * a float into a wider float, a decimal into one with as many digits on both sides of the
    ///   point;
    /// * a list into the same kind of list, a struct into one of the same fields in the same order,
    ///   if what is in it widens. Whether items may be null is another question, not asked here.
    ///
    /// Every type widens into itself, and what widens twice widens at once.
    ///
    /// ```
    /// use mlops_core::registry::ColumnType::{Float32, Float64, Int32, Utf8};
    /// assert!(Int32.widens_into(&Float64) && Utf8.widens_into(&Utf8));
    /// assert!(!Int32.widens_into(&Float32) && !Float64.widens_into(&Float32));
    /// ```
    pub fn widens_into(&self, to: &Self) -> bool {
        match (self, to) {
            (
                Self::Decimal128 { precision, scale },
                Self::Decimal128 { precision: p, scale: s },
            )
            | (
                Self::Decimal128 { precision, scale } | Self::Decimal256 { precision, scale },
                Self::Decimal256 { precision: p, scale: s },
            ) => {
                let whole = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
                s >= scale && whole(*p, *s) >= whole(*precision, *scale)
            }
            (from, to) => match (from.number(), to.number()) {
                (Some(from), Some(to)) => from.within(&to),
                _ => from.matches(to, Self::widens_into),
            },
        }
    }

    /// Whether both are the same but for the nullability of items and fields.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.matches(other, Self::same)
    }

    /// Checks what the types of Rust do not: sizes, depth, and names that are there twice. Adds the
    /// fields of structs to `count`.
    pub(super) fn check(&self, count: &mut usize) -> Result<()> {
        self.check_at(1, count)
    }

    fn check_at(&self, depth: usize, count: &mut usize) -> Result<()> {
        check_depth(depth)?;
        match self {
            Self::Decimal128 { precision, scale } => check_decimal(*precision, *scale, 38),
            Self::Decimal256 { precision, scale } => check_decimal(*precision, *scale, 76),
            Self::List(item) | Self::LargeList(item) => item.data_type.check_at(depth + 1, count),
            Self::FixedList { size, item } => {
                check_size(*size)?;
                item.data_type.check_at(depth + 1, count)
            }
            Self::Struct(fields) => {
                *count += fields.len();
                check_count(*count)?;
                check_unique(fields)?;
                fields.iter().try_for_each(|field| field.data_type.check_at(depth + 1, count))
            }
            _ => Ok(()),
        }
    }

    /// Equal constructors around parts of which `fits` holds; equality for types without parts.
    fn matches(&self, other: &Self, fits: impl Fn(&Self, &Self) -> bool) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) | (Self::LargeList(a), Self::LargeList(b)) => {
                fits(&a.data_type, &b.data_type)
            }
            (Self::FixedList { size: n, item: a }, Self::FixedList { size: m, item: b }) => {
                n == m && fits(&a.data_type, &b.data_type)
            }
            (Self::Struct(a), Self::Struct(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| a.name == b.name && fits(&a.data_type, &b.data_type))
            }
            (a, b) => a == b,
        }
    }

    fn number(&self) -> Option<Number> {
        Some(match self {
            Self::Int8 => Number::Signed(8),
            Self::Int16 => Number::Signed(16),
            Self::Int32 => Number::Signed(32),
            Self::Int64 => Number::Signed(64),
            Self::UInt8 => Number::Unsigned(8),
            Self::UInt16 => Number::Unsigned(16),
            Self::UInt32 => Number::Unsigned(32),
            Self::UInt64 => Number::Unsigned(64),
            Self::Float16 => Number::Float(11),
            Self::Float32 => Number::Float(24),
            Self::Float64 => Number::Float(53),
            _ => return None,
        })
    }
}

impl Number {
    fn within(&self, to: &Self) -> bool {
        match (self, to) {
            (Self::Signed(from), Self::Signed(to))
            | (Self::Unsigned(from), Self::Unsigned(to))
            | (Self::Signed(from) | Self::Unsigned(from) | Self::Float(from), Self::Float(to)) => {
                from <= to
            }
            (Self::Unsigned(from), Self::Signed(to)) => from < to,
            (Self::Signed(_), Self::Unsigned(_)) | (Self::Float(_), _) => false,
        }
    }
}

pub(super) fn check_depth(depth: usize) -> Result<()> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(Error::invalid(OPERATION, "a type is nested too deep").with("at_most", MAX_DEPTH))
}

/// What Arrow asks of a decimal of at most `max` digits.
pub(super) fn check_decimal(precision: u8, scale: i8, max: u8) -> Result<()> {
    let digits = i16::from(precision);
    if (1..=max).contains(&precision) && i16::from(scale) <= digits {
        return Ok(());
    }
    Err(Error::invalid(OPERATION, "no such decimal")
        .with("precision", precision)
        .with("scale", scale)
        .with_hint(match max {
            38 => "decimal128 has 1 to 38 digits, not fewer than the scale",
            _ => "decimal256 has 1 to 76 digits, not fewer than the scale",
        }))
}

pub(super) fn check_size(size: i32) -> Result<()> {
    if size >= 0 {
        return Ok(());
    }
    Err(Error::invalid(OPERATION, "a list of a negative size").with("size", size))
}
