//! What an importer reads from either store of MLflow, before it is made to fit ours.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use mlops_core::tracking::{MetricPoint, check_step};
use mlops_core::{Result, time};

use super::super::report::{FindingKind, Findings};
use super::place::ModelPlace;

/// A store of MLflow's. Blocks; the importer calls it from a thread where that does no harm.
pub(super) trait Source: Send + 'static {
    /// All experiments.
    fn experiments(&mut self, findings: &mut Findings) -> Result<Vec<SourceExperiment>>;

    /// All runs, in an order that is the same each time.
    fn runs(&mut self, findings: &mut Findings) -> Result<Vec<RunRef>>;

    /// One run with all that hangs on it; `None` if it is malformed, which is said in the findings.
    fn run(&mut self, run: &RunRef, findings: &mut Findings) -> Result<Option<SourceRun>>;

    /// All registered models, by name, each with its versions by number, those that MLflow has deleted
    /// left out; `runs` are the ids of all runs.
    fn models(
        &mut self,
        runs: &HashSet<String>,
        findings: &mut Findings,
    ) -> Result<Vec<SourceModel>>;

    /// What an export of ours wrote about a version, if it is where such a thing may be.
    fn document(&mut self, uri: &str, model: &str, number: u64) -> Option<Vec<u8>>;

    /// Counts the things that have no counterpart here.
    fn leftovers(&mut self, findings: &mut Findings) -> Result<()>;
}

pub(super) struct SourceExperiment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_ms: Option<i64>,
    pub(super) deleted: bool,
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(super) struct RunRef {
    pub(super) id: String,
    pub(super) experiment: String,
    pub(super) parent: Option<String>,
    /// Where it lies, for a store of files.
    pub(super) directory: PathBuf,
}

#[derive(Default)]
pub(super) struct SourceRun {
    pub(super) name: Option<String>,
    pub(super) user: Option<String>,
    pub(super) status: SourceStatus,
    pub(super) started_ms: Option<i64>,
    pub(super) ended_ms: Option<i64>,
    pub(super) deleted: bool,
    pub(super) params: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Points by key, each in the order in which they were written.
    pub(super) metrics: BTreeMap<String, Vec<MetricPoint>>,
    pub(super) inputs: Vec<SourceInput>,
    pub(super) artifacts: Option<Place>,
}

/// Where a run's files are.
pub(super) enum Place {
    Directory(PathBuf),
    Elsewhere(String),
}

pub(super) struct SourceInput {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) source_type: Option<String>,
    pub(super) source: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SourceStatus {
    #[default]
    Running,
    Scheduled,
    Finished,
    Failed,
    Killed,
}

impl SourceStatus {
    /// From the number of the file store or the word of the database.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1" | "RUNNING" => Self::Running,
            "2" | "SCHEDULED" => Self::Scheduled,
            "3" | "FINISHED" => Self::Finished,
            "4" | "FAILED" => Self::Failed,
            "5" | "KILLED" => Self::Killed,
            _ => return None,
        })
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct SourceModel {
    pub(super) name: String,
    pub(super) created_ms: Option<i64>,
    pub(super) note: String,
    pub(super) tags: BTreeMap<String, String>,
    /// Numbers by alias, as they are written there.
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) versions: Vec<SourceVersion>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SourceVersion {
    pub(super) number: u64,
    pub(super) created_ms: Option<i64>,
    pub(super) user: Option<String>,
    pub(super) note: String,
    pub(super) stage: String,
    pub(super) status: String,
    pub(super) source: Option<String>,
    /// Where the source resolved to when the version was made.
    pub(super) storage: Option<String>,
    pub(super) run: Option<String>,
    pub(super) run_link: Option<String>,
    pub(super) logged_model: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) place: ModelPlace,
}

impl SourceRun {
    /// Adds a point, if its step and time can be stored.
    pub(super) fn point(
        &mut self,
        key: &str,
        (step, time_ms, value): (i64, i64, f64),
        findings: &mut Findings,
        place: impl FnOnce() -> String,
    ) {
        let micros =
            time_ms.checked_mul(1_000).filter(|micros| time::check_micros(*micros).is_ok());
        match (micros, check_step(step)) {
            (Some(time_micros), Ok(step)) => {
                let point = MetricPoint { step, time_micros, value };
                match self.metrics.get_mut(key) {
                    Some(points) => points.push(point),
                    None => {
                        self.metrics.insert(key.to_owned(), vec![point]);
                    }
                }
            }
            _ => findings.add(FindingKind::PointRefused, || {
                format!("{}: step {step}, time {time_ms} ms", place())
            }),
        }
    }
}
