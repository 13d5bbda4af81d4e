//! Sums without rounding: the same bits for any order, batch size, thread count and merge tree.
//!
//! A floating-point `+` rounds, so that a sum depends on the order of its terms. [`ExactSum`] and
//! [`ExactSquares`] do not round before the end: they are whole numbers in units of the smallest
//! double, so merging is addition of whole numbers, and the value is the double nearest to the true
//! sum. They cost about as much as a plain loop that cannot use vector registers, and half a KiB each.

use serde::{Deserialize, Serialize};

use super::big::Big;
use super::folds::{self, BLOCK};
use super::limbs::Limbs;

/// Exponent of the smallest double, the unit of [`ExactSum`].
const UNIT: i32 = -1_074;
/// Largest magnitude of a whole number whose square can be added 1,024 times in 128 bits.
const NARROW: u64 = 1 << 58;

/// The exact sum of doubles.
///
/// ```
/// use mlops_validate::stats::ExactSum;
///
/// let mut sum = ExactSum::default();
/// sum.add_slice(&[1e100, 1.0, -1e100]);
/// assert_eq!(sum.value(), 1.0); // a plain loop says 0
///
/// let mut other = ExactSum::default();
/// other.add_slice(&[0.1; 10]);
/// sum.merge(&other);
/// assert_eq!(sum.value(), 2.0);
/// other.add(f64::INFINITY);
/// assert_eq!((other.value(), other.finite()), (f64::INFINITY, 1.0));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactSum {
    // 2,098 bits of the doubles and 64 for their number, and limbs of headroom.
    limbs: Box<Limbs<72>>,
    nan: u64,
    infinite: [u64; 2],
}

/// The exact sum of the squares of doubles; those that are not finite are left out.
///
/// ```
/// use mlops_validate::stats::ExactSquares;
///
/// let mut squares = ExactSquares::default();
/// squares.add_slice(&[3.0, 4.0, f64::NAN]);
/// assert_eq!(squares.value(), 25.0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactSquares {
    limbs: Box<Limbs<138>>,
}

/// The exact sums of whole numbers of up to 256 bits and of their squares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WholeSums {
    sum: Box<Limbs<12>>,
    squares: Box<Limbs<20>>,
}

impl ExactSum {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            let (mantissa, bit) = decompose(value);
            self.limbs.add(mantissa, bit, value.is_sign_negative());
        } else if value.is_nan() {
            self.nan += 1;
        } else {
            self.infinite[usize::from(value < 0.0)] += 1;
        }
    }

    /// Adds each value.
    pub fn add_slice(&mut self, values: &[f64]) {
        for block in values.chunks(BLOCK) {
            if !folds::fold_sum(block, |part| self.add(part)) {
                for value in block {
                    self.add(*value);
                }
            }
        }
    }

    /// Adds what `other` has added.
    pub fn merge(&mut self, other: &Self) {
        self.limbs.merge(&other.limbs);
        self.nan = self.nan.saturating_add(other.nan);
        self.infinite[0] = self.infinite[0].saturating_add(other.infinite[0]);
        self.infinite[1] = self.infinite[1].saturating_add(other.infinite[1]);
    }

    /// The double nearest to the sum: NaN if there was a NaN or were infinities of both signs,
    /// infinite if one was or the sum is too large, 0 if nothing was added.
    pub fn value(&self) -> f64 {
        match (self.nan, self.infinite) {
            (0, [0, 0]) => self.finite(),
            (0, [_, 0]) => f64::INFINITY,
            (0, [0, _]) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    /// The double nearest to the sum of the finite values.
    pub fn finite(&self) -> f64 {
        self.limbs.to_big().round(UNIT, false)
    }

    /// The double nearest to the sum of the finite values divided by `count`; nothing for 0.
    pub fn finite_mean(&self, count: u64) -> Option<f64> {
        (count > 0).then(|| self.limbs.to_big().quotient(&[count], 0, UNIT))
    }

    /// The same as if no NaN had been added.
    pub fn without_nan(&self) -> Self {
        Self { nan: 0, ..self.clone() }
    }

    /// How many NaN were added.
    pub fn nan(&self) -> u64 {
        self.nan
    }

    /// How many infinities were added: +∞, −∞.
    pub fn infinite(&self) -> [u64; 2] {
        self.infinite
    }
}

impl ExactSquares {
    /// Adds the square of one value.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            let (mantissa, bit) = decompose(value);
            let square = u128::from(mantissa) * u128::from(mantissa);
            self.limbs.add(square as u64, 2 * bit, false);
            self.limbs.add((square >> 64) as u64, 2 * bit + 64, false);
        }
    }

    /// Adds the square of each value.
    pub fn add_slice(&mut self, values: &[f64]) {
        for block in values.chunks(BLOCK) {
            let limbs = &mut self.limbs;
            let folded = folds::fold_squares(block, |part| {
                let (mantissa, bit) = decompose(part);
                // The unit here is the square of the smallest double.
                limbs.add(mantissa, bit + UNIT.unsigned_abs() as usize, part.is_sign_negative());
            });
            if !folded {
                for value in block {
                    self.add(*value);
                }
            }
        }
    }

    /// Adds what `other` has added.
    pub fn merge(&mut self, other: &Self) {
        self.limbs.merge(&other.limbs);
    }

    /// The double nearest to the sum.
    pub fn value(&self) -> f64 {
        self.limbs.to_big().round(2 * UNIT, false)
    }
}

impl WholeSums {
    /// Adds each value.
    pub(super) fn add_slice(&mut self, values: &[i64]) {
        for block in values.chunks(BLOCK) {
            let sum: i128 = block.iter().map(|value| i128::from(*value)).sum();
            self.sum.add_u128(sum.unsigned_abs(), sum < 0);
            let bits = block.iter().fold(0, |bits, value| bits | value.unsigned_abs());
            if bits < NARROW {
                let squares: u128 = block.iter().map(|value| square(*value)).sum();
                self.squares.add_u128(squares, false);
            } else {
                for value in block {
                    self.squares.add_u128(square(*value), false);
                }
            }
        }
    }

    /// Adds one value of at most 256 bits.
    pub(super) fn add_big(&mut self, value: &Big) {
        self.sum.add_big(value);
        self.squares.add_big(&value.mul(value));
    }

    /// Adds what `other` has added.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    pub(super) fn sum(&self) -> Big {
        self.sum.to_big()
    }

    pub(super) fn squares(&self) -> Big {
        self.squares.to_big()
    }
}

/// `n · Σx² − (Σx)²`, the numerator of the variance, in units of `2^(2 · UNIT)`.
pub(super) fn spread_of_floats(count: u64, sum: &ExactSum, squares: &ExactSquares) -> Big {
    spread(count, &sum.limbs.to_big(), &squares.limbs.to_big())
}

/// `n · Σx² − (Σx)²`; never negative when the sums belong together.
pub(super) fn spread(count: u64, sum: &Big, squares: &Big) -> Big {
    squares.mul(&Big::from_u128(count.into(), false)).sub(&sum.mul(sum))
}

/// Exponent of the unit of [`spread_of_floats`].
pub(super) const SPREAD_UNIT: i32 = 2 * UNIT;

/// The magnitude as `mantissa · 2^(bit + UNIT)`.
#[inline]
fn decompose(value: f64) -> (u64, usize) {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match (bits >> 52) as usize & 0x7ff {
        0 => (mantissa, 0),
        exponent => (mantissa | 1 << 52, exponent - 1),
    }
}

fn square(value: i64) -> u128 {
    let magnitude = u128::from(value.unsigned_abs());
    magnitude * magnitude
}

#[cfg(test)]
mod tests;
