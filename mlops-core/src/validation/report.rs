//! What a suite found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Earlier, OnEmpty, Outcome, Severity, Status};
use crate::registry::ValidationSummary;
use crate::time::Instant;
use crate::tracking::Digest;
use crate::{ArtifactPath, Key, float};

/// Whether the data is fit to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed.
    Passed,
    /// Only checks of [`Severity::Warn`] failed, or something could not be judged.
    Warned,
    /// A check of [`Severity::Error`] failed.
    Failed,
}

impl Verdict {
    /// In lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

/// How much of the files was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBytes {
    /// Bytes of all columns, as they lie in the files.
    pub total: u64,
    /// Bytes of values that were read; footers are not counted.
    pub read: u64,
    /// Bytes that were not read because no check looks at the column.
    pub not_needed: u64,
    /// Bytes that were not read because statistics decided.
    pub decided_by_statistics: u64,
}

/// What a suite found in data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The suite.
    pub suite: Key,
    /// Its version.
    pub suite_version: u32,
    /// Its digest.
    pub suite_digest: Digest,
    /// Whether the data is fit to use.
    pub verdict: Verdict,
    /// What was validated, as the caller names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The digest of what was validated, where the caller has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<Key>,
    /// How many rows there are.
    pub rows: u64,
    /// How many rows fail some check of [`Severity::Error`], those among them that its tolerance lets
    /// through; nothing where one pass cannot know: a key that is there twice, or rows of which the
    /// statistics of a file told only the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_failed: Option<u64>,
    /// When the validation began.
    pub at: Instant,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// How much of the files was read; nothing for data in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ReadBytes>,
    /// What a check that had nothing to judge counts as.
    pub on_empty: OnEmpty,
    /// One for each check, in the suite's order.
    pub outcomes: Vec<Outcome>,
    /// Every metric that was computed, by its text; what a [`super::History`] keeps.
    #[serde(with = "float::map")]
    pub metrics: BTreeMap<String, f64>,
    /// The version of the library that wrote the report.
    pub library: String,
}

impl Report {
    /// Whether no check of [`Severity::Error`] failed.
    pub fn passed(&self) -> bool {
        self.verdict != Verdict::Failed
    }

    /// The outcome of the check of this name.
    pub fn outcome(&self, check: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.check == check)
    }

    /// The outcomes that failed, errors and warnings.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| self.counted(outcome) == Status::Failed)
    }

    /// What an outcome counts as: [`OnEmpty`] decides for what was vacuous.
    pub fn counted(&self, outcome: &Outcome) -> Status {
        match (outcome.status, self.on_empty) {
            (Status::Vacuous, OnEmpty::Pass) => Status::Passed,
            (Status::Vacuous, OnEmpty::Fail) => Status::Failed,
            (status, _) => status,
        }
    }

    /// The verdict that follows from outcomes.
    pub fn verdict_of(outcomes: &[Outcome], on_empty: OnEmpty) -> Verdict {
        outcomes
            .iter()
            .map(|outcome| Self::counts_as(outcome.status, on_empty, outcome.severity))
            .max()
            .unwrap_or(Verdict::Passed)
    }

    /// What one check adds to the verdict, which is the worst of all.
    pub fn counts_as(status: Status, on_empty: OnEmpty, severity: Severity) -> Verdict {
        match (status, on_empty, severity) {
            (Status::Passed, ..) | (Status::Vacuous, OnEmpty::Pass, _) => Verdict::Passed,
            (Status::Vacuous, OnEmpty::Warn, _) | (_, _, Severity::Warn) => Verdict::Warned,
            (_, _, Severity::Error) => Verdict::Failed,
        }
    }

    /// What the history keeps of it.
    pub fn earlier(&self) -> Earlier {
        Earlier { at: self.at, metrics: self.metrics.clone() }
    }

    /// What a gate of the registry looks at; `report` is the file of the version that holds the whole.
    pub fn summary(&self, report: Option<ArtifactPath>) -> ValidationSummary {
        ValidationSummary {
            suite: self.suite.clone(),
            passed: self.passed(),
            checks: self.outcomes.len() as u64,
            failed: self.failures().filter(|outcome| outcome.severity == Severity::Error).count()
                as u64,
            at: self.at,
            data: self.data_digest.clone(),
            suite_digest: Some(self.suite_digest),
            report,
        }
    }
}
