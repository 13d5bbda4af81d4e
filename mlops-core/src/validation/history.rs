//! What earlier runs of a suite measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::float;
use crate::time::Instant;

/// The metrics of one earlier run: [`super::Report::metrics`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// When it was.
    pub at: Instant,
    /// What was measured, by the text of the metric (`rows()`, `mean(total)`).
    #[serde(with = "float::map")]
    pub metrics: BTreeMap<String, f64>,
}

/// Earlier runs, the oldest first; what anomaly checks and comparisons with the previous run look at.
///
/// Runs that failed may be kept out by the caller: a history of bad days makes bad days normal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// The runs.
    pub runs: Vec<Earlier>,
}

impl History {
    /// Adds a run and keeps them in order of time, at most the last `keep`.
    pub fn push(&mut self, earlier: Earlier, keep: usize) {
        let place = self.runs.partition_point(|run| run.at <= earlier.at);
        self.runs.insert(place, earlier);
        let surplus = self.runs.len().saturating_sub(keep);
        self.runs.drain(..surplus);
    }

    /// The values of one metric, the oldest first; runs that did not measure it are left out.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.metrics.get(metric).copied()).collect()
    }
}
