//! `not_null` and `is_null`.

use arrow::array::Array;
use arrow::datatypes::DataType;
use mlops_core::Result;

use crate::bits;
use crate::kernel::{Cache, Chunk, Facts, Judged, Proof, RowRule};

/// Values are null, or they are not; a failure either way is a row's.
#[derive(Debug)]
pub(crate) struct NullRule {
    pub(crate) slot: usize,
    /// Whether a null is what fails.
    pub(crate) null_fails: bool,
}

impl RowRule for NullRule {
    fn judge(&self, chunk: &Chunk<'_>, _cache: &mut Cache, out: &mut Judged) -> Result<()> {
        or_null_rows(chunk.column(self.slot)?, &mut out.failed);
        if !self.null_fails {
            for word in &mut out.failed {
                *word = !*word;
            }
            bits::trim(&mut out.failed, chunk.rows);
        }
        Ok(())
    }

    fn prove(&self, facts: &Facts<'_>) -> Proof {
        match facts.columns.get(self.slot).and_then(|column| column.nulls) {
            Some(nulls) => {
                let failed = if self.null_fails { nulls } else { facts.rows - nulls };
                Proof::Counted { failed, null: 0 }
            }
            None => Proof::Open,
        }
    }
}

/// Sets the bits of rows whose value is null, also where the null is in the dictionary.
pub(crate) fn or_null_rows(column: &dyn Array, mask: &mut [u64]) {
    match column.data_type() {
        DataType::Dictionary(..) | DataType::Null | DataType::RunEndEncoded(..) => {
            bits::or_nulls(mask, column.logical_nulls().as_ref());
        }
        _ => bits::or_nulls(mask, column.nulls()),
    }
}
