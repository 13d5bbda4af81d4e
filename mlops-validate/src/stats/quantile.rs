//! Exact quantiles, at 8 bytes a value.
//!
//! [`Histogram`](super::Histogram) answers within 2⁻⁷ in bounded memory; this keeps every value, for a
//! check that says "exact". The state is the bag of values: merging puts two together, and sorting
//! happens when a quantile is asked for.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// Which value is the quantile `q` of `n` sorted values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Between the neighbours of position `(n − 1) · q`, linearly: type 7 of Hyndman and Fan, the
    /// default of numpy, pandas, R and Excel.
    #[default]
    Linear,
    /// The smallest value that at least `q` of all values do not exceed: position `⌈n · q⌉`, counted
    /// from 1. Always one of the values; type 1, SQL's `percentile_disc`.
    NearestRank,
}

/// A bag of values of which quantiles are asked.
///
/// ```
/// use mlops_validate::stats::{ExactQuantiles, Rule};
///
/// let mut bag = ExactQuantiles::default();
/// bag.add_slice(&[3.0, 1.0, 2.0, 4.0]);
/// assert_eq!(bag.quantile(0.5, Rule::Linear), Some(2.5));
/// assert_eq!(bag.quantile(0.5, Rule::NearestRank), Some(2.0));
/// assert_eq!(bag.quantile(0.5, Rule::Linear), Some(2.5)); // as often as you like
/// assert_eq!(bag.quantile(1.5, Rule::Linear), None);
///
/// let mut ids = ExactQuantiles::default();
/// ids.add_slice(&[i64::MAX, i64::MAX - 1]);
/// assert_eq!(ids.value(0.0), Some(i64::MAX - 1)); // beyond what a double can tell apart
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct ExactQuantiles<T: QuantileValue> {
    /// Keys that sort as the values do.
    keys: Vec<u64>,
    #[serde(skip)]
    sorted: bool,
    left_out: u64,
    #[serde(skip)]
    value: std::marker::PhantomData<T>,
}

impl<T: QuantileValue> Default for ExactQuantiles<T> {
    fn default() -> Self {
        Self { keys: Vec::new(), sorted: true, left_out: 0, value: std::marker::PhantomData }
    }
}

/// Values with an order in 64 bits: `f64` and `i64`.
pub trait QuantileValue: Copy + Debug + sealed::Sealed {}

impl QuantileValue for f64 {}
impl QuantileValue for i64 {}

mod sealed {
    const SIGN: u64 = 1 << 63;

    /// Which values there are is for this file to say.
    pub trait Sealed: Sized {
        /// A key that sorts as the value; nothing for NaN.
        fn key(self) -> Option<u64>;
        /// The value of a key.
        fn from_key(key: u64) -> Self;
        /// The nearest double.
        fn to_f64(self) -> f64;
    }

    impl Sealed for f64 {
        fn key(self) -> Option<u64> {
            let bits = (self + 0.0).to_bits(); // −0.0 is 0.0
            let flip = if bits & SIGN == 0 { SIGN } else { u64::MAX };
            (!self.is_nan()).then_some(bits ^ flip)
        }
        fn from_key(key: u64) -> Self {
            Self::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
        }
        fn to_f64(self) -> f64 {
            self
        }
    }

    impl Sealed for i64 {
        fn key(self) -> Option<u64> {
            Some(self as u64 ^ SIGN)
        }
        fn from_key(key: u64) -> Self {
            (key ^ SIGN) as Self
        }
        fn to_f64(self) -> f64 {
            self as f64
        }
    }
}

impl<T: QuantileValue> ExactQuantiles<T> {
    /// Keeps each value; NaN is counted and left out.
    pub fn add_slice(&mut self, values: &[T]) {
        let before = self.keys.len();
        self.keys.extend(values.iter().filter_map(|value| value.key()));
        self.left_out += (values.len() - (self.keys.len() - before)) as u64;
        self.sorted = false;
    }

    /// Adds what `other` keeps.
    pub fn merge(&mut self, other: &Self) {
        self.keys.extend_from_slice(&other.keys);
        self.left_out = self.left_out.saturating_add(other.left_out);
        self.sorted = false;
    }

    /// Values that are kept.
    pub fn count(&self) -> u64 {
        self.keys.len() as u64
    }

    /// NaN values, which have no place in the order.
    pub fn nan(&self) -> u64 {
        self.left_out
    }

    /// The quantile `q`; nothing if there are no values or `q` is not in `0..=1`.
    ///
    /// Between −∞ and a finite value every place is −∞, between −∞ and +∞ it is NaN.
    pub fn quantile(&mut self, q: f64, rule: Rule) -> Option<f64> {
        let (below, above, fraction) = positions(self.count(), q, rule)?;
        let (low, high) = (self.at(below)?.to_f64(), self.at(above)?.to_f64());
        Some(interpolate(low, high, fraction))
    }

    /// The quantile `q` by nearest rank, as it was added.
    pub fn value(&mut self, q: f64) -> Option<T> {
        let (position, _, _) = positions(self.count(), q, Rule::NearestRank)?;
        self.at(position)
    }

    fn at(&mut self, position: u64) -> Option<T> {
        if !self.sorted {
            self.keys.sort_unstable();
            self.sorted = true;
        }
        self.keys.get(usize::try_from(position).ok()?).map(|key| T::from_key(*key))
    }
}

/// The same values, however they came.
impl<T: QuantileValue> PartialEq for ExactQuantiles<T> {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |keys: &[u64]| {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            keys
        };
        self.left_out == other.left_out && sorted(&self.keys) == sorted(&other.keys)
    }
}

/// The neighbours of the quantile among `count` sorted values, and how far it is from the first to
/// the second.
pub(super) fn positions(count: u64, q: f64, rule: Rule) -> Option<(u64, u64, f64)> {
    if count == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let last = count - 1;
    Some(match rule {
        Rule::Linear => {
            let place = last as f64 * q;
            let below = (place.floor() as u64).min(last);
            let fraction = place - place.floor();
            (below, if fraction > 0.0 { (below + 1).min(last) } else { below }, fraction)
        }
        Rule::NearestRank => {
            let rank = ((count as f64 * q).ceil() as u64).clamp(1, count);
            (rank - 1, rank - 1, 0.0)
        }
    })
}

/// The place `fraction` of the way from `low` to `high`, never outside of the two.
pub(super) fn interpolate(low: f64, high: f64, fraction: f64) -> f64 {
    if fraction == 0.0 || low == high || low == f64::NEG_INFINITY && high < f64::INFINITY {
        return low;
    }
    let step = high - low;
    if step.is_infinite() && low.is_finite() && high.is_finite() {
        // Too far apart for a difference.
        return low * (1.0 - fraction) + high * fraction;
    }
    (low + step * fraction).min(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut bag = ExactQuantiles::default();
        bag.add_slice(&[15.0, 20.0, 35.0, 40.0, 50.0]);
        // numpy.quantile(…, [0.05, 0.3, 0.4, 0.5, 1]), method linear and inverted_cdf
        for (q, linear, nearest) in [
            (0.05, 16.0, 15.0),
            (0.3, 23.0, 20.0),
            (0.4, 29.0, 20.0),
            (0.5, 35.0, 35.0),
            (1.0, 50.0, 50.0),
        ] {
            assert_eq!(bag.quantile(q, Rule::Linear), Some(linear), "{q}");
            assert_eq!(bag.quantile(q, Rule::NearestRank), Some(nearest), "{q}");
        }
        assert_eq!(bag.quantile(f64::NAN, Rule::Linear), None);
        assert_eq!(ExactQuantiles::<i64>::default().quantile(0.5, Rule::Linear), None);
    }

    #[test]
    fn nan_is_left_out_and_infinities_are_values() {
        let mut bag = ExactQuantiles::default();
        bag.add_slice(&[f64::NAN, f64::INFINITY, -0.0, f64::NEG_INFINITY, f64::MAX, f64::MIN]);
        assert_eq!((bag.count(), bag.nan()), (5, 1));
        assert_eq!(bag.value(0.5).map(f64::to_bits), Some(0.0f64.to_bits()));
        assert_eq!(bag.quantile(0.375, Rule::Linear), Some(f64::MIN / 2.0));
        assert_eq!(bag.quantile(0.1, Rule::Linear), Some(f64::NEG_INFINITY));
        assert_eq!(bag.quantile(0.9, Rule::Linear), Some(f64::INFINITY));
        let mut wide = ExactQuantiles::default();
        wide.add_slice(&[f64::MIN, f64::MAX]);
        assert_eq!(wide.quantile(0.5, Rule::Linear), Some(0.0));
    }

    proptest! {
        #[test]
        fn cuts_and_order_do_not_matter(values in prop::collection::vec(any::<f64>(), 1..80), cut in 0usize..80, q in 0.0..=1.0) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut whole = ExactQuantiles::default();
            whole.add_slice(&values);
            let mut parts = ExactQuantiles::default();
            parts.add_slice(right);
            let mut first = ExactQuantiles::default();
            first.add_slice(left);
            parts.merge(&first);
            prop_assert_eq!(&parts, &whole);
            let nearest = whole.quantile(q, Rule::NearestRank);
            prop_assert_eq!(parts.quantile(q, Rule::NearestRank), nearest);
            let json = serde_json::to_string(&whole).unwrap();
            let mut read: ExactQuantiles<f64> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.value(q), nearest);
        }
    }
}
