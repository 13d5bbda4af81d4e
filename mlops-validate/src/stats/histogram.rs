//! A histogram that needs no range, no bin count and no second look: cells are cut out of the bits of
//! a double.
//!
//! The cell of a finite value is its sign, its exponent and the first 7 bits of its mantissa: 128
//! cells in each power of two, each at most 1/128 as wide as its values are large. Zero, NaN and both
//! infinities have cells of their own. Finding the cell is a shift, counts are integers, and merging
//! adds them: any order of rows, batches and merges ends with the same histogram.
//!
//! What is lost is the place within a cell, so a quantile is an interval that certainly holds the
//! true one, with a relative width of at most 2⁻⁷.

mod cells;
mod quantile;

use serde::{Deserialize, Serialize};

use self::cells::{CELLS, Windows};
pub use self::quantile::Interval;

/// Bits of a double that do not matter to its cell.
const DROPPED: u32 = 45;

/// Counts of doubles by sign, exponent and the top 7 bits of the mantissa.
///
/// Integers and instants are counted as the nearest double: exact up to 2⁵³, and beyond that a value
/// less than 2⁻⁵³ of itself below the edge of a cell can be counted in the next one.
///
/// ```
/// use mlops_validate::stats::Histogram;
///
/// let mut histogram = Histogram::default();
/// histogram.add_slice(&[0.0, 1.0, 10.0, 100.0, f64::NAN]);
/// let median = histogram.quantile(0.5).unwrap();
/// assert!(median.lo <= 5.5 && 5.5 <= median.hi && median.hi < 5.6); // of 0, 1, 10 and 100
/// let third = histogram.quantile(2.0 / 3.0).unwrap();
/// assert!(third.lo <= 10.0 && 10.0 <= third.hi && third.hi < 10.1);
/// assert_eq!((histogram.count(), histogram.nan()), (4, 1));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Histogram {
    windows: Windows,
    zeros: u64,
    nan: u64,
    infinite: [u64; 2],
}

/// A cell that has values: all values of it are in `lo..=hi`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The smallest double of the cell.
    pub lo: f64,
    /// The largest double of the cell.
    pub hi: f64,
    /// How many values it holds.
    pub count: u64,
}

/// As stored: runs of neighbouring cells that have values, as the number of the first and the counts.
#[derive(Serialize, Deserialize)]
struct Stored {
    zeros: u64,
    nan: u64,
    infinite: [u64; 2],
    positive: Vec<(u32, Vec<u64>)>,
    negative: Vec<(u32, Vec<u64>)>,
}

impl Histogram {
    /// Counts each value.
    pub fn add_slice(&mut self, values: &[f64]) {
        for &value in values {
            let key = (value.to_bits() >> DROPPED) as usize;
            if !self.windows.add(key) {
                self.add_slow(value, 1);
            }
        }
    }

    /// Counts each value, as the nearest double.
    pub fn add_whole(&mut self, values: &[i64]) {
        for &value in values {
            let value = value as f64;
            if !self.windows.add((value.to_bits() >> DROPPED) as usize) {
                self.add_slow(value, 1);
            }
        }
    }

    /// Counts a value several times.
    pub fn add_many(&mut self, value: f64, times: u64) {
        self.add_slow(value, times);
    }

    #[cold]
    fn add_slow(&mut self, value: f64, times: u64) {
        if value == 0.0 {
            self.zeros = self.zeros.saturating_add(times);
        } else if value.is_nan() {
            self.nan = self.nan.saturating_add(times);
        } else if value.is_infinite() {
            let count = &mut self.infinite[usize::from(value < 0.0)];
            *count = count.saturating_add(times);
        } else {
            self.windows.add_anywhere((value.to_bits() >> DROPPED) as usize, times);
        }
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.nan = self.nan.saturating_add(other.nan);
        self.infinite[0] = self.infinite[0].saturating_add(other.infinite[0]);
        self.infinite[1] = self.infinite[1].saturating_add(other.infinite[1]);
        for negative in [false, true] {
            for (cell, count) in other.windows.cells(negative) {
                self.windows.add_anywhere(cell + usize::from(negative) * CELLS, count);
            }
        }
    }

    /// Values that have an order: all but NaN.
    pub fn count(&self) -> u64 {
        let [plus, minus] = self.infinite;
        [self.zeros, plus, minus]
            .iter()
            .fold(self.windows.total(), |n, more| n.saturating_add(*more))
    }

    /// NaN values.
    pub fn nan(&self) -> u64 {
        self.nan
    }

    /// Infinite values: +∞, −∞.
    pub fn infinite(&self) -> [u64; 2] {
        self.infinite
    }

    /// The cells that have values, in order from −∞ to +∞, NaN left out.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        let single = |value, count| Cell { lo: value, hi: value, count };
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        let negative = self.windows.cells(true).rev();
        let positive = self.windows.cells(false);
        std::iter::once(single(low, self.infinite[1]))
            .chain(negative.map(|(cell, count)| {
                let (lo, hi) = bounds(cell);
                Cell { lo: -hi, hi: -lo, count }
            }))
            .chain(std::iter::once(single(0.0, self.zeros)))
            .chain(positive.map(|(cell, count)| {
                let (lo, hi) = bounds(cell);
                Cell { lo, hi, count }
            }))
            .chain(std::iter::once(single(high, self.infinite[0])))
            .filter(|cell| cell.count > 0)
    }
}

/// The smallest and the largest positive double of a cell.
fn bounds(cell: usize) -> (f64, f64) {
    let first = (cell as u64) << DROPPED;
    (f64::from_bits(first.max(1)), f64::from_bits(first + ((1 << DROPPED) - 1)))
}

impl From<Histogram> for Stored {
    fn from(histogram: Histogram) -> Self {
        let runs = |negative| {
            let mut runs: Vec<(u32, Vec<u64>)> = Vec::new();
            for (cell, count) in histogram.windows.cells(negative) {
                let cell = cell as u32;
                match runs.last_mut() {
                    Some((first, counts)) if *first + counts.len() as u32 == cell => {
                        counts.push(count);
                    }
                    _ => runs.push((cell, vec![count])),
                }
            }
            runs
        };
        Self {
            zeros: histogram.zeros,
            nan: histogram.nan,
            infinite: histogram.infinite,
            positive: runs(false),
            negative: runs(true),
        }
    }
}

impl TryFrom<Stored> for Histogram {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let mut histogram = Self {
            zeros: stored.zeros,
            nan: stored.nan,
            infinite: stored.infinite,
            windows: Windows::default(),
        };
        for (negative, runs) in [(false, stored.positive), (true, stored.negative)] {
            for (first, counts) in runs {
                let first = first as usize;
                if first + counts.len() > cells::FINITE {
                    return Err("a histogram cell beyond the largest double");
                }
                for (i, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                    let key = first + i + usize::from(negative) * CELLS;
                    histogram.windows.add_anywhere(key, count);
                }
            }
        }
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests;
