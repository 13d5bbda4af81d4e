//! `all_or_none`, `mutually_exclusive`, `row_completeness`: how many of some columns are there.

use mlops_core::Result;

use super::nulls::or_null_rows;
use crate::bits;
use crate::kernel::{Cache, Chunk, Judged, RowRule};

/// How many of the columns must not be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// All of them, or none.
    AllOrNone,
    /// At least so many, and at most so many.
    Between(u64, u64),
}

/// Counts the columns of a row that are not null.
#[derive(Debug)]
pub(crate) struct FilledRule {
    pub(crate) slots: Vec<usize>,
    pub(crate) filled: Filled,
}

impl RowRule for FilledRule {
    fn judge(&self, chunk: &Chunk<'_>, cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let Filled::Between(min, max) = self.filled else {
            return self.all_or_none(chunk, cache, out);
        };
        let mut counts = vec![0_u64; chunk.rows];
        for slot in &self.slots {
            let null = &mut cache.spare.null;
            bits::clear(null, chunk.rows);
            or_null_rows(chunk.column(*slot)?, null);
            for (row, count) in counts.iter_mut().enumerate() {
                *count += u64::from(!bits::get(null, row));
            }
        }
        for (row, count) in counts.into_iter().enumerate() {
            if count < min || count > max {
                bits::set(&mut out.failed, row);
            }
        }
        Ok(())
    }
}

impl FilledRule {
    /// A row fails if one of its columns is null and another is not.
    fn all_or_none(&self, chunk: &Chunk<'_>, cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let Judged { null: any_null, skipped: all_null, .. } = &mut cache.spare;
        bits::clear(any_null, chunk.rows);
        bits::fill(all_null, chunk.rows);
        let mut column = Vec::new();
        for slot in &self.slots {
            bits::clear(&mut column, chunk.rows);
            or_null_rows(chunk.column(*slot)?, &mut column);
            bits::or(any_null, &column);
            bits::and(all_null, &column);
        }
        bits::or(&mut out.failed, any_null);
        bits::and_not(&mut out.failed, all_null);
        Ok(())
    }
}
