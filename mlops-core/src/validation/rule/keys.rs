//! Rules about keys: a value, or a tuple of values, that stands for a thing.

use serde::{Deserialize, Serialize};

use super::is_default;

/// What a null in a key means to [`Unique`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyNulls {
    /// SQL's rule: a key with any null is not compared; the row is skipped.
    #[default]
    Distinct,
    /// Null equals null.
    Equal,
}

/// How uniqueness is found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMemory {
    /// One pass that remembers every key: 8 bytes a row for one column of at most 64 bits, else 16.
    #[default]
    OnePass,
    /// Two passes: a filter of 2 bytes a row first, then an exact count of the keys it suspects. Needs
    /// data that can be read again.
    TwoPasses,
}

/// `unique`: no two rows have the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The columns of the key.
    pub columns: Vec<String>,
    /// What a null means.
    #[serde(default, skip_serializing_if = "is_default")]
    pub key_nulls: KeyNulls,
    /// How it is found out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory: KeyMemory,
}

/// Whether every key is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exactness {
    /// Every key is remembered: 8 or 16 bytes a row.
    #[default]
    Exact,
    /// A sketch of 16 KiB; standard error 0.8 %.
    Sketch,
}

/// `distinctness`: different keys as a share of the rows that have one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distinctness {
    /// The columns of the key.
    pub columns: Vec<String>,
    /// The least share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Whether every key is remembered.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: Exactness,
}

/// Where the values go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up.
    #[default]
    Ascending,
    /// Down.
    Descending,
}

/// `ordered`: from row to row the values rise (or fall), nulls left out.
///
/// Depends on the order of rows: parts that are validated apart are put together in the order of
/// their first rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// The column.
    pub column: String,
    /// Where the values go.
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: Direction,
    /// Whether equal neighbours are a failure.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strict: bool,
}

/// What a key of which a part is null means to [`ForeignKey`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialKeys {
    /// SQL's `MATCH SIMPLE`: it is not looked up.
    #[default]
    Skip,
    /// SQL's `MATCH FULL`: it fails, unless all parts are null.
    Fail,
}

/// `foreign_key`: every key is in another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// The columns of the key here.
    pub columns: Vec<String>,
    /// The other table, by the name it is handed in under.
    pub reference: String,
    /// The columns there; if empty, of the same names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub to: Vec<String>,
    /// What a key with a null means.
    #[serde(default, skip_serializing_if = "is_default")]
    pub partial: PartialKeys,
}

/// `functional_dependency`: rows that agree in `from` agree in `to`, as a ZIP code has one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionalDependency {
    /// The columns that determine.
    pub from: Vec<String>,
    /// The columns that are determined. A null there is a value like others.
    pub to: Vec<String>,
}

macro_rules! many_columns {
    ($($rule:ident),*) => {$(
        impl $rule {
            pub(super) fn columns(&self) -> Vec<&str> {
                self.columns.iter().map(String::as_str).collect()
            }
        }
    )*};
}

many_columns!(Unique, Distinctness, ForeignKey);

impl Ordered {
    pub(super) fn columns(&self) -> Vec<&str> {
        vec![&self.column]
    }
}

impl FunctionalDependency {
    pub(super) fn columns(&self) -> Vec<&str> {
        self.from.iter().chain(&self.to).map(String::as_str).collect()
    }
}
