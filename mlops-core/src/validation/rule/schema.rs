//! Rules that look at no value: where the data comes from, what it is made of, where it goes.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::registry::{Column, ColumnType};

/// `source`: the files are there and are what a pipeline expects, before anything is read of them.
///
/// For data in memory it is an error: there is nothing to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The least number of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_files: Option<u64>,
    /// The greatest number of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_files: Option<u64>,
    /// File names that must be among them; `*` stands for any characters but `/`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expected: Vec<String>,
    /// The least size of each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// The greatest size of each file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The newest file is at most so old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_secs: Option<u64>,
}

/// How strictly a schema is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaMode {
    /// These columns and no others, of these types.
    #[default]
    Exact,
    /// At least these columns, of these types.
    Contains,
    /// At least these columns, of types that widen into these without loss; a nullable one may be
    /// missing.
    Compatible,
}

/// `schema`: the data has these columns. Text, bytes and dictionaries count as their values, whatever
/// their Arrow layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
    /// How strictly.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: SchemaMode,
    /// Whether they must come in this order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ordered: bool,
    /// Whether a column that may hold nulls by its schema fails where a column here may not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nullability: bool,
}

/// `column_type`: the column is there and is of one of these types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnIs {
    /// The column.
    pub column: String,
    /// The types; none given, it need only be there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub types: Vec<ColumnType>,
}

/// `fits`: the data can be loaded into a destination: every column that the destination cannot leave
/// out is there, and every type widens into the destination's without loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// The destination's columns; written out, or
    #[serde(default, skip_serializing_if = "is_default")]
    pub columns: Vec<Column>,
    /// those of a table, by the name it is handed in under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether a column that the destination does not have is a failure.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_more: bool,
}

impl Source {
    #[expect(clippy::unused_self, reason = "one form for all rules")]
    pub(super) fn columns(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Schema {
    pub(super) fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}

impl ColumnIs {
    pub(super) fn columns(&self) -> Vec<&str> {
        vec![&self.column]
    }
}

impl Fits {
    pub(super) fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }
}
