//! Who asks the whole store, what for, and what comes back.

use std::fmt;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::offline::{RowStatus, Watcher};
use super::order::KnownAt;
use super::service::ServiceRef;
use super::table::TableId;
use super::types::FeatureName;
use crate::time::Instant;
use crate::tracking::Digest;

/// The rows that ask for a training set: keys, an instant each, and whatever else should come along.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EntityRows {
    /// The rows.
    pub batch: RecordBatch,
    /// The column with the instants: timestamps of any unit; those without a zone are UTC.
    pub event_time: String,
}

impl EntityRows {
    /// Rows whose instants are in the column `event_time`.
    pub fn new(batch: RecordBatch) -> Self {
        Self { batch, event_time: "event_time".to_owned() }
    }

    /// Names the column with the instants.
    pub fn at(mut self, column: impl Into<String>) -> Self {
        self.event_time = column.into();
        self
    }
}

/// How a training set is made.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Historical {
    /// What was known when.
    pub known_at: KnownAt,
    /// Whether each view's status and times come as columns: `view__status`, `view__event_time`,
    /// `view__created`.
    pub statuses: bool,
    /// Only the rows of one bucket: `(i, n)` with i < n. All of them together are the whole answer.
    pub bucket: Option<(u32, u32)>,
    /// The positions of a receipt: the same training set as then.
    pub receipt: Option<Receipt>,
    /// Threads; 0 for as many as the machine has.
    pub threads: usize,
    /// Who is told how far it is.
    pub progress: Option<Watcher>,
}

impl fmt::Debug for Historical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Historical")
            .field("known_at", &self.known_at)
            .field("statuses", &self.statuses)
            .field("bucket", &self.bucket)
            .field("receipt", &self.receipt)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Historical {
    /// Sets what was known when.
    pub fn known_at(mut self, known_at: KnownAt) -> Self {
        self.known_at = known_at;
        self
    }

    /// Asks for statuses and times as columns.
    pub fn with_statuses(mut self) -> Self {
        self.statuses = true;
        self
    }

    /// Asks for the rows of bucket `i` of `n` alone.
    pub fn bucket(mut self, i: u32, n: u32) -> Self {
        self.bucket = Some((i, n));
        self
    }

    /// Asks for the same training set as then.
    pub fn as_in(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    /// Sets how many threads work; 0 for as many as the machine has.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }
}

/// A training set: the rows that asked, with their features.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrainingSet {
    /// The rows that asked, in their order and with all their columns, then the features.
    pub batch: RecordBatch,
    /// How it was made, so that it can be made again.
    pub receipt: Receipt,
}

impl TrainingSet {
    /// For the engine.
    pub fn new(batch: RecordBatch, receipt: Receipt) -> Self {
        Self { batch, receipt }
    }
}

/// How a training set was made: with the same rows that ask, it can be made again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The service and its version.
    pub service: ServiceRef,
    /// The version's digest.
    pub plan: Digest,
    /// The rows that were read.
    pub tables: Vec<ReceiptTable>,
    /// What was known when.
    pub known_at: KnownAt,
    /// BLAKE3 of the rows that asked: their keys, instants and request columns.
    pub entities: Digest,
    /// How many they were.
    pub rows: u64,
    /// When it was made.
    pub at: Instant,
}

/// The rows of one view that were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReceiptTable {
    /// The view.
    pub view: FeatureName,
    /// Its table.
    pub table: TableId,
    /// The manifest's position; for files 0.
    pub position: u64,
    /// BLAKE3 of the manifest's segments; of the names of files, which are taken not to change.
    pub digest: Digest,
}

impl Receipt {
    /// For the engine.
    pub fn new(
        service: ServiceRef,
        plan: Digest,
        known_at: KnownAt,
        entities: Digest,
        rows: u64,
        at: Instant,
    ) -> Self {
        Self { service, plan, tables: Vec::new(), known_at, entities, rows, at }
    }

    /// BLAKE3 of all but the instant when it was made: two training sets of one digest are equal, as long as
    /// files that are not the store's stay as they are.
    pub fn digest(&self) -> Digest {
        let same = Self { at: Instant::default(), ..self.clone() };
        let text = serde_json::to_string(&same).unwrap_or_default();
        Digest(*blake3::hash(text.as_bytes()).as_bytes())
    }
}

impl ReceiptTable {
    /// For the engine.
    pub fn new(view: FeatureName, table: TableId, position: u64, digest: Digest) -> Self {
        Self { view, table, position, digest }
    }
}

/// What one value of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A value.
    Present,
    /// The winner's null.
    Null,
    /// No row was there.
    NotFound,
    /// The row that was there is too old.
    Expired,
}

impl Status {
    /// Of a value in a row of this status.
    pub fn of(row: RowStatus, is_null: bool) -> Self {
        match row {
            RowStatus::Found if is_null => Self::Null,
            RowStatus::Found => Self::Present,
            RowStatus::NotFound => Self::NotFound,
            RowStatus::Expired => Self::Expired,
        }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Null => "null",
            Self::NotFound => "not_found",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OnlineAnswer {
    /// The features, one row for each that asked, in order. Without the columns of the request.
    pub batch: RecordBatch,
    /// For each view of the service, in its order, what became of each row.
    pub views: Vec<Vec<RowStatus>>,
}

impl OnlineAnswer {
    /// For the engine.
    pub fn new(batch: RecordBatch, views: Vec<Vec<RowStatus>>) -> Self {
        Self { batch, views }
    }
}
