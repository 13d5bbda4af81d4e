//! The columns of an answer, filled in any order of rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use mlops_core::features::{FeatureType, RowStatus};
use mlops_core::{Error, Result};

use super::acc::Acc;
use super::plan::WindowPlan;
use super::value::Cell;

/// What the windows answer, for rows that were asked in this order.
#[derive(Debug, Clone)]
pub(crate) struct WindowAnswer {
    /// A column for each feature. Of no rows, counts are 0 and the others null.
    pub(crate) columns: Vec<ArrayRef>,
    /// `Found`: a row of the key can be seen in the longest window of the view.
    pub(crate) rows: Vec<RowStatus>,
    /// The greatest row that can be seen in the longest window (`Int64`, null if not found).
    pub(crate) event_time: ArrayRef,
    /// When it became known (`Int64`, null where that is not known).
    pub(crate) created: ArrayRef,
}

/// A column that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    ty: FeatureType,
    valid: Vec<bool>,
    /// Values; of texts the start and the end in `bytes`, in 32 bits each.
    words: Vec<i64>,
    bytes: Vec<u8>,
}

impl Filling {
    pub(super) fn new(ty: FeatureType, rows: usize) -> Self {
        Self { ty, valid: vec![false; rows], words: vec![0; rows], bytes: Vec::new() }
    }

    /// The columns of a plan, each row as that of a key without rows.
    pub(super) fn all(plan: &WindowPlan, rows: usize) -> Vec<Self> {
        let mut columns: Vec<_> = plan.types().map(|ty| Self::new(ty, rows)).collect();
        let empty: Vec<Vec<Acc>> = plan.groups.iter().map(super::plan::Group::empty).collect();
        for (column, output) in columns.iter_mut().zip(&plan.outputs) {
            if let Cell::Word(word) = output.value(&empty[output.group], output.slots) {
                column.words.fill(word);
                column.valid.fill(true);
            }
        }
        columns
    }

    #[inline]
    pub(super) fn set(&mut self, row: usize, cell: Cell<'_>) -> Result<()> {
        self.valid[row] = cell != Cell::Null;
        self.words[row] = match cell {
            Cell::Null => 0,
            Cell::Word(word) => word,
            Cell::Bytes(bytes) => {
                let start = self.bytes.len();
                let end = start + bytes.len();
                if i32::try_from(end).is_err() {
                    return Err(Error::invalid(
                        "features.window",
                        "a column of the answer has more than 2 GiB of text",
                    )
                    .with_hint("ask for fewer rows at once"));
                }
                self.bytes.extend_from_slice(bytes);
                (start as i64) << 32 | end as i64
            }
        };
        Ok(())
    }

    pub(super) fn finish(self) -> ArrayRef {
        let nulls = NullBuffer::from(self.valid);
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        let words = self.words;
        let slice = |row: usize| -> Option<&[u8]> {
            let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            let (start, end) = ((words[row] >> 32) as usize, words[row] as u32 as usize);
            valid.then(|| self.bytes.get(start..end)).flatten()
        };
        match self.ty {
            FeatureType::Bool => Arc::new(BooleanArray::new(
                BooleanBuffer::collect_bool(words.len(), |row| words[row] != 0),
                nulls,
            )),
            FeatureType::Float => {
                let values = words.iter().map(|word| f64::from_bits(*word as u64)).collect();
                Arc::new(Float64Array::new(values, nulls))
            }
            FeatureType::Float32 => {
                let values = words.iter().map(|word| f32::from_bits(*word as u32)).collect();
                Arc::new(Float32Array::new(values, nulls))
            }
            FeatureType::Timestamp => {
                Arc::new(TimestampMicrosecondArray::new(words.into(), nulls).with_timezone("UTC"))
            }
            FeatureType::Date => {
                let values = words.iter().map(|word| *word as i32).collect();
                Arc::new(Date32Array::new(values, nulls))
            }
            FeatureType::String => {
                let text = |row| slice(row).and_then(|bytes| std::str::from_utf8(bytes).ok());
                Arc::new((0..words.len()).map(text).collect::<StringArray>())
            }
            FeatureType::Bytes => Arc::new((0..words.len()).map(slice).collect::<BinaryArray>()),
            _ => Arc::new(Int64Array::new(words.into(), nulls)),
        }
    }
}
