//! The contract of an offline store: all rows that were ever written, and what was known when.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::keys::KeyBatch;
use super::order::{KnownAt, Visibility};
use super::table::{Table, TableId};
use crate::tracking::Digest;
use crate::validation::BatchStream;
use crate::{Key, Result};

/// Keeps the rows of tables, and answers what was known of a key at an instant.
///
/// # Contract
/// **Order.** Rows are ordered by [`WriteOrder`](super::WriteOrder); `seq` grows with each row of a table
/// that is appended, by any process, and is never given again. **Durability.** What was acknowledged
/// survives SIGKILL and power loss. **Atomicity.** An append is seen whole or not at all.
/// **Snapshot.** A read sees one manifest, whatever is written meanwhile. **Answer.** Depends on the rows
/// alone: not on how they are cut into segments, files and batches, on compaction, or on threads.
///
/// # Errors
/// `Invalid` names the column, the row or the value that is wrong. `Corrupt`: a segment is not what was
/// written. `NotFound`: a source's file is gone. `Unavailable`: the store did not answer; try again.
#[async_trait]
pub trait OfflineStore: Debug + Send + Sync + 'static {
    /// Appends rows, all or none.
    ///
    /// The batch has the table's keys, event time, perhaps the creation time, and columns, by their names in
    /// the source; other columns are ignored, and one that is missing is null.
    ///
    /// # Contract
    /// **Invalid.** A key, event time or column of a type that cannot hold it; a null in a key or event
    /// time; an event time further ahead of the clock than the table allows, or of parts of a
    /// microsecond; a table that is of files. **Created.** Where the source does not say, the instant of
    /// the append, which never goes back in a table. **Idempotence.** A token that was used before
    /// stores nothing, and returns what it returned then.
    async fn append(&self, table: &Table, batch: RecordBatch, options: Append) -> Result<Appended>;

    /// The segments of a table, now or at a position of before. A table that was never written, and one of
    /// files, is empty at position 0.
    ///
    /// # Contract
    /// **Missing.** A position that never was, or whose segments were erased, is `NotFound`.
    async fn manifest(&self, table: &TableId, position: Option<u64>) -> Result<Manifest>;

    /// Rows, as they were written: the keys, [`Table::EVENT_TIME`], [`Table::CREATED`], [`Table::SEQ`] and the
    /// columns that are asked for, brought to their types.
    ///
    /// # Contract
    /// **Order.** Segment after segment, by `seq`, whose ranges are disjoint; in a segment by key,
    /// event time, created, `seq`. No batch spans two segments. Rows of files in the order of the files;
    /// their `seq` is their place.
    async fn scan(&self, table: &Table, scan: Scan) -> Result<BatchStream>;

    /// What was known of each key at each instant: the point-in-time join of one table.
    ///
    /// # Contract
    /// **Rows.** One for each row that asks, in its order. **Winner.** The greatest write that can be seen;
    /// its null is the answer. **Keys.** A null in a key matches nothing.
    async fn as_of(&self, table: &Table, probe: Probe) -> Result<AsOf>;

    /// Merges segments. No answer changes; what was merged is deleted after `grace`.
    async fn compact(&self, table: &Table, options: Compaction) -> Result<CompactReport>;

    /// Takes away all rows of these keys, in every segment, of positions of before too.
    ///
    /// # Contract
    /// **Proof.** Returns what was rewritten. **Idempotence.** Keys without rows change nothing.
    /// **Readers.** Positions of before the erasure are `NotFound` afterwards.
    async fn erase(&self, table: &Table, keys: &KeyBatch) -> Result<Erased>;
}

/// How rows are appended.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Append {
    /// Names this append, so that it can be tried again without doubling its rows.
    pub token: Option<Key>,
}

impl Append {
    /// Names this append.
    pub fn with_token(mut self, token: Key) -> Self {
        self.token = Some(token);
        self
    }
}

/// What was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// How many rows.
    pub rows: u64,
    /// The first row's `seq`; the others follow.
    pub first_seq: u64,
    /// The position of the manifest that has them.
    pub position: u64,
}

/// The segments of a table at one position.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Grows by one with each change; 0 if there was none.
    pub position: u64,
    /// The `seq` of the next row.
    pub next_seq: u64,
    /// The greatest creation time that was ever stamped, in microseconds since 1970.
    pub last_created: i64,
    /// The segments, by `seq`; their ranges are disjoint.
    pub segments: Vec<Segment>,
    /// Tokens of appends, with what they returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<(Key, Appended)>,
}

/// An immutable file of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Segment {
    /// Where it is, below the store's root.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// How many rows.
    pub rows: u64,
    /// The least and the greatest `seq`.
    pub seq: (u64, u64),
    /// The least and the greatest event time.
    pub event_time: (i64, i64),
    /// The least and the greatest creation time.
    pub created: (i64, i64),
    /// How many distinct keys.
    pub keys: u64,
    /// What its columns hold.
    pub columns: Vec<SegmentColumn>,
}

/// What a column of a segment holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SegmentColumn {
    /// Its name.
    pub name: String,
    /// How many nulls.
    pub nulls: u64,
    /// How many NaNs.
    #[serde(default)]
    pub nans: u64,
    /// The least finite number, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest finite number, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean of the finite numbers, for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

impl Segment {
    /// A segment without columns; for backends.
    pub fn new(path: impl Into<String>, digest: Digest, bytes: u64, rows: u64) -> Self {
        Self {
            path: path.into(),
            digest,
            bytes,
            rows,
            seq: (0, 0),
            event_time: (0, 0),
            created: (0, 0),
            keys: 0,
            columns: Vec::new(),
        }
    }
}

/// Which rows are read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Scan {
    /// Columns of values, in this order; all, if not said.
    pub columns: Option<Vec<String>>,
    /// The manifest's position; the last, if not said.
    pub position: Option<u64>,
    /// Only this segment, by its path.
    pub segment: Option<String>,
    /// Only rows of a greater `seq`.
    pub after_seq: Option<u64>,
    /// Only rows of a lower `seq`: those of the log as it was before this one came.
    pub before_seq: Option<u64>,
    /// Only rows of event times from here, in microseconds since 1970.
    pub from: Option<i64>,
    /// Only rows of event times before this.
    pub until: Option<i64>,
    /// Only rows of these keys.
    pub keys: Option<Arc<KeyBatch>>,
}

/// Called now and then from the thread that does the work: so much of so much, if that is known.
pub type Watcher = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are done.
    pub rows: u64,
    /// Rows there are, where that is known.
    pub of: Option<u64>,
}

/// Who asks, of when.
#[derive(Clone)]
#[non_exhaustive]
pub struct Probe {
    /// A column for each key of the table, of [`KeyType::arrow`](super::KeyType::arrow).
    pub keys: Vec<ArrayRef>,
    /// The instant of each row: `Timestamp` of microseconds or nanoseconds, without nulls.
    pub times: ArrayRef,
    /// What can be seen.
    pub visibility: Visibility,
    /// What was known when.
    pub known_at: KnownAt,
    /// The columns of the answer.
    pub columns: Vec<String>,
    /// The manifest's position; the last, if not said.
    pub position: Option<u64>,
    /// Only rows of a lower `seq` answer: the answer of the log as it was before this one came, whatever
    /// was compacted since.
    pub before_seq: Option<u64>,
    /// Threads that read; 0 for as many as the machine has.
    pub threads: usize,
    /// Who is told how far it is.
    pub progress: Option<Watcher>,
}

impl Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("rows", &self.times.len())
            .field("visibility", &self.visibility)
            .field("known_at", &self.known_at)
            .field("columns", &self.columns)
            .field("position", &self.position)
            .field("before_seq", &self.before_seq)
            .finish_non_exhaustive()
    }
}

impl Probe {
    /// Of these keys at these times, everything that is known now, on one thread.
    pub fn new(keys: Vec<ArrayRef>, times: ArrayRef, columns: Vec<String>) -> Self {
        Self {
            keys,
            times,
            visibility: Visibility::default(),
            known_at: KnownAt::Now,
            columns,
            position: None,
            before_seq: None,
            threads: 1,
            progress: None,
        }
    }
}

/// What became of a row that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowStatus {
    /// A row answers.
    Found,
    /// There was none.
    NotFound,
    /// There was one, and it was too old.
    Expired,
}

/// The answer of a point-in-time join of one table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AsOf {
    /// One for each row that asked.
    pub rows: Vec<RowStatus>,
    /// The columns that were asked for; null where no row answers.
    pub columns: Vec<ArrayRef>,
    /// The event time of the winner, also of one that is expired, in microseconds since 1970 (`Int64`,
    /// nullable).
    pub event_time: ArrayRef,
    /// When the winner became known (`Int64`, nullable).
    pub created: ArrayRef,
    /// The manifest that was read.
    pub position: u64,
}

impl AsOf {
    /// For backends.
    pub fn new(
        rows: Vec<RowStatus>,
        columns: Vec<ArrayRef>,
        event_time: ArrayRef,
        created: ArrayRef,
        position: u64,
    ) -> Self {
        Self { rows, columns, event_time, created, position }
    }
}

/// How segments are merged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Compaction {
    /// Segments of at least so many rows are left as they are, unless `full`.
    pub target_rows: u64,
    /// Whether all segments become one.
    pub full: bool,
    /// How long files that were merged stay for readers that began before, in microseconds.
    pub grace: i64,
    /// Who is told how far it is.
    pub progress: Option<CompactionWatcher>,
}

/// A [`Watcher`] that prints as a word.
#[derive(Clone)]
pub struct CompactionWatcher(pub Watcher);

impl Debug for CompactionWatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

impl Default for Compaction {
    fn default() -> Self {
        Self { target_rows: 4_000_000, full: false, grace: 3_600_000_000, progress: None }
    }
}

impl Compaction {
    /// Makes one segment of all.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }

    /// Sets how long files that were merged stay, in microseconds.
    pub fn with_grace(mut self, micros: i64) -> Self {
        self.grace = micros;
        self
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// Segments that were merged.
    pub merged: u64,
    /// Segments that came of them.
    pub made: u64,
    /// Rows of these.
    pub rows: u64,
    /// Files of before that were deleted, because their time was over.
    pub deleted: u64,
    /// The position afterwards.
    pub position: u64,
}

impl CompactReport {
    /// For backends.
    pub fn new(merged: u64, made: u64, rows: u64, deleted: u64, position: u64) -> Self {
        Self { merged, made, rows, deleted, position }
    }
}

/// What an erasure did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Erased {
    /// Rows that were taken away.
    pub rows: u64,
    /// Segments that were rewritten: before, and after if anything was left.
    pub rewritten: Vec<(String, Option<String>)>,
    /// Files that were deleted, those of positions of before among them.
    pub deleted: Vec<String>,
    /// The position afterwards.
    pub position: u64,
}
