//! The journal: every change of metadata, once, in commit order.
//!
//! It is the audit trail, the change feed, the replication stream and the source of lineage at the
//! same time, because a backend writes the row in the transaction of the change itself. Sealed runs
//! of rows are chained by hash, so a later edit shows.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::lineage::Node;
use crate::time::Instant;
use crate::{Error, ErrorKind, Key, Result};

/// Who did it: `ann@laptop`, `ci/build-42`. Free text of 1 to 250 bytes; not authenticated here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(Key);

impl Actor {
    /// Checks the text as [`Key::new`] does.
    ///
    /// # Errors
    /// `Invalid` if it is empty, over-long or contains control characters.
    pub fn new(text: impl AsRef<str>) -> Result<Self> {
        Key::new(text).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One row of the journal: one change that committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the journal: 1, 2, 3, … without holes.
    pub sequence: u64,
    /// When it was written, by the writer's clock; may step back, `sequence` never does.
    pub at: Instant,
    /// Who made the change.
    pub actor: Actor,
    /// What was done: `run.create`, `run.update`, `experiment.delete`, …
    pub operation: String,
    /// What it was done to.
    pub node: Node,
    /// The change itself; metric points appear as their chunk's digest and counts.
    pub payload: serde_json::Value,
}

/// What [`Journal::verify`] proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalProof {
    /// How many rows there are; their numbers have no hole.
    pub events: u64,
    /// How many of them are covered by the hash chain; the rest are newer than the last seal.
    pub sealed: u64,
    /// The hash at the chain's end, in hexadecimal; empty if nothing is sealed.
    pub head: String,
}

/// Reading and proving the journal.
#[async_trait]
pub trait Journal: Debug + Send + Sync + 'static {
    /// At most `limit` events after position `after` (0: from the start), in order.
    ///
    /// # Contract
    /// **Ordering.** Ascending, without holes; an event that was returned never changes, and no event
    /// with a smaller number appears later.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>>;

    /// The number of the last row; 0 if there is none.
    async fn last(&self) -> Result<u64>;

    /// How far the reader of this name has come: 0 for an unknown one.
    async fn position(&self, reader: &Key) -> Result<u64>;

    /// Notes that a reader has dealt with everything up to `to`. Writes no row: it is no change of
    /// metadata, and a feed of the journal would never end.
    ///
    /// # Contract
    /// **Conflict.** The reader's position is not `from`: another process reads under the same name.
    /// **Invalid.** `to` is less than `from`, or beyond the last row.
    async fn advance(&self, reader: &Key, from: u64, to: u64) -> Result<()>;

    /// Chains every row that is not chained yet, and returns the proof of the whole.
    async fn seal(&self) -> Result<JournalProof>;

    /// Recomputes the chain over all rows.
    ///
    /// # Contract
    /// **Corrupt.** A missing, changed, added or reordered row under a seal is an error that names
    /// the first bad position; so is a hole in the numbers.
    async fn verify(&self) -> Result<JournalProof>;
}

/// Checks that a reader may advance, for backends: `position` is where it is, `last` the last row.
///
/// # Errors
/// As [`Journal::advance`].
pub fn check_advance(reader: &Key, position: u64, from: u64, to: u64, last: u64) -> Result<()> {
    let op = "journal.advance";
    if to < from || to > last {
        return Err(Error::invalid(op, "a reader can only go on, and not beyond the last row")
            .with("reader", reader)
            .with("from", from)
            .with("to", to)
            .with("last", last));
    }
    if position == from {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, op, "the reader is at another position")
        .with("reader", reader)
        .with("expected", from)
        .with("found", position)
        .with_hint("another process reads under the same name; read the position again"))
}

/// Appends the bytes of one row that are hashed: each text with its length before it, so that no two
/// different rows have the same bytes. `payload` is the JSON text as the backend stores it.
pub fn canonical_bytes(
    sequence: u64,
    at_micros: i64,
    [actor, operation, node, payload]: [&str; 4],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&at_micros.to_le_bytes());
    for field in [actor, operation, node, payload] {
        out.extend_from_slice(&(field.len() as u64).to_le_bytes());
        out.extend_from_slice(field.as_bytes());
    }
}
