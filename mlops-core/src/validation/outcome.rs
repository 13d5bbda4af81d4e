//! What one check found.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Severity;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// What it asks for holds.
    Passed,
    /// It does not.
    Failed,
    /// There was nothing to judge: no rows, only nulls, or too short a history.
    Vacuous,
}

impl Status {
    /// In lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Vacuous => "vacuous",
        }
    }
}

/// How many rows a check looked at. `judged + skipped + filtered` are all rows of the data.
///
/// Rules that judge no rows (an aggregate, a schema) have 0 `failed`, and in `judged` the values that
/// went in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Rows that passed or failed.
    pub judged: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that were not judged, because of a null or a NaN.
    pub skipped: u64,
    /// Rows that the check's filter left out.
    pub filtered: u64,
}

/// One row that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Which row, from 0, in the order of the data; none for a key that stands for several rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The check's columns in this row, as text; null is `None`, and a value that may not be shown is
    /// `(redacted)`.
    pub values: Vec<Option<String>>,
    /// How many rows have this value, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The schema alone.
    Schema,
    /// What the store says of the files: their number, sizes, ages.
    Source,
    /// Statistics in the files, for all rows: no value was read.
    Statistics,
    /// Statistics for some rows, values for the others.
    StatisticsAndValues,
    /// The values.
    #[default]
    Values,
}

/// What a verdict rests on, and for how many rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it rests on.
    pub basis: Basis,
    /// Rows that statistics of the file decided.
    pub rows_by_statistics: u64,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The check's name, unique in the suite.
    pub check: String,
    /// The rule's name.
    pub rule: String,
    /// The columns it looked at.
    pub columns: Vec<String>,
    /// What a failure means.
    pub severity: Severity,
    /// How it came out.
    pub status: Status,
    /// How many rows it looked at.
    pub counts: Counts,
    /// What was asked for, in words: `between 1 and 100`.
    pub expected: String,
    /// What was found: the value of a metric, or nothing where the counts say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Value>,
    /// What else is worth saying: which columns are missing, how many distinct keys are orphans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The first rows that failed, at most as many as were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// What the verdict rests on.
    pub evidence: Evidence,
    /// Time spent on it, in nanoseconds over all threads; 0 where it was too short to measure.
    pub nanos: u64,
    /// Why the check is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
