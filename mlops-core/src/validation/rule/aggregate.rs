//! Rules about the data as a whole.

use serde::{Deserialize, Serialize};

use super::super::{Literal, Metric};
use super::is_default;

/// `row_count`: the data has so many rows. At least one bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCount {
    /// The least number of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// The greatest number of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

/// `freshness`: the newest instant of a column is at most so old when the data is validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// A column of timestamps or dates; without a zone they are taken as UTC.
    pub column: String,
    /// The greatest age in seconds.
    pub max_age_secs: u64,
    /// How far in the future the newest may lie, for clocks that differ.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_ahead_secs: u64,
}

/// How far two numbers may be apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// So far, in the metric's unit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub absolute: f64,
    /// Or this share of the expected value's size.
    #[serde(default, skip_serializing_if = "is_default")]
    pub relative: f64,
}

/// Another number that a metric must be equal to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Expected {
    /// A metric of another table.
    Reference {
        /// What.
        metric: Metric,
        /// The table, by the name it is handed in under.
        reference: String,
    },
    /// Another metric of the same data.
    Same {
        /// What.
        metric: Metric,
    },
    /// The same metric in the previous run of the history.
    Previous {
        /// Always true.
        previous: bool,
    },
}

/// `aggregate`: a metric is in bounds, or equal to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// What is computed.
    pub of: Metric,
    /// Its least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Literal>,
    /// Its greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Literal>,
    /// What it must be equal to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Expected>,
    /// How nearly.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tolerance: Tolerance,
}

/// `anomaly`: a metric is what the last runs lead to expect.
///
/// The value is compared with the median of the last runs, in units of their robust spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// What is computed; `rows()` watches the volume.
    pub of: Metric,
    /// How many earlier runs are looked at.
    #[serde(default = "thirty")]
    pub last: u32,
    /// How many there must be; with fewer, the check is vacuous.
    #[serde(default = "eight")]
    pub at_least: u32,
    /// How often a false alarm is accepted while nothing has changed: one run in so many.
    #[serde(default = "thousand")]
    pub one_in: u32,
    /// A change smaller than this share of the median is never an anomaly.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_below: f64,
}

fn thirty() -> u32 {
    30
}

fn eight() -> u32 {
    8
}

fn thousand() -> u32 {
    1000
}

/// How the distance between two distributions is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DistributionMeasure {
    /// Population stability index; 0.1 is some, 0.25 much.
    Psi,
    /// Jensen–Shannon distance, base 2: 0 to 1.
    JensenShannon,
    /// Total variation: 0 to 1.
    TotalVariation,
    /// Kolmogorov–Smirnov's D over the cells of an ordered column: 0 to 1.
    KolmogorovSmirnov,
}

/// `distribution`: values are distributed as in the profile of good data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// The column.
    pub column: String,
    /// The profile, by the name it is handed in under.
    pub profile: String,
    /// How the distance is measured.
    pub measure: DistributionMeasure,
    /// The greatest distance.
    pub max: f64,
    /// How many cells of equal probability a numeric column is cut into.
    #[serde(default = "twenty")]
    pub cells: u32,
}

fn twenty() -> u32 {
    20
}

impl RowCount {
    #[expect(clippy::unused_self, reason = "one form for all rules")]
    pub(super) fn columns(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Freshness {
    pub(super) fn columns(&self) -> Vec<&str> {
        vec![&self.column]
    }
}

impl Aggregate {
    pub(super) fn columns(&self) -> Vec<&str> {
        let same = match &self.equals {
            Some(Expected::Same { metric }) => metric.column(),
            _ => None,
        };
        self.of.column().into_iter().chain(same).collect()
    }
}

impl Anomaly {
    pub(super) fn columns(&self) -> Vec<&str> {
        self.of.column().into_iter().collect()
    }
}

impl Distribution {
    pub(super) fn columns(&self) -> Vec<&str> {
        vec![&self.column]
    }
}
