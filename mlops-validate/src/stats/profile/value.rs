//! One value of a column, as a profile keeps it.

use std::cmp::Ordering;
use std::fmt;

use arrow::datatypes::i256;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value: an extreme of a column. Values of one column are of one kind and compare as such.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// An integer, the unscaled integer of a decimal, or what a date, time or duration counts.
    Whole(i256),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Bytes as hexadecimal digits.
pub(in crate::stats) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

impl PartialOrd for Value {
    /// Text and bytes as bytes; NaN and values of different kinds have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Bytes(value) => f.write_str(&hex(value)),
        }
    }
}

/// As stored: a tag and text, since JSON has neither infinities nor wide integers.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tag = match self {
            Self::Bool(_) => "bool",
            Self::Whole(_) => "whole",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        };
        (tag, self.to_string()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (tag, text) = <(String, String)>::deserialize(deserializer)?;
        let value = match tag.as_str() {
            "bool" => text.parse().ok().map(Self::Bool),
            "whole" => i256::from_string(&text).map(Self::Whole),
            "float" => text.parse().ok().map(Self::Float),
            "bytes" => unhex(&text).map(Self::Bytes),
            "text" => return Ok(Self::Text(text)),
            _ => None,
        };
        value.ok_or_else(|| D::Error::custom(format!("not a value of kind {tag:?}: {text:?}")))
    }
}
