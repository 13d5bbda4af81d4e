//! Moments of floats.

use serde::{Deserialize, Serialize};

use super::Variance;
use crate::stats::sum::{ExactSquares, ExactSum, SPREAD_UNIT, spread_of_floats};

const LANES: usize = 8;

/// Moments of floats; see [`Moments`](super::Moments) for what NaN and nulls do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatMoments {
    count: u64,
    nulls: u64,
    /// Of the finite values: a JSON number cannot be infinite, and the sum counts those that are.
    range: Option<Range>,
    sum: ExactSum,
    squares: ExactSquares,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Range {
    min: f64,
    max: f64,
}

/// Never NaN.
impl Eq for Range {}

impl FloatMoments {
    /// Adds each value.
    pub fn add_slice(&mut self, values: &[f64]) {
        self.count += values.len() as u64;
        for block in values.chunks(1_024) {
            // Both in one visit of the cache.
            self.sum.add_slice(block);
            self.squares.add_slice(block);
            self.add_range(block);
        }
    }

    /// Counts nulls.
    pub fn add_nulls(&mut self, nulls: u64) {
        self.nulls += nulls;
    }

    /// Adds what `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.nulls = self.nulls.saturating_add(other.nulls);
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        if let Some(Range { min, max }) = other.range {
            self.widen(min, max);
        }
    }

    fn add_range(&mut self, values: &[f64]) {
        let mut min = [f64::INFINITY; LANES];
        let mut max = [f64::NEG_INFINITY; LANES];
        let mut step = |lane: usize, x: f64| {
            // A comparison with NaN is false; infinities are sorted out below.
            min[lane] = if x < min[lane] { x } else { min[lane] };
            max[lane] = if x > max[lane] { x } else { max[lane] };
        };
        let mut chunks = values.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (lane, &x) in chunk.iter().enumerate() {
                step(lane, x);
            }
        }
        for (lane, &x) in chunks.remainder().iter().enumerate() {
            step(lane, x);
        }
        let mut least = min.iter().copied().fold(f64::INFINITY, f64::min);
        let mut most = max.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if least.is_infinite() || most.is_infinite() {
            let finite = || values.iter().copied().filter(|x| x.is_finite());
            least = finite().fold(f64::INFINITY, f64::min);
            most = finite().fold(f64::NEG_INFINITY, f64::max);
        }
        if least <= most {
            self.widen(least, most);
        }
    }

    fn widen(&mut self, min: f64, max: f64) {
        let (min, max) = (min + 0.0, max + 0.0); // −0.0 is 0.0
        self.range = Some(match self.range {
            None => Range { min, max },
            Some(range) => Range { min: range.min.min(min), max: range.max.max(max) },
        });
    }

    /// Values that are not null, NaN included.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Nulls.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// NaN values.
    pub fn nan(&self) -> u64 {
        self.sum.nan()
    }

    /// Infinite values: +∞, −∞.
    pub fn infinite(&self) -> [u64; 2] {
        self.sum.infinite()
    }

    /// The smallest value, −∞ included, NaN left out.
    pub fn min(&self) -> Option<f64> {
        let [plus, minus] = self.infinite();
        if minus > 0 {
            return Some(f64::NEG_INFINITY);
        }
        self.range.map(|range| range.min).or((plus > 0).then_some(f64::INFINITY))
    }

    /// The largest value, +∞ included, NaN left out.
    pub fn max(&self) -> Option<f64> {
        let [plus, minus] = self.infinite();
        if plus > 0 {
            return Some(f64::INFINITY);
        }
        self.range.map(|range| range.max).or((minus > 0).then_some(f64::NEG_INFINITY))
    }

    /// The smallest and the largest finite value.
    pub fn finite_range(&self) -> Option<(f64, f64)> {
        self.range.map(|range| (range.min, range.max))
    }

    /// The same without the NaN.
    pub fn without_nan(&self) -> Self {
        Self {
            count: self.count.saturating_sub(self.nan()),
            sum: self.sum.without_nan(),
            ..self.clone()
        }
    }

    /// The double nearest to the sum; `None` if there are no values.
    pub fn sum(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value())
    }

    /// The double nearest to the mean.
    pub fn mean(&self) -> Option<f64> {
        if self.is_finite() { self.sum.finite_mean(self.count) } else { self.sum() }
    }

    /// The double nearest to the variance; NaN if a value is NaN or infinite.
    pub fn variance(&self, which: Variance) -> Option<f64> {
        let divisors = which.divisors(self.count)?;
        Some(if self.is_finite() {
            let spread = spread_of_floats(self.count, &self.sum, &self.squares);
            spread.quotient(&divisors, 0, SPREAD_UNIT)
        } else {
            f64::NAN
        })
    }

    fn is_finite(&self) -> bool {
        self.nan() == 0 && self.infinite() == [0, 0]
    }
}
