//! Runs, and what hangs on them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metric::MetricSummary;
use crate::time::Instant;
use crate::{ArtifactPath, Error, ExperimentId, Key, Result, RunId, RunName};

/// Longest value of a param or tag, and longest note, in bytes.
pub const MAX_VALUE_BYTES: usize = 65_536;

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// Its process holds the lease and may log.
    Running,
    /// It said that it was done.
    Finished,
    /// It said that it failed.
    Failed,
    /// Its handle was dropped, or somebody stopped it.
    Killed,
    /// Its process vanished; found by a later opener. Its data is kept and it can be resumed.
    Lost,
}

impl RunStatus {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Finished, Self::Failed, Self::Killed, Self::Lost];

    /// The state in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            Error::invalid("run_status", "is none of running, finished, failed, killed, lost")
                .with("status", text.escape_debug())
        })
    }
}

/// Who may write a run's points, and until when without renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The machine's name; only a process there can tell at once whether the owner lives.
    pub host: String,
    /// The process.
    pub process: u32,
    /// After this instant anyone may call the run lost.
    pub until: Instant,
}

/// One tracked execution, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Run {
    /// Names it for ever.
    pub id: RunId,
    /// The experiment that it belongs to.
    pub experiment: ExperimentId,
    /// The run that it is nested in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// Its name; need not be unique.
    pub name: RunName,
    /// What became of it.
    pub status: RunStatus,
    /// Who started it.
    pub user: String,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Instant>,
    /// When it went to the trash, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Instant>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Who writes it, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// What it was told to do; each written once.
    pub params: BTreeMap<Key, String>,
    /// Free labels.
    pub tags: BTreeMap<Key, String>,
    /// The summary of each metric.
    pub metrics: BTreeMap<Key, MetricSummary>,
    /// The data that it read.
    pub inputs: Vec<DatasetInput>,
}

impl Run {
    /// A running run with nothing on it; for backends.
    pub fn new(id: RunId, experiment: ExperimentId, name: RunName, started: Instant) -> Self {
        Self {
            id,
            experiment,
            parent: None,
            name,
            status: RunStatus::Running,
            user: String::new(),
            started,
            ended: None,
            deleted: None,
            note: String::new(),
            lease: None,
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
            metrics: BTreeMap::new(),
            inputs: Vec::new(),
        }
    }

    /// Seconds from start to end, once it has ended.
    pub fn duration_secs(&self) -> Option<f64> {
        let ended = self.ended?;
        Some((ended.timestamp_micros() - self.started.timestamp_micros()) as f64 / 1e6)
    }
}

/// What a new run has from the start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateRun {
    /// Its id; creating it again with the same id is harmless.
    pub id: RunId,
    /// The experiment that it belongs to.
    pub experiment: ExperimentId,
    /// The run that it is nested in; must exist in the same workspace.
    pub parent: Option<RunId>,
    /// Its name; the last eight digits of the id if absent.
    pub name: Option<RunName>,
    /// Who started it.
    pub user: String,
    /// When it started; now if absent.
    pub started: Option<Instant>,
    /// Who writes it.
    pub lease: Option<Lease>,
    /// Params known at the start.
    pub params: BTreeMap<Key, String>,
    /// Labels known at the start.
    pub tags: BTreeMap<Key, String>,
}

impl CreateRun {
    /// A run of this id in this experiment.
    pub fn new(id: RunId, experiment: ExperimentId) -> Self {
        Self {
            id,
            experiment,
            parent: None,
            name: None,
            user: String::new(),
            started: None,
            lease: None,
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Nests it in another run.
    pub fn with_parent(mut self, parent: RunId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Names it.
    pub fn with_name(mut self, name: RunName) -> Self {
        self.name = Some(name);
        self
    }

    /// Says who started it.
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Says when it started.
    pub fn with_started(mut self, started: Instant) -> Self {
        self.started = Some(started);
        self
    }

    /// Says who writes it.
    pub fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Adds a param.
    pub fn with_param(mut self, key: Key, value: impl Into<String>) -> Self {
        self.params.insert(key, value.into());
        self
    }

    /// Adds a label.
    pub fn with_tag(mut self, key: Key, value: impl Into<String>) -> Self {
        self.tags.insert(key, value.into());
        self
    }
}

/// What a run used a dataset for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum DatasetContext {
    /// To fit.
    Train,
    /// To choose.
    Validation,
    /// To judge.
    Test,
    /// Anything else, by name.
    Other(String),
}

impl DatasetContext {
    /// The context in lower case.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for DatasetContext {
    fn from(text: String) -> Self {
        match text.as_str() {
            "train" => Self::Train,
            "validation" => Self::Validation,
            "test" => Self::Test,
            _ => Self::Other(text),
        }
    }
}

impl From<DatasetContext> for String {
    fn from(context: DatasetContext) -> Self {
        context.as_str().to_owned()
    }
}

/// A dataset that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatasetInput {
    /// The dataset's name.
    pub name: Key,
    /// The digest of its content, with its method before it: `blake3:…`, `sha256:…`.
    pub digest: Key,
    /// What the run used it for.
    pub context: DatasetContext,
    /// Where it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its columns, as JSON: usually an object from name to type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// How many rows it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

impl DatasetInput {
    /// A dataset of this name and digest.
    pub fn new(name: Key, digest: Key, context: DatasetContext) -> Self {
        Self { name, digest, context, source: None, schema: None, rows: None }
    }

    /// Says where it was read from.
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Describes its columns.
    pub fn with_schema(mut self, schema: serde_json::Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Says how many rows it has.
    pub fn with_rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }
}

/// A BLAKE3 digest; prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid("digest", "is not 64 hexadecimal digits")
                .with("digest", text.escape_debug())
        };
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Where an immutable object lies within the blob store.
///
/// Every upload has a place of its own, even of equal bytes: so deleting an object that nobody names
/// can never hit one that somebody is just about to name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobLocation(pub String);

/// Immutable bytes in the blob store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// The digest of the bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// Where they lie.
    pub location: BlobLocation,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Where it lies within the run.
    pub path: ArtifactPath,
    /// Its bytes.
    #[serde(flatten)]
    pub blob: Blob,
    /// When it was put there.
    pub created: Instant,
}
