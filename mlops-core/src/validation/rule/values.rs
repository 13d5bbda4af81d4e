//! Rules about the values of one column.

use serde::{Deserialize, Serialize};

use super::super::{Format, Literal};
use super::is_default;

/// `not_null`: no value is null. NaN is a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotNull {
    /// The column.
    pub column: String,
}

/// `is_null`: every value is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsNull {
    /// The column.
    pub column: String,
}

/// `range`: values lie between two bounds, both included unless said otherwise.
///
/// Numbers, decimals, dates, instants, times, durations and text (by bytes). At least one bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The column.
    pub column: String,
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Literal>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Literal>,
    /// Whether `min` itself is out of range.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclusive_min: bool,
    /// Whether `max` itself is out of range.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exclusive_max: bool,
}

/// `in_set`: every value is one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InSet {
    /// The column.
    pub column: String,
    /// The values that may be there.
    pub values: Vec<Literal>,
}

/// `not_in_set`: no value is one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotInSet {
    /// The column.
    pub column: String,
    /// The values that may not be there.
    pub values: Vec<Literal>,
}

/// `matches`: a regular expression is found in the text, anywhere unless it is anchored or `full`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matches {
    /// The column.
    pub column: String,
    /// The expression, in the syntax of Rust's `regex`: no look-around, no back-references.
    pub pattern: String,
    /// Whether it must match the whole text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub full: bool,
}

/// `not_matches`: a regular expression is not found in the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotMatches {
    /// The column.
    pub column: String,
    /// The expression, as in [`Matches`].
    pub pattern: String,
    /// Whether only a match of the whole text is a failure.
    #[serde(default, skip_serializing_if = "is_default")]
    pub full: bool,
}

/// `format`: text is of a named format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HasFormat {
    /// The column.
    pub column: String,
    /// The format.
    pub format: Format,
}

/// What a length is counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Unicode scalar values of text; items of a list; bytes of binary.
    #[default]
    Chars,
    /// Bytes of text in UTF-8.
    Bytes,
}

/// `length`: text, bytes or a list is of some length. At least one bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// The column.
    pub column: String,
    /// The least length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// The greatest length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// What is counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unit: LengthUnit,
}

macro_rules! one_column {
    ($($rule:ident),*) => {$(
        impl $rule {
            pub(super) fn columns(&self) -> Vec<&str> {
                vec![&self.column]
            }
        }
    )*};
}

one_column!(NotNull, IsNull, Range, InSet, NotInSet, Matches, NotMatches, HasFormat, Length);
