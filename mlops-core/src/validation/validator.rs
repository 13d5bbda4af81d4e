//! The contract.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Data, History, Report, Suite};
use crate::time::Instant;
use crate::{Key, Result};

/// Is this data fit to use, and exactly which rows are not?
///
/// **Answer.** The report depends on the suite, the rows and [`Validation`]'s fields alone: not on how
/// the rows are cut into batches or files, how their columns are encoded, or how many threads read
/// them. The order of rows matters to `ordered` and to which rows are samples. **Before work.** What a
/// schema can tell (an unknown column, a type that a rule cannot judge, an expression that does not
/// parse) is an error before any value is read. **Failure.** A failed check is a value in the report.
/// An `Err` means that the data could not be judged; nothing is left behind then, no half-written
/// quarantine.
///
/// # Errors
/// `Invalid`: the suite does not fit the data, a batch of a stream has another schema, or the rule needs
/// something that was not handed in (it says which reference, profile or function). `NotFound`: a file
/// is not there and no `source` check asks for it. `Corrupt`: a file cannot be read to its end.
/// `Unavailable`: the store did not answer; try again. `Unsupported`: a format or scheme that is not
/// compiled in.
#[async_trait]
pub trait Validator: Debug + Send + Sync + 'static {
    /// Runs `suite` over the data.
    async fn validate(&self, suite: &Suite, validation: Validation) -> Result<Report>;

    /// Whether the suite could be run over this validation's data: all that can be said without
    /// reading values. Every fault that is found is named in the message.
    async fn check(&self, suite: &Suite, validation: Validation) -> Result<()>;
}

/// What a suite is run over, and what its rules may ask for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Validation {
    /// The data.
    pub data: Data,
    /// What the report calls it; for files, the first URL if not given.
    pub name: Option<String>,
    /// Its digest, for the report.
    pub digest: Option<Key>,
    /// Other tables, by the names that rules call them.
    pub references: BTreeMap<String, Data>,
    /// Profiles of good data, by the names that rules call them.
    pub profiles: BTreeMap<String, Value>,
    /// What earlier runs measured.
    pub history: History,
    /// Values of `:name` in SQL expressions.
    pub parameters: BTreeMap<String, super::Literal>,
    /// When this is: what ages are counted from.
    pub now: Instant,
    /// How it is done.
    pub options: Options,
}

impl Validation {
    /// Of `data`, at `now`, with nothing else.
    pub fn new(data: impl Into<Data>, now: Instant) -> Self {
        Self {
            data: data.into(),
            name: None,
            digest: None,
            references: BTreeMap::new(),
            profiles: BTreeMap::new(),
            history: History::default(),
            parameters: BTreeMap::new(),
            now,
            options: Options::default(),
        }
    }

    /// Says what the report calls the data.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Hands in another table.
    pub fn with_reference(mut self, name: impl Into<String>, data: impl Into<Data>) -> Self {
        self.references.insert(name.into(), data.into());
        self
    }

    /// Hands in a profile of good data.
    pub fn with_profile(mut self, name: impl Into<String>, profile: Value) -> Self {
        self.profiles.insert(name.into(), profile);
        self
    }

    /// Hands in what earlier runs measured.
    pub fn with_history(mut self, history: History) -> Self {
        self.history = history;
        self
    }

    /// Gives `:name` of SQL expressions a value.
    pub fn with_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<super::Literal>,
    ) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Says how it is done.
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }
}

/// Which values a report may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redaction {
    /// All.
    #[default]
    None,
    /// None of these columns'; samples that name one of them say so.
    Columns(BTreeSet<String>),
    /// None at all: samples have row numbers only.
    All,
}

/// How far a validation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are done.
    pub rows: u64,
    /// Rows there are, where that is known.
    pub of: Option<u64>,
}

/// Called now and then from the thread that does the work.
type Watcher = Arc<dyn Fn(Progress) + Send + Sync>;

/// How a validation is done.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Failing rows that are kept for each check; at most 1,000.
    pub samples: usize,
    /// Which values the report may show.
    pub redaction: Redaction,
    /// Threads that judge rows; 0 for as many as the machine has.
    pub threads: usize,
    /// Where rows that fail a check of severity `error` go, with their reasons, as one Parquet file. It appears whole or not at
    /// all.
    pub quarantine: Option<String>,
    /// Whether statistics of files may decide.
    pub statistics: bool,
    /// Who is told how far it is.
    pub progress: Option<Watcher>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            samples: 5,
            redaction: Redaction::None,
            threads: 1,
            quarantine: None,
            statistics: true,
            progress: None,
        }
    }
}

impl Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("samples", &self.samples)
            .field("redaction", &self.redaction)
            .field("threads", &self.threads)
            .field("quarantine", &self.quarantine)
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}
