//! What a histogram still knows about order: quantiles and ranks as intervals.

use super::{Histogram, bounds};
use crate::stats::quantile::{Rule, interpolate, positions};

/// An interval that certainly holds the true value; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The true value is not less.
    pub lo: f64,
    /// The true value is not greater.
    pub hi: f64,
}

impl Interval {
    /// One number for the interval: its middle.
    pub fn middle(self) -> f64 {
        if self.lo == self.hi { self.lo } else { self.lo / 2.0 + self.hi / 2.0 }
    }
}

impl Histogram {
    /// Where the quantile `q` of the counted values lies, by linear interpolation between neighbours
    /// (numpy's default, type 7 of Hyndman and Fan). Nothing if there are no values or `q` is not in
    /// `0..=1`.
    ///
    /// Where both neighbours lie in one cell the interval is that cell: at most 2⁻⁷ of its values
    /// wide. NaN has no place in the order and is left out; infinities have.
    pub fn quantile(&self, q: f64) -> Option<Interval> {
        let (below, above, fraction) = positions(self.count(), q, Rule::Linear)?;
        let lower = self.at(below)?;
        let upper = self.at(above)?;
        let lo = interpolate(lower.lo, upper.lo, fraction);
        let hi = interpolate(lower.hi, upper.hi, fraction);
        // Interpolation rounds, here and in the exact definition: a few units of the last place.
        let slack = |x: f64| if fraction == 0.0 { 0.0 } else { x.abs() * 4.0 * f64::EPSILON };
        let wider = |x: f64, by: f64| if by.is_finite() { x + by } else { x };
        Some(Interval {
            lo: wider(lo, -slack(lower.lo.abs().max(upper.lo.abs()))).max(lower.lo),
            hi: wider(hi, slack(lower.hi.abs().max(upper.hi.abs()))).min(upper.hi),
        })
    }

    /// How many counted values are `≤ x`: at least the first and at most the second number. They
    /// differ by the other values of the cell of `x`. NaN is greater than none.
    pub fn rank(&self, x: f64) -> (u64, u64) {
        let (mut least, mut most) = (0u64, 0u64);
        for cell in self.cells() {
            if cell.hi <= x {
                least = least.saturating_add(cell.count);
            }
            if cell.lo <= x {
                most = most.saturating_add(cell.count);
            }
        }
        (least, most)
    }

    /// The cell of the value that has `position` smaller ones in front of it.
    fn at(&self, position: u64) -> Option<Interval> {
        let mut before = 0u64;
        self.cells()
            .find(|cell| {
                before = before.saturating_add(cell.count);
                before > position
            })
            .map(|cell| Interval { lo: cell.lo, hi: cell.hi })
    }

    /// The bounds of the cell of a finite value; zero is alone.
    pub fn cell_of(value: f64) -> Option<Interval> {
        if value == 0.0 {
            return Some(Interval { lo: 0.0, hi: 0.0 });
        }
        let (lo, hi) = bounds((value.abs().to_bits() >> super::DROPPED) as usize);
        match value {
            _ if !value.is_finite() => None,
            _ if value < 0.0 => Some(Interval { lo: -hi, hi: -lo }),
            _ => Some(Interval { lo, hi }),
        }
    }
}
