//! `range`: values between two bounds.
//!
//! Whatever the bounds were, they become two values of the column's own type, both included: an
//! integer column above `0.5` starts at 1, a float above 5 at the next float. So a range is two
//! comparisons, exact for every type.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow::array::{Array, ArrowPrimitiveType, AsArray};
use arrow::datatypes::DataType;
use mlops_core::validation::NanPolicy;
use mlops_core::{Error, ErrorKind, Result};

use super::column::ValueRule;
use crate::bits;
use crate::kernel::Judged;
use crate::text::strings::{Visitor, visit};

/// Integers, dates, instants, times, durations and decimals: every type whose values are ordered
/// without exception.
#[derive(Debug)]
pub(crate) struct OrderedRange<T: ArrowPrimitiveType> {
    pub(crate) min: T::Native,
    pub(crate) max: T::Native,
}

impl<T: ArrowPrimitiveType + Debug> ValueRule for OrderedRange<T>
where
    T::Native: PartialOrd + Debug,
{
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let values = values.as_primitive_opt::<T>().ok_or_else(|| not_of(values.data_type()))?;
        let (min, max) = (self.min, self.max);
        bits::or_failing(&mut out.failed, values.values(), |value| value < min || value > max);
        Ok(())
    }

    fn is_convex(&self) -> bool {
        true
    }
}

/// Floats, compared as 64-bit ones, which is exact. −0.0 equals 0.0; NaN is in no range.
#[derive(Debug)]
pub(crate) struct FloatRange<T> {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) nan: NanPolicy,
    pub(crate) of: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType + Debug> ValueRule for FloatRange<T>
where
    T::Native: Into<f64>,
{
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        let values = values.as_primitive_opt::<T>().ok_or_else(|| not_of(values.data_type()))?;
        let (min, max) = (self.min, self.max);
        let outside = |value: T::Native| {
            let value: f64 = value.into();
            value < min || value > max
        };
        match self.nan {
            NanPolicy::Fail => bits::or_failing(&mut out.failed, values.values(), |value| {
                let value: f64 = value.into();
                // Not the same as `value < min || value > max`: NaN fails.
                !(value >= min && value <= max)
            }),
            NanPolicy::Pass => bits::or_failing(&mut out.failed, values.values(), outside),
            NanPolicy::Skip => {
                bits::or_failing(&mut out.failed, values.values(), outside);
                bits::or_failing(&mut out.skipped, values.values(), |value| {
                    let value: f64 = value.into();
                    value.is_nan()
                });
            }
        }
        Ok(())
    }

    fn is_convex(&self) -> bool {
        true
    }

    fn nan(&self) -> NanPolicy {
        self.nan
    }
}

/// Text, by its bytes.
#[derive(Debug)]
pub(crate) struct TextRange {
    pub(crate) min: Option<(Vec<u8>, bool)>,
    pub(crate) max: Option<(Vec<u8>, bool)>,
}

impl TextRange {
    fn fails(&self, text: &[u8]) -> bool {
        let below = |(min, excluded): &(Vec<u8>, bool)| text < &min[..] || *excluded && text == min;
        let above = |(max, excluded): &(Vec<u8>, bool)| text > &max[..] || *excluded && text == max;
        self.min.as_ref().is_some_and(below) || self.max.as_ref().is_some_and(above)
    }
}

impl ValueRule for TextRange {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        struct Test<'a>(&'a TextRange, &'a mut [u64]);

        impl Visitor for Test<'_> {
            type Output = ();

            fn visit(self, rows: &impl crate::text::strings::Rows) {
                for row in 0..rows.count() {
                    if self.0.fails(rows.bytes(row)) {
                        bits::set(self.1, row);
                    }
                }
            }
        }

        visit(values, Test(self, &mut out.failed))
    }

    fn is_convex(&self) -> bool {
        true
    }
}

/// A range that no value is in.
#[derive(Debug)]
pub(crate) struct Nothing;

impl ValueRule for Nothing {
    fn judge(&self, values: &dyn Array, out: &mut Judged) -> Result<()> {
        bits::fill(&mut out.failed, values.len());
        Ok(())
    }
}

/// The column is not what the suite was compiled for.
#[cold]
pub(crate) fn not_of(found: &DataType) -> Error {
    Error::new(ErrorKind::Internal, "validate", "a column is not of the type it was compiled for")
        .with("found", found)
}
