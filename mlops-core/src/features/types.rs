//! The names, types and spans of time that definitions are made of.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The name of an entity, a view, a service or a feature: 1 to 100 bytes of ASCII letters, digits, `_`,
/// `-` and `.`, the first a letter or digit, the last no `.`.
///
/// It stands in column names, file names, keys of a server and SQL. Names that start with `_` are the
/// store's own columns.
///
/// ```
/// use mlops_core::features::FeatureName;
/// assert!(FeatureName::new("dep_delay.7d").is_ok());
/// for bad in ["", "_seq", "a b", "a/b", "a@1", "é", "a."] {
///     assert!(FeatureName::new(bad).is_err(), "{bad:?}");
/// }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeatureName(Arc<str>);

impl FeatureName {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 100;

    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// `Invalid`, with the name.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        let text = text.as_ref();
        let letter = |c: char| c.is_ascii_alphanumeric();
        let good = text.len() <= Self::MAX_BYTES
            && text.starts_with(letter)
            && !text.ends_with('.')
            && text.chars().all(|c| letter(c) || matches!(c, '_' | '-' | '.'));
        if !good {
            return Err(Error::invalid("features.name", "is no name")
                .with("name", text.chars().take(120).collect::<String>().escape_debug())
                .with_hint(
                    "give 1 to 100 letters, digits, `_`, `-` and `.`, the first a letter or digit, \
                     the last no `.`",
                ));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for FeatureName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for FeatureName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for FeatureName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for FeatureName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for FeatureName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<&str> for FeatureName {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl From<FeatureName> for String {
    fn from(name: FeatureName) -> Self {
        name.0.as_ref().to_owned()
    }
}

/// The type of a join key.
///
/// Keys are equal by value: a key column of any integer type matches `int`, of any text type `string`.
/// A column of another type is an error, never a silent "no match"; floats are not keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyType {
    /// Whole numbers of 64 bits; columns of any integer type.
    Int,
    /// Text; `Utf8`, `LargeUtf8`, `Utf8View`, and dictionaries of them.
    String,
    /// Bytes, such as a UUID's; `Binary`, `LargeBinary`, `BinaryView`, `FixedSizeBinary`.
    Bytes,
}

impl KeyType {
    /// The type that a key column is brought to.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::String => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// The word in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::String => "string",
            Self::Bytes => "bytes",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The type of a feature's values.
///
/// A source's column is brought to it where no value changes: `Int32` to `int`, `Date64` to `date`. A
/// column that would lose something is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeatureType {
    /// `true` and `false`.
    Bool,
    /// Whole numbers of 64 bits.
    Int,
    /// Doubles.
    Float,
    /// Single-precision floats.
    Float32,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// Instants, UTC, microseconds.
    Timestamp,
    /// Days.
    Date,
    /// A list of single-precision floats, such as an embedding. Its items are not null.
    Vector,
}

impl FeatureType {
    /// The type of its columns.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Float32 => DataType::Float32,
            Self::String => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Vector => {
                DataType::List(Arc::new(Field::new_list_field(DataType::Float32, true)))
            }
        }
    }

    /// The word in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Float32 => "float32",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Vector => "vector",
        }
    }
}

impl fmt::Display for FeatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A span of time, exact to the microsecond; written `250ms`, `90s`, `15m`, `1h`, `7d`, `500us`.
///
/// ```
/// use mlops_core::features::Span;
/// let week: Span = "7d".parse().unwrap();
/// assert_eq!(week.micros(), 7 * 24 * 3_600 * 1_000_000);
/// assert_eq!(week.to_string(), "7d");
/// assert_eq!("1.5h".parse::<Span>().unwrap().to_string(), "90m");
/// assert!("7 weeks".parse::<Span>().is_err() && "-1s".parse::<Span>().is_err());
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Span(i64);

const UNITS: [(&str, i64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

impl Span {
    /// Longest span: 100 years.
    pub const MAX: Self = Self(100 * 366 * 86_400_000_000);
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of so many microseconds.
    ///
    /// # Errors
    /// `Invalid` if negative or above [`Span::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self> {
        if (0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(Error::invalid("features.span", "is not between 0 and 100 years")
                .with("microseconds", micros))
        }
    }

    /// A span of so many seconds, at most 100 years.
    pub const fn seconds(seconds: u32) -> Self {
        Self::least(seconds as i64 * 1_000_000)
    }

    /// A span of so many minutes, at most 100 years.
    pub const fn minutes(minutes: u32) -> Self {
        Self::least(minutes as i64 * 60_000_000)
    }

    /// A span of so many hours, at most 100 years.
    pub const fn hours(hours: u32) -> Self {
        Self::least((hours as i64).saturating_mul(3_600_000_000))
    }

    /// A span of so many days, at most 100 years.
    pub const fn days(days: u32) -> Self {
        Self::least((days as i64).saturating_mul(86_400_000_000))
    }

    const fn least(micros: i64) -> Self {
        Self(if micros < Self::MAX.0 { micros } else { Self::MAX.0 })
    }

    /// How many microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.pad("0s");
        }
        let unit = UNITS.iter().rev().find(|(_, size)| self.0 % size == 0);
        let (name, size) = unit.unwrap_or(&UNITS[0]);
        f.pad(&format!("{}{name}", self.0 / size))
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid("features.span", "is no span of time")
                .with("span", text.chars().take(40).collect::<String>().escape_debug())
                .with_hint("such as 90s, 15m, 1h or 7d")
        };
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = whole.parse().map_err(|_| bad())?;
        let mut micros = whole.checked_mul(*size).ok_or_else(bad)?;
        // Digit by digit, so that 0.1s is 100,000 microseconds and what is no whole number is refused.
        let mut scale = *size;
        if number.ends_with('.') {
            return Err(bad());
        }
        for digit in part.chars().map(|c| c.to_digit(10)) {
            let digit = i64::from(digit.ok_or_else(bad)?);
            if scale % 10 != 0 && digit * scale % 10 != 0 {
                return Err(bad());
            }
            micros = micros.checked_add(digit * scale / 10).ok_or_else(bad)?;
            scale /= 10;
        }
        Self::from_micros(micros)
    }
}

impl TryFrom<String> for Span {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}
