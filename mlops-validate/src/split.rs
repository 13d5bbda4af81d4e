//! Which rows of a batch are good, and what is wrong with the others.
//!
//! The answer of one batch alone: rules that judge rows by themselves. What needs more than a row (a key
//! that is there twice, a sum) is not asked here, and neither are checks of severity `warn`.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::filter_record_batch;
use mlops_core::validation::Severity;
use mlops_core::{Error, ErrorKind, Result};

use crate::bits;
use crate::kernel::{CHUNK, Cache, Chunk, Judged};
use crate::plan::{Body, Plan};
use crate::state::check_schema;
use crate::tally::Tally;

/// A batch in two.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Rows that no check of severity `error` fails, in their order.
    pub good: RecordBatch,
    /// The others, in their order.
    pub bad: RecordBatch,
    /// The checks that each bad row fails, by name, in the suite's order.
    pub reasons: Vec<Vec<String>>,
}

impl Plan {
    /// Parts the good rows of a batch from the bad, at serving time or in a stream.
    ///
    /// Only rules that judge rows by themselves are asked, those of severity `error`; `mostly` counts
    /// for nothing here, because a row does not know of the others.
    ///
    /// # Errors
    /// `Invalid` if the batch is of another schema.
    pub fn split(&self, batch: &RecordBatch) -> Result<Split> {
        check_schema(self, batch)?;
        let mut blamer = Blamer::new(self);
        let mut failed = Vec::with_capacity(bits::words(batch.num_rows()));
        let mut reasons = Vec::new();
        for start in (0..batch.num_rows()).step_by(CHUNK) {
            let chunk = batch.slice(start, CHUNK.min(batch.num_rows() - start));
            let blamed = blamer.judge(&chunk, start as u64)?;
            reasons.extend(blamed.reasons().map(|checks| {
                checks.iter().map(|check| self.0.checks[*check].name.clone()).collect()
            }));
            // A chunk is a whole number of words, the last apart.
            failed.extend(blamed.failed);
        }
        let bad = mask(failed, batch.num_rows());
        let good = BooleanArray::new(!bad.values(), None);
        Ok(Split { good: pick(batch, &good)?, bad: pick(batch, &bad)?, reasons })
    }
}

/// Judges rows again, to say which checks each of them fails.
#[derive(Debug)]
pub(crate) struct Blamer {
    plan: Plan,
    columns: Vec<Option<ArrayRef>>,
    filters: Vec<Vec<u64>>,
    caches: Vec<Cache>,
    judged: Judged,
}

/// The rows of a chunk that fail.
#[derive(Debug)]
pub(crate) struct Blamed {
    /// Those that fail anything.
    pub(crate) failed: Vec<u64>,
    /// Those that fail each check, by its number, ascending.
    pub(crate) by_check: Vec<(usize, Vec<u64>)>,
}

impl Blamed {
    /// For each failing row, in order, the checks that it fails.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        bits::rows(&self.failed).map(|row| {
            self.by_check
                .iter()
                .filter(|(_, mask)| bits::get(mask, row))
                .map(|(check, _)| *check)
                .collect()
        })
    }
}

impl Blamer {
    /// Of a plan's row rules.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            columns: Vec::new(),
            filters: Vec::new(),
            caches: Vec::new(),
            judged: Judged::default(),
        }
    }

    /// Judges at most [`CHUNK`] rows of the plan's schema.
    pub(crate) fn judge(&mut self, batch: &RecordBatch, first_row: u64) -> Result<Blamed> {
        let Self { plan, columns, filters, caches, judged } = self;
        let plan = &*plan.0;
        let rows = batch.num_rows();
        plan.slots.fill(batch, |_| true, columns)?;
        let chunk = Chunk { columns: &columns[..], rows, first_row };
        filters.resize_with(plan.filters.len(), Vec::new);
        for (filter, mask) in plan.filters.iter().zip(&mut *filters) {
            filter.rows_where_true(&chunk, mask)?;
        }
        caches.resize_with(plan.checks.len(), Cache::default);
        let mut blamed = Blamed { failed: Vec::new(), by_check: Vec::new() };
        bits::clear(&mut blamed.failed, rows);
        for ((number, check), cache) in plan.checks.iter().enumerate().zip(caches) {
            let Body::Rows { rule, nulls, .. } = &check.body else { continue };
            if plan.severity(number) != Severity::Error {
                continue;
            }
            judged.reset(rows);
            rule.judge(&chunk, cache, judged)?;
            let eligible = check.filter.map(|filter| &filters[filter][..]);
            // Counting applies the policies; the counts themselves are known already.
            Tally::default().count(judged, eligible, *nulls, rows);
            if bits::any(&judged.failed) {
                bits::or(&mut blamed.failed, &judged.failed);
                blamed.by_check.push((number, judged.failed.clone()));
            }
        }
        Ok(blamed)
    }
}

/// A mask as an array.
pub(crate) fn mask(words: Vec<u64>, rows: usize) -> BooleanArray {
    let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
    BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows), None)
}

/// The rows of a mask.
pub(crate) fn pick(batch: &RecordBatch, rows: &BooleanArray) -> Result<RecordBatch> {
    filter_record_batch(batch, rows).map_err(|source| {
        Error::new(ErrorKind::Unsupported, "validate", "rows of this schema cannot be picked")
            .with_source(source)
    })
}
