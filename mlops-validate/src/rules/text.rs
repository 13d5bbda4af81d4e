//! `matches`, `not_matches`, `format` and `length`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use mlops_core::Result;
use mlops_core::validation::{Format, LengthUnit};

use super::column::{ValueRule, items};
use super::nulls::or_null_rows;
use super::range::not_of;
use crate::bits;
use crate::kernel::{Cache, Chunk, Judged, RowRule};
use crate::text::pattern::Pattern;
use crate::text::{formats, length};

/// A pattern is found in text, or it is not.
#[derive(Debug)]
pub(crate) struct PatternRule {
    pub(crate) pattern: Pattern,
    /// Whether a match is what fails.
    pub(crate) forbidden: bool,
}

impl ValueRule for PatternRule {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        self.pattern.mask(values, &mut out.failed)?;
        if self.forbidden {
            for word in &mut out.failed {
                *word = !*word;
            }
            bits::trim(&mut out.failed, values.len());
        }
        Ok(())
    }
}

/// Text of a format.
#[derive(Debug)]
pub(crate) struct FormatRule {
    pub(crate) format: Format,
}

impl ValueRule for FormatRule {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        formats::mask(self.format, values, &mut out.failed)
    }
}

/// Text or bytes of a length.
#[derive(Debug)]
pub(crate) struct LengthRule {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) unit: LengthUnit,
}

impl ValueRule for LengthRule {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let (min, max) = (
            usize::try_from(self.min).unwrap_or(usize::MAX),
            usize::try_from(self.max).unwrap_or(usize::MAX),
        );
        let mut bytes = |lengths: &mut dyn Iterator<Item = usize>| {
            for (row, length) in lengths.enumerate() {
                if length < min || length > max {
                    bits::set(&mut out.failed, row);
                }
            }
        };
        match values.data_type() {
            DataType::Binary => {
                bytes(&mut values.as_binary::<i32>().offsets().lengths());
            }
            DataType::LargeBinary => {
                bytes(&mut values.as_binary::<i64>().offsets().lengths());
            }
            DataType::BinaryView => {
                let views =
                    values.as_binary_view_opt().ok_or_else(|| not_of(values.data_type()))?;
                bytes(&mut views.views().iter().map(|view| *view as u32 as usize));
            }
            DataType::FixedSizeBinary(size) => {
                bytes(&mut std::iter::repeat_n(*size as usize, values.len()));
            }
            _ => length::mask(values, self.unit, min, max, &mut out.failed)?,
        }
        Ok(())
    }
}

/// Lists of a number of items.
#[derive(Debug)]
pub(crate) struct ListLengthRule {
    pub(crate) slot: usize,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl RowRule for ListLengthRule {
    fn judge(&self, chunk: &Chunk<'_>, _cache: &mut Cache, out: &mut Judged) -> Result<()> {
        let column = chunk.column(self.slot)?;
        for (row, range) in items(column)?.1.into_iter().enumerate() {
            let length = range.len() as u64;
            if length < self.min || length > self.max {
                bits::set(&mut out.failed, row);
            }
        }
        or_null_rows(column, &mut out.null);
        bits::and_not(&mut out.failed, &out.null);
        Ok(())
    }
}
