//! A value that a check compares with, before it is known what column it meets.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value in a suite: a bound, or a member of a set.
///
/// It takes the type of the column it meets when the suite is compiled, exactly or not at all: `10`
/// fits an integer, a float, a decimal; `"2013-01-01"` a date or an instant; `"12.50"` a decimal
/// without going through a float. What does not fit is an error before any data is read. An integer
/// column may be compared with `0.5`; the comparison is exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer past `i64::MAX`.
    UInt(u64),
    /// A float; never NaN or infinite where it comes from JSON.
    Float(f64),
    /// Text, a date, an instant, a decimal: the column decides.
    Text(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::UInt(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Literal {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Float, f64 => Float,
    &str => Text, String => Text,
}

impl From<u64> for Literal {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }
}

impl From<chrono::NaiveDate> for Literal {
    fn from(value: chrono::NaiveDate) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<crate::time::Instant> for Literal {
    fn from(value: crate::time::Instant) -> Self {
        Self::Text(value.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}
