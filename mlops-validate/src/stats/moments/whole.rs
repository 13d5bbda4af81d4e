//! Moments of whole numbers: integers, durations, and the unscaled integers of decimals.

use arrow::datatypes::i256;
use serde::{Deserialize, Serialize};

use super::Variance;
use crate::stats::big::Big;
use crate::stats::sum::{WholeSums, spread};

/// Moments of integers, decimals of one scale, or durations of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeMoments {
    scale: i8,
    count: u64,
    nulls: u64,
    #[serde(with = "range_as_text")]
    range: Option<(i256, i256)>,
    sums: WholeSums,
}

impl WholeMoments {
    /// Empty moments of numbers that mean `value · 10^-scale`; 0 for integers.
    pub fn with_scale(scale: i8) -> Self {
        Self { scale, ..Self::default() }
    }

    /// The decimal scale.
    pub fn scale(&self) -> i8 {
        self.scale
    }

    /// Adds each value.
    pub fn add_slice(&mut self, values: &[i64]) {
        self.count += values.len() as u64;
        let mut range: Option<(i64, i64)> = None;
        for block in values.chunks(1_024) {
            self.sums.add_slice(block);
            let (min, max) = range.unwrap_or((i64::MAX, i64::MIN));
            range = Some((
                block.iter().fold(min, |min, value| min.min(*value)),
                block.iter().fold(max, |max, value| max.max(*value)),
            ));
        }
        if let Some((min, max)) = range {
            self.widen(i256::from(min), i256::from(max));
        }
    }

    /// Adds each value.
    pub fn add_wide(&mut self, values: &[i256]) {
        self.count += values.len() as u64;
        for &value in values {
            self.sums.add_big(&Big::from_i256(value));
            self.widen(value, value);
        }
    }

    /// Counts nulls.
    pub fn add_nulls(&mut self, nulls: u64) {
        self.nulls += nulls;
    }

    /// Adds what `other`, which has the same scale, has seen.
    pub(in crate::stats) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.nulls = self.nulls.saturating_add(other.nulls);
        self.sums.merge(&other.sums);
        if let Some((min, max)) = other.range {
            self.widen(min, max);
        }
    }

    fn widen(&mut self, min: i256, max: i256) {
        self.range = Some(match self.range {
            None => (min, max),
            Some((least, most)) => (least.min(min), most.max(max)),
        });
    }

    /// Values that are not null.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Nulls.
    pub fn nulls(&self) -> u64 {
        self.nulls
    }

    /// The smallest value, before the scale.
    pub fn min(&self) -> Option<i256> {
        self.range.map(|(min, _)| min)
    }

    /// The largest value, before the scale.
    pub fn max(&self) -> Option<i256> {
        self.range.map(|(_, max)| max)
    }

    /// The double nearest to the number that `value` means.
    pub fn to_f64(&self, value: i256) -> f64 {
        Big::from_i256(value).quotient(&[], self.scale.into(), 0)
    }

    /// The double nearest to the sum; `None` if there are no values.
    pub fn sum(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sums.sum().quotient(&[], self.scale.into(), 0))
    }

    /// The exact sum as decimal text.
    pub fn sum_text(&self) -> Option<String> {
        (self.count > 0).then(|| self.sums.sum().to_decimal(self.scale.into()))
    }

    /// The double nearest to the mean.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sums.sum().quotient(&[self.count], self.scale.into(), 0))
    }

    /// The double nearest to the variance.
    pub fn variance(&self, which: Variance) -> Option<f64> {
        let divisors = which.divisors(self.count)?;
        let spread = spread(self.count, &self.sums.sum(), &self.sums.squares());
        Some(spread.quotient(&divisors, 2 * i32::from(self.scale), 0))
    }
}

/// JSON has no numbers of 256 bits.
mod range_as_text {
    use arrow::datatypes::i256;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Range = Option<(i256, i256)>;

    pub(super) fn serialize<S: Serializer>(
        range: &Range,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        range.map(|(min, max)| [min.to_string(), max.to_string()]).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Range, D::Error> {
        let parse = |text: &str| {
            i256::from_string(text)
                .ok_or_else(|| D::Error::custom("not a whole number of 256 bits"))
        };
        let Some([min, max]) = Option::<[String; 2]>::deserialize(deserializer)? else {
            return Ok(None);
        };
        Ok(Some((parse(&min)?, parse(&max)?)))
    }
}
