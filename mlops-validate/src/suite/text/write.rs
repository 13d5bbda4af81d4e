//! Suites written as text.

use mlops_core::validation::Suite;
use mlops_core::yaml;
use serde_json::Value;

/// The order in which a suite is written: a check's rule first, then how much it matters.
const ORDER: [&str; 46] = [
    "suite",
    "version",
    "check",
    "id",
    "column",
    "columns",
    "of",
    "left",
    "op",
    "right",
    "function",
    "options",
    "sql",
    "when",
    "then",
    "from",
    "to",
    "reference",
    "profile",
    "measure",
    "cells",
    "min",
    "exclusive_min",
    "max",
    "exclusive_max",
    "equals",
    "tolerance",
    "values",
    "pattern",
    "full",
    "format",
    "direction",
    "strict",
    "types",
    "mode",
    "ordered",
    "unit",
    "key_nulls",
    "where",
    "mostly",
    "severity",
    "nulls",
    "nan",
    "description",
    "on_empty",
    "checks",
];

/// YAML that [`Template::parse`](super::Template::parse) reads as this suite.
pub fn to_yaml(suite: &Suite) -> String {
    yaml::write_in_order(&escaped(suite), &ORDER)
}

/// JSON that [`Template::parse`](super::Template::parse) reads as this suite, on several lines.
pub fn to_json(suite: &Suite) -> String {
    let mut text = serde_json::to_string_pretty(&escaped(suite)).unwrap_or_default();
    text.push('\n');
    text
}

fn escaped(suite: &Suite) -> Value {
    let mut value = serde_json::to_value(suite).unwrap_or_default();
    super::fill::escape(&mut value);
    value
}
