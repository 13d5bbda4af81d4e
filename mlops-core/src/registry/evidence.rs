//! Evidence: what was found out about a version after it was made.
//!
//! Reports of crates that know nothing of the registry (validation, fairness, recovery) meet the gates
//! of a policy here, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Instant;
use crate::tracking::Digest;
use crate::{ArtifactPath, Key, float};

/// A finding about one version. Attaching another of the same kind and name replaces it; the journal
/// keeps both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// A suite of checks ran over data.
    Validation(ValidationSummary),
    /// The version was judged on data.
    Evaluation(EvaluationSummary),
    /// It was judged whether the version treats groups alike.
    Fairness(FairnessSummary),
}

impl Evidence {
    /// The kind in lower case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Validation(_) => "validation",
            Self::Evaluation(_) => "evaluation",
            Self::Fairness(_) => "fairness",
        }
    }

    /// What it is called within its kind: the suite, the evaluation, or the fairness metric.
    pub fn name(&self) -> &Key {
        match self {
            Self::Validation(report) => &report.suite,
            Self::Evaluation(report) => &report.name,
            Self::Fairness(report) => &report.metric,
        }
    }
}

/// What a suite of checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationSummary {
    /// The suite.
    pub suite: Key,
    /// Whether all checks that count passed.
    pub passed: bool,
    /// How many checks ran.
    pub checks: u64,
    /// How many of them failed.
    pub failed: u64,
    /// When.
    pub at: Instant,
    /// The digest of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Key>,
    /// The digest of the suite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite_digest: Option<Digest>,
    /// Which of the version's files is the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ArtifactPath>,
}

/// How good a version was found to be on data that need not have been there when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSummary {
    /// The evaluation, such as `holdout-2026-03`.
    pub name: Key,
    /// The digest of the data. Two versions are compared only if theirs is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Key>,
    /// What was measured.
    #[serde(with = "float::map")]
    pub metrics: BTreeMap<Key, f64>,
    /// When.
    pub at: Instant,
}

/// Whether a version treats groups alike, by one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessSummary {
    /// The metric, such as `demographic_parity_difference`.
    pub metric: Key,
    /// What makes the groups, such as `sex`.
    pub attribute: Key,
    /// The metric's value; its unit is the metric's.
    #[serde(with = "float")]
    pub value: f64,
    /// How many rows were judged.
    pub rows: u64,
    /// When.
    pub at: Instant,
}

/// The catalog's kind of recovery drills.
pub const DRILL_KIND: &str = "drill";

/// The last recovery drill of a workspace: the catalog's document `drill`/`latest`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillSummary {
    /// Whether everything came back.
    pub passed: bool,
    /// Seconds of acknowledged work that were lost.
    pub rpo_secs: f64,
    /// Seconds until everything was back.
    pub rto_secs: f64,
    /// When.
    pub at: Instant,
}
