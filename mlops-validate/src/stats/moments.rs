//! Count, extremes, sum, mean and variance of a column of numbers, exact until the last rounding.
//!
//! The state is counts, extremes and exact sums, so that merging is exact and in any order. Mean and
//! variance are each one quotient of whole numbers, rounded once: the variance of values around 10⁹
//! is as good as that of the same values around 0, without a second pass and without Welford's
//! division for each value.

mod floats;
mod whole;

use arrow::array::Array;
use arrow::datatypes::{DataType, i256};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub use self::floats::FloatMoments;
pub use self::whole::WholeMoments;
use super::select::{Shape, Values, shape, with_selected};

const OPERATION: &str = "validate.moments";

/// Which variance: of a sample (`n − 1`) or of a whole population (`n`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variance {
    /// Divides by `n − 1`; needs two values. What SQL's `stddev` and pandas' `std` mean.
    Sample,
    /// Divides by `n`; needs one value. What numpy's `std` means.
    Population,
}

/// Moments of a column of numbers: floats, integers, decimals or durations.
///
/// Nulls are counted and otherwise left out. A NaN makes sum, mean and variance NaN and is no extreme;
/// [`Moments::without_nan`] leaves them out. What there is too little data for is `None`.
///
/// ```
/// use mlops_validate::stats::{Moments, Variance};
/// use mlops_core::arrow::array::{Decimal128Array, Float64Array};
///
/// # fn main() -> mlops_core::Result<()> {
/// let delays = Float64Array::from(vec![Some(2.0), None, Some(4.0), Some(f64::NAN)]);
/// let mut moments = Moments::of(&delays)?;
/// assert_eq!((moments.count(), moments.nulls(), moments.nan()), (3, 1, 1));
/// assert_eq!((moments.min(), moments.max()), (Some(2.0), Some(4.0)));
/// assert!(moments.mean().unwrap().is_nan());
/// let moments = moments.without_nan();
/// assert_eq!((moments.mean(), moments.variance(Variance::Sample)), (Some(3.0), Some(2.0)));
///
/// let prices = Decimal128Array::from(vec![1999, 1]).with_precision_and_scale(10, 2).unwrap();
/// let moments = Moments::of(&prices)?;
/// assert_eq!((moments.sum_text(), moments.mean()), ("20.00".to_owned(), Some(10.0)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moments {
    /// Of floats.
    Floats(FloatMoments),
    /// Of integers, decimals and durations.
    Whole(WholeMoments),
}

impl Moments {
    /// Empty moments for columns of a type; nothing if it is not a type of numbers.
    pub fn for_type(data_type: &DataType) -> Option<Self> {
        match shape(data_type) {
            Shape::Float => Some(Self::Floats(FloatMoments::default())),
            Shape::Number { scale } => Some(Self::Whole(WholeMoments::with_scale(scale))),
            _ => None,
        }
    }

    /// The moments of one array.
    ///
    /// # Errors
    /// `Invalid` for a type that is not one of numbers.
    pub fn of(array: &dyn Array) -> Result<Self> {
        let mut moments = Self::for_type(array.data_type()).ok_or_else(|| no_numbers(array))?;
        moments.update(array, None)?;
        Ok(moments)
    }

    /// Adds the values of `array`, or only those at the rows of a bit mask.
    ///
    /// # Errors
    /// `Invalid` for an array of another kind of number or scale, or a mask of another length;
    /// nothing was added.
    pub fn update(&mut self, array: &dyn Array, eligible: Option<&[u64]>) -> Result<()> {
        let fits = match (&*self, shape(array.data_type())) {
            (Self::Floats(_), Shape::Float) => true,
            (Self::Whole(moments), Shape::Number { scale }) => moments.scale() == scale,
            _ => false,
        };
        if !fits {
            return Err(no_numbers(array));
        }
        with_selected(array, eligible, |selected| {
            self.add_nulls(selected.nulls);
            self.add(&selected.values);
        })
    }

    pub(super) fn add_nulls(&mut self, nulls: u64) {
        match self {
            Self::Floats(moments) => moments.add_nulls(nulls),
            Self::Whole(moments) => moments.add_nulls(nulls),
        }
    }

    /// Adds values of the right shape; others are not counted.
    pub(super) fn add(&mut self, values: &Values<'_>) {
        match (self, values) {
            (Self::Floats(moments), Values::Floats(values)) => moments.add_slice(values),
            (Self::Whole(moments), Values::Whole(values)) => moments.add_slice(values),
            (Self::Whole(moments), Values::Wide(values)) => moments.add_wide(values),
            _ => {} // a stored profile that was tampered with; everything else compares shapes before
        }
    }

    /// Adds what `other` has seen.
    ///
    /// # Errors
    /// `Invalid` for another kind of number or another scale.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Floats(a), Self::Floats(b)) => {
                a.merge(b);
                Ok(())
            }
            (Self::Whole(a), Self::Whole(b)) if a.scale() == b.scale() => {
                a.merge(b);
                Ok(())
            }
            _ => Err(Error::invalid(OPERATION, "moments of different kinds of number")
                .with_hint("cast the columns to one type")),
        }
    }

    /// Values that are not null, NaN included.
    pub fn count(&self) -> u64 {
        match self {
            Self::Floats(moments) => moments.count(),
            Self::Whole(moments) => moments.count(),
        }
    }

    /// Nulls.
    pub fn nulls(&self) -> u64 {
        match self {
            Self::Floats(moments) => moments.nulls(),
            Self::Whole(moments) => moments.nulls(),
        }
    }

    /// NaN values.
    pub fn nan(&self) -> u64 {
        match self {
            Self::Floats(moments) => moments.nan(),
            Self::Whole(_) => 0,
        }
    }

    /// Infinite values: +∞, −∞.
    pub fn infinite(&self) -> [u64; 2] {
        match self {
            Self::Floats(moments) => moments.infinite(),
            Self::Whole(_) => [0, 0],
        }
    }

    /// The same without the NaN.
    pub fn without_nan(&self) -> Self {
        match self {
            Self::Floats(moments) => Self::Floats(moments.without_nan()),
            Self::Whole(moments) => Self::Whole(moments.clone()),
        }
    }

    /// The smallest value, NaN left out; the nearest double of a whole number.
    pub fn min(&self) -> Option<f64> {
        match self {
            Self::Floats(moments) => moments.min(),
            Self::Whole(moments) => moments.min().map(|value| moments.to_f64(value)),
        }
    }

    /// The largest value, NaN left out; the nearest double of a whole number.
    pub fn max(&self) -> Option<f64> {
        match self {
            Self::Floats(moments) => moments.max(),
            Self::Whole(moments) => moments.max().map(|value| moments.to_f64(value)),
        }
    }

    /// The smallest and largest whole number, before the decimal scale; nothing for floats.
    pub fn whole_range(&self) -> Option<(i256, i256)> {
        match self {
            Self::Floats(_) => None,
            Self::Whole(moments) => moments.min().zip(moments.max()),
        }
    }

    /// The double nearest to the sum. `None` if there are no values: the sum of nothing is null.
    pub fn sum(&self) -> Option<f64> {
        match self {
            Self::Floats(moments) => moments.sum(),
            Self::Whole(moments) => moments.sum(),
        }
    }

    /// The sum as text: exact for whole numbers and decimals, `null` if there are no values.
    pub fn sum_text(&self) -> String {
        match self {
            Self::Floats(moments) => {
                moments.sum().map_or_else(|| "null".to_owned(), |sum| sum.to_string())
            }
            Self::Whole(moments) => moments.sum_text().unwrap_or_else(|| "null".to_owned()),
        }
    }

    /// The double nearest to the mean.
    pub fn mean(&self) -> Option<f64> {
        match self {
            Self::Floats(moments) => moments.mean(),
            Self::Whole(moments) => moments.mean(),
        }
    }

    /// The double nearest to the variance.
    pub fn variance(&self, which: Variance) -> Option<f64> {
        match self {
            Self::Floats(moments) => moments.variance(which),
            Self::Whole(moments) => moments.variance(which),
        }
    }

    /// The root of [`Moments::variance`].
    pub fn stddev(&self, which: Variance) -> Option<f64> {
        self.variance(which).map(f64::sqrt)
    }
}

impl Variance {
    /// What the numerator `n · Σx² − (Σx)²` is to be divided by; nothing for too few values.
    fn divisors(self, count: u64) -> Option<[u64; 2]> {
        match self {
            Self::Sample => (count > 1).then(|| [count, count - 1]),
            Self::Population => (count > 0).then_some([count, count]),
        }
    }
}

fn no_numbers(array: &dyn Array) -> Error {
    Error::invalid(OPERATION, "these moments are not of this kind of number")
        .with("type", array.data_type())
        .with_hint(
            "floats, integers, decimals of one scale and durations have moments, each of its own",
        )
}

#[cfg(test)]
mod tests;
