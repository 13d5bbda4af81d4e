//! What a check becomes when it is compiled.
//!
//! A suite compiles into two lists. **Row rules** judge the rows of a chunk into masks and remember
//! nothing: counting, filters, tolerance, samples and quarantine are the same for all of them and are
//! done by [`crate::State`]. **Folds** take the rows into a [`Memory`] that merges: keys, sums, bins.
//! Several checks may share one fold. A chunk has at most [`CHUNK`] rows, so that what several kernels
//! look at is still in the cache.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::ArrayRef;
use mlops_core::Result;
use mlops_core::validation::{Counts, Sample, Status};
use serde_json::Value;

use crate::bits;
use crate::memory::Memory;

/// Most rows that are judged at once.
pub(crate) const CHUNK: usize = 8192;

/// Some rows that follow one another. A slot is a column that the suite looks at; it is empty where
/// statistics have decided every check that would look.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// By slot.
    pub(crate) columns: &'a [Option<ArrayRef>],
    /// How many rows.
    pub(crate) rows: usize,
    /// The number of the first row.
    pub(crate) first_row: u64,
}

impl Chunk<'_> {
    /// The column of a slot. An empty one is a bug of whoever reads the data.
    pub(crate) fn column(&self, slot: usize) -> Result<&ArrayRef> {
        self.columns.get(slot).and_then(Option::as_ref).ok_or_else(|| {
            mlops_core::Error::new(
                mlops_core::ErrorKind::Internal,
                "validate",
                "a column that a check looks at was not read",
            )
            .with("slot", slot)
        })
    }
}

/// What a row rule says of a chunk. Both masks come in as zeros, one bit a row.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Rows that break the rule.
    pub(crate) failed: Vec<u64>,
    /// Rows that have nothing to judge: a null. The check's policy decides what they count as.
    pub(crate) null: Vec<u64>,
    /// Rows that are left out for another reason (a NaN that the check skips); they count as skipped.
    pub(crate) skipped: Vec<u64>,
}

impl Judged {
    /// Nothing failed yet, of `rows` rows.
    pub(crate) fn reset(&mut self, rows: usize) {
        bits::clear(&mut self.failed, rows);
        bits::clear(&mut self.null, rows);
        bits::clear(&mut self.skipped, rows);
    }
}

/// What was found out about the values of a column, and is cheap to ask again: a dictionary that many
/// chunks share is judged once. One for each row rule and thread.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// The dictionary; kept, so that its address cannot be another's.
    pub(crate) values: Option<ArrayRef>,
    /// What was said of its values.
    pub(crate) judged: Judged,
    /// Room for masks.
    pub(crate) spare: Judged,
}

/// A rule that judges rows one by one.
pub(crate) trait RowRule: Debug + Send + Sync {
    /// Judges the rows of a chunk.
    fn judge(&self, chunk: &Chunk<'_>, cache: &mut Cache, out: &mut Judged) -> Result<()>;

    /// What can be said of rows that were not read.
    fn prove(&self, _facts: &Facts<'_>) -> Proof {
        Proof::Open
    }

    /// What it wants to remember of rows that failed.
    fn memory(&self) -> Memory {
        Memory::None
    }

    /// Remembers rows that failed: those of `failed`, the filter applied.
    fn remember(&self, _chunk: &Chunk<'_>, _failed: &[u64], _memory: &mut Memory) -> Result<()> {
        Ok(())
    }

    /// What is worth saying beside the counts.
    fn detail(&self, _memory: &Memory) -> Option<String> {
        None
    }
}

/// A rule that needs more than a row.
pub(crate) trait Fold: Debug + Send + Sync {
    /// What it knows before the first row.
    fn memory(&self) -> Memory;

    /// Takes in the rows of a chunk: those of `eligible`, or all.
    fn fold(&self, chunk: &Chunk<'_>, eligible: Option<&[u64]>, memory: &mut Memory) -> Result<()>;

    /// Takes in rows that were not read; `false` if it cannot.
    fn absorb(&self, _facts: &Facts<'_>, _memory: &mut Memory) -> bool {
        false
    }

    /// Whether it blames rows when all have been seen: [`Fold::second_pass`].
    fn blames_later(&self) -> bool {
        false
    }

    /// Whether it comes to no verdict without [`Fold::refine`].
    fn needs_refining(&self) -> bool {
        false
    }

    /// What is to be remembered in a second pass over the same rows, in the place of `memory`.
    fn refine(&self, _memory: &Memory) -> Option<Arc<dyn Fold>> {
        None
    }

    /// A rule that blames rows, for a second pass, if some are to be blamed.
    fn second_pass(&self, _memory: &Memory) -> Option<Arc<dyn RowRule>> {
        None
    }
}

/// What a check of folds says in the end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) status: Status,
    /// `filtered` is set by who calls.
    pub(crate) counts: Counts,
    pub(crate) observed: Option<Value>,
    pub(crate) detail: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

impl Finding {
    /// Nothing more than a status.
    pub(crate) fn plain(status: Status) -> Self {
        Self {
            status,
            counts: Counts::default(),
            observed: None,
            detail: None,
            samples: Vec::new(),
        }
    }

    pub(crate) fn with_observed(mut self, observed: impl Into<Value>) -> Self {
        self.observed = Some(observed.into());
        self
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// What a file says about some rows without their values being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// How many rows.
    pub(crate) rows: u64,
    /// By slot.
    pub(crate) columns: &'a [ColumnFacts],
}

/// What a file says about one column of some rows. Everything may be unknown, and what is not known
/// proves nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnFacts {
    /// How many are null.
    pub(crate) nulls: Option<u64>,
    /// Two values, of the column's type, between which all values that are no NaN lie.
    pub(crate) ends: Option<ArrayRef>,
    /// Whether both ends are values of the column, not merely bounds.
    pub(crate) ends_are_values: bool,
    /// Whether no value is NaN; true for types that have none.
    pub(crate) no_nan: bool,
    /// Values, of the column's type or of its dictionary's, among which all values are.
    pub(crate) values: Option<ArrayRef>,
}

/// What facts say about a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing: the rows must be read.
    Open,
    /// So many rows fail, and so many are null; the others pass.
    Counted {
        /// How many fail.
        failed: u64,
        /// How many have nothing to judge.
        null: u64,
    },
}
