//! What an export or an import could not carry over as it was.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// As many examples of a finding as a person reads.
const EXAMPLES: usize = 5;
/// An example longer than this is cut.
const EXAMPLE_CHARS: usize = 240;

/// One kind of difference, how often it occurred, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Which difference.
    pub kind: FindingKind,
    /// How often.
    pub count: u64,
    /// The first few, for a person.
    pub examples: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.count, self.kind.as_str())
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $sentence:literal,)+) => {
        /// What can differ between the two sides.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FindingKind {
            /// The difference as a sentence.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)+
                }
            }
        }
    };
}

kinds! {
    /// Export: a lost run.
    LostStatus = "a lost run is KILLED there; its tag mlops.status says lost",
    /// Export: an infinite value.
    Infinite = "an infinite value of a metric is clamped to ±1.7976931348623157e308",
    /// Export: a value.
    NegativeZero = "a value of -0 is 0 there, as in every SQL column of SQLite",
    /// Export: a time of a point.
    PointTimeCut = "the time of a point is cut to milliseconds",
    /// Export: a start or an end.
    InstantCut = "a start or end is cut to milliseconds; a tag keeps the microseconds",
    /// Export: a point.
    DuplicatePoint = "a point equal in step, time and value to another is stored once",
    /// Both: the last value of a metric.
    LatestDiffers = "the value written last is not the one of the greatest step, which MLflow shows",
    /// Export: a param or tag.
    LongValue = "a value is longer than MLflow accepts when logging; it is kept whole",
    /// Export: a folder.
    LongUri = "an artifact location is longer than MLflow's column; choose a shorter directory",
    /// Export: a key.
    UnusualKey = "a key has characters that MLflow refuses when logging; it is kept",
    /// Export: a file.
    UnusualPath = "a file's path has `#`, `?` or `%`, which newer clients of MLflow fail to download",
    /// Both: an experiment.
    ExperimentRenamed = "an experiment got another name, because its own is taken",
    /// Export: a label.
    TagReplaced = "a tag of MLflow's own had another value than the run says; the run's is kept",
    /// Export: a dataset in two roles.
    ContextDropped = "a run has a dataset in several contexts; MLflow keeps the first",
    /// Export: a dataset.
    DatasetDiffers = "a dataset is described differently by two runs; MLflow keeps the first",
    /// Export: a dataset's digest.
    DigestCut = "a digest is cut to 36 characters; an input's tag keeps it whole",
    /// Export: a model or version.
    ModelInTrash = "a model or version is in the trash, which MLflow does not have for them",
    /// Export: a stage.
    DevelopmentStage = "the stage Development is None there; the tag mlops.stage keeps it",
    /// Export: the history of stages.
    StageHistory = "who moved a version to which stage, and why, has no place there",
    /// Export: an alias.
    AliasKept = "an alias is none that MLflow allows; the tag mlops.aliases keeps it",
    /// Export: signature, metrics, environment, findings and the like of a version.
    VersionDocument = "a version knows more than MLflow has columns for; its tag mlops.manifest says where that is",

    /// Import: a run's status.
    StillRunning = "a run is RUNNING or SCHEDULED there and killed here; mlops.import.status keeps it",
    /// Import: a run's end.
    EndMissing = "a run that is over has no end; the time of its last point, or its start, is taken",
    /// Import: a run's start.
    StartMissing = "a run has no usable start; the time of its first point, or 1970, is taken",
    /// Import: a run's parent.
    ParentMissing = "a run's parent is in neither store; the tag mlflow.parentRunId stays",
    /// Import: a name, user or id.
    NameChanged = "a name cannot be one here and was changed; a tag keeps the original",
    /// Import: an input's label.
    InputTag = "a label of a dataset input has no counterpart",
    /// Import: a dataset's statistics.
    DatasetProfile = "a dataset's profile is more than its number of rows",
    /// Import: a dataset's type of source.
    DatasetSourceType = "a dataset's type of source has no counterpart",
    /// Import: an input's role.
    ContextMissing = "a dataset input does not say its context; here it is `unknown`",
    /// Import: a key.
    KeyRefused = "a key cannot be one here and was left out",
    /// Import: a value.
    ValueCut = "a value is too long, or holds NUL, and was cut",
    /// Import: a point.
    PointRefused = "a point has a step or time that cannot be stored",
    /// Import: a file or row.
    Malformed = "a file or row is malformed",
    /// Import: a run's files.
    ArtifactsUnreachable = "a run's artifacts are in a place that this import cannot read",
    /// Import: a file.
    ArtifactRefused = "a file is a link or has a name that cannot be stored",
    /// Import: points.
    HistoryConflict = "a run's points are not those of the last import and more; they are left alone",
    /// Import: a param.
    ParamConflict = "a param has another value here already; it is left alone",
    /// Import: a run, model or version.
    NotOfThisImport = "something of this id or name is here and came from elsewhere; it is left alone",
    /// Import: something in the trash.
    InTrash = "something is in the trash here and not there, or has changed; it is left alone",
    /// Import: a run, model or version.
    Refused = "something, or a part of it, was refused by the store",
    /// Import: a time.
    DeletionTime = "something is deleted there; here its deletion counts from this import",
    /// Import: a version's files.
    ModelFiles = "a version is not imported, because its files cannot be read; import the run that has them, say where the server keeps artifacts, or copy them to where its source says",
    /// Import: a version that MLflow has not finished, or could not.
    NotReady = "a version is not imported, because MLflow does not call it ready",
    /// Import: a version's run.
    RunMissing = "a version's run is not here; the tag mlflow.run_id keeps its id",
    /// Import: a version's signature.
    SignatureRefused = "a signature, or a part of it, cannot be said here and was left out",
    /// Import: a version that came from here.
    ManifestDiffers = "a version's files are not those that it was exported with; it is taken as MLflow shows it",
    /// Import: a version's stage.
    StageDiffers = "a version is in another stage there; promote it here, where policies are asked",
    /// Import: an alias.
    AliasRefused = "an alias names a version that is not here, or is none here; it was left out",
    /// Import: traces and the like.
    NoCounterpart = "something has no counterpart",
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Findings in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings(BTreeMap<FindingKind, (u64, Vec<String>)>);

impl Findings {
    /// Counts one; `example` is only made while few are known.
    pub(super) fn add(&mut self, kind: FindingKind, example: impl FnOnce() -> String) {
        self.add_many(kind, 1, example);
    }

    /// Counts several of which one stands for all.
    pub(super) fn add_many(
        &mut self,
        kind: FindingKind,
        count: u64,
        example: impl FnOnce() -> String,
    ) {
        if count == 0 {
            return;
        }
        let (total, examples) = self.0.entry(kind).or_default();
        *total += count;
        if examples.len() < EXAMPLES {
            let mut text = example();
            if let Some((end, _)) = text.char_indices().nth(EXAMPLE_CHARS) {
                text.truncate(end);
                text.push('…');
            }
            examples.push(text);
        }
    }

    /// The findings, by kind.
    pub(super) fn into_list(self) -> Vec<Finding> {
        let finding = |(kind, (count, examples))| Finding { kind, count, examples };
        self.0.into_iter().map(finding).collect()
    }
}
