//! Is today's number unusual, compared with earlier runs?
//!
//! Row counts, null rates and means of earlier runs are few and have outliers of their own, so the
//! scale is the median absolute deviation, not the standard deviation. With few runs that scale is
//! itself a guess: a threshold of the normal distribution that promises 1 % false alarms gives 10 % of
//! them with 8 runs of history, 5.8 % with 14 and 2.9 % with 30. So the threshold here depends on the
//! length of the history. It was computed for independent normal values, and a simulation in the tests
//! finds the promised rate.
//!
//! What it does not do: know about weekdays or growth (compare with the right runs, or with changes),
//! or correct for many metrics watched at once (divide the rate by their number).

mod table;

use mlops_core::validation::Anomaly;
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use self::table::{CRITICAL, RATES};

const OPERATION: &str = "validate.anomaly";
/// Makes the median absolute deviation of normal values their standard deviation.
const NORMAL: f64 = 1.4826;
/// With fewer runs no threshold is worth its name.
pub const LEAST_HISTORY: usize = 5;

/// When a value is called unusual against earlier ones.
///
/// ```
/// use mlops_validate::stats::{AnomalyRule, Verdict};
///
/// # fn main() -> mlops_core::Result<()> {
/// let rule = AnomalyRule::for_counts().with_false_alarms(0.01);
/// let rows = [1010.0, 980.0, 1003.0, 997.0, 1021.0, 990.0, 1005.0, 1001.0];
/// let judgement = rule.judge(&rows, 1030.0)?;
/// assert_eq!(judgement.verdict, Verdict::Usual);
/// let judgement = rule.judge(&rows, 40.0)?;
/// assert_eq!(judgement.verdict, Verdict::Unusual);
/// assert_eq!(rule.judge(&rows[..3], 40.0)?.verdict, Verdict::TooFewRuns);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnomalyRule {
    window: usize,
    min_history: usize,
    false_alarms: f64,
    floor: Floor,
    #[serde(default)]
    ignore_below: f64,
}

/// The least scale that earlier runs are taken to have, however alike they were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Floor {
    /// None: after runs that were all equal, any other value is unusual.
    None,
    /// `√median`: counts scatter at least as a Poisson variable does.
    Poisson,
    /// This much, in the unit of the metric. For rates: the smallest change worth a look.
    Absolute(f64),
    /// This share of the median's magnitude.
    Relative(f64),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the range.
    Usual,
    /// Outside of the range, or NaN.
    Unusual,
    /// There is no range yet.
    TooFewRuns,
}

/// What was found, and against what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What was found.
    pub verdict: Verdict,
    /// What would have been usual, both ends included; nothing with too few runs.
    pub range: Option<(f64, f64)>,
    /// `(value − median) / scale`; infinite where the scale is 0, nothing with too few runs.
    pub z: Option<f64>,
    /// Earlier runs that were used: finite values of the window.
    pub history: usize,
}

/// What earlier runs lead to expect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outlook {
    /// Nothing yet.
    TooShort {
        /// Runs that could be used.
        has: usize,
        /// Runs that there must be.
        needs: usize,
    },
    /// A value from `low` to `high`, both included.
    Range {
        /// The least usual value.
        low: f64,
        /// The greatest usual value.
        high: f64,
        /// The middle of the earlier runs.
        median: f64,
        /// What counts as one standard deviation.
        scale: f64,
        /// Earlier runs that were used.
        runs: usize,
    },
}

impl AnomalyRule {
    /// For counts: rows, distinct values, bytes.
    pub fn for_counts() -> Self {
        Self {
            window: 30,
            min_history: 7,
            false_alarms: 0.01,
            floor: Floor::Poisson,
            ignore_below: 0.0,
        }
    }

    /// For shares and rates; `least_effect` is the smallest change that may count as one standard
    /// deviation, such as 0.001.
    pub fn for_rates(least_effect: f64) -> Self {
        Self { floor: Floor::Absolute(least_effect), ..Self::for_counts() }
    }

    /// For any other number, such as a mean.
    pub fn for_values() -> Self {
        Self { floor: Floor::None, ..Self::for_counts() }
    }

    /// How many of the last runs are looked at; 30 if nothing is said.
    pub fn with_window(mut self, runs: usize) -> Self {
        self.window = runs;
        self
    }

    /// How many runs there must be; 7 if nothing is said, and never fewer than 5.
    pub fn with_min_history(mut self, runs: usize) -> Self {
        self.min_history = runs;
        self
    }

    /// How often a usual value may be called unusual: 0.001 to 0.1, 0.01 if nothing is said.
    pub fn with_false_alarms(mut self, rate: f64) -> Self {
        self.false_alarms = rate;
        self
    }

    /// The least scale.
    pub fn with_floor(mut self, floor: Floor) -> Self {
        self.floor = floor;
        self
    }

    /// The share of the median by which a value may always differ; 0 if nothing is said.
    pub fn with_ignored_change(mut self, share: f64) -> Self {
        self.ignore_below = share;
        self
    }

    /// The rule of an `anomaly` check; `counts` if its metric counts something.
    pub fn of_check(check: &Anomaly, counts: bool) -> Self {
        Self {
            window: check.last as usize,
            min_history: check.at_least as usize,
            false_alarms: 1.0 / f64::from(check.one_in),
            floor: if counts { Floor::Poisson } else { Floor::None },
            ignore_below: check.ignore_below,
        }
    }

    /// Judges `value` against earlier ones, the latest last; those that are not finite are left out.
    ///
    /// # Errors
    /// `Invalid` for a rate of false alarms outside of 0.001 to 0.1, a floor that is negative or not
    /// finite, or a window shorter than the history that is asked for.
    pub fn judge(&self, history: &[f64], value: f64) -> Result<Judgement> {
        Ok(match self.outlook(history)? {
            Outlook::TooShort { has, .. } => {
                Judgement { verdict: Verdict::TooFewRuns, range: None, z: None, history: has }
            }
            Outlook::Range { low, high, median, scale, runs } => {
                let usual = low <= value && value <= high;
                let z = if value == median { 0.0 } else { (value - median) / scale };
                Judgement {
                    verdict: if usual { Verdict::Usual } else { Verdict::Unusual },
                    range: Some((low, high)),
                    z: Some(z),
                    history: runs,
                }
            }
        })
    }

    /// What earlier values, the latest last, lead to expect.
    ///
    /// # Errors
    /// As [`AnomalyRule::judge`].
    pub fn outlook(&self, history: &[f64]) -> Result<Outlook> {
        self.check()?;
        let window = &history[history.len().saturating_sub(self.window)..];
        let mut runs: Vec<f64> = window.iter().copied().filter(|run| run.is_finite()).collect();
        let (has, needs) = (runs.len(), self.min_history.max(LEAST_HISTORY));
        let (Some(median), Some(critical)) = (median(&mut runs), critical(has, self.false_alarms))
        else {
            return Ok(Outlook::TooShort { has, needs });
        };
        if has < needs {
            return Ok(Outlook::TooShort { has, needs });
        }
        let mut deviations: Vec<f64> = runs.iter().map(|run| (run - median).abs()).collect();
        let spread = NORMAL * self::median(&mut deviations).unwrap_or(0.0);
        let floor = match self.floor {
            Floor::None => 0.0,
            Floor::Poisson => median.abs().sqrt(),
            Floor::Absolute(least) => least,
            Floor::Relative(share) => share * median.abs(),
        };
        let scale = spread.max(floor);
        let reach = (critical * scale).max(self.ignore_below * median.abs());
        Ok(Outlook::Range { low: median - reach, high: median + reach, median, scale, runs: has })
    }

    /// What a rule must be; to be called on one that was read from outside.
    ///
    /// # Errors
    /// As [`AnomalyRule::judge`].
    pub fn check(&self) -> Result<()> {
        let refuse = |message: &'static str| Err(Error::invalid(OPERATION, message));
        if !(0.001..=0.1).contains(&self.false_alarms) {
            return refuse("a rate of false alarms is between 0.001 and 0.1")
                .map_err(|error| error.with("rate", self.false_alarms));
        }
        if !(self.ignore_below >= 0.0 && self.ignore_below.is_finite()) {
            return refuse("an ignored change is a share, 0 or more")
                .map_err(|error| error.with("share", self.ignore_below));
        }
        if let Floor::Absolute(least) | Floor::Relative(least) = self.floor
            && !(least >= 0.0 && least.is_finite())
        {
            return refuse("the least scale is a finite number, 0 or more")
                .map_err(|error| error.with("floor", least));
        }
        if self.window < self.min_history.max(LEAST_HISTORY) {
            return refuse("the window holds fewer runs than there must be").map_err(|error| {
                error
                    .with("window", self.window)
                    .with("min_history", self.min_history.max(LEAST_HISTORY))
            });
        }
        Ok(())
    }
}

/// How far a value may move from the one before, whatever the history: the constant bounds of Deequ's
/// and Great Expectations' change checks.
///
/// ```
/// use mlops_validate::stats::ChangeBounds;
///
/// let bounds = ChangeBounds { most_fall: Some(0.2), most_rise: Some(0.5) };
/// assert_eq!(ChangeBounds::change(1000.0, 1400.0), 0.4);
/// assert!(bounds.allow(1000.0, 1400.0));
/// assert!(!bounds.allow(1000.0, 799.0));
/// assert!(!bounds.allow(0.0, 1.0)); // infinitely more
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeBounds {
    /// Most that it may fall, as a share of the earlier value's magnitude; no bound if nothing is said.
    pub most_fall: Option<f64>,
    /// Most that it may rise.
    pub most_rise: Option<f64>,
}

impl ChangeBounds {
    /// The relative change `(value − before) / |before|`: 0 for two equal values, infinite for a change
    /// from 0, NaN if one is NaN.
    pub fn change(before: f64, value: f64) -> f64 {
        if before == value { 0.0 } else { (value - before) / before.abs() }
    }

    /// Whether a change is within the bounds; NaN never is.
    pub fn allow(&self, before: f64, value: f64) -> bool {
        let change = Self::change(before, value);
        !change.is_nan()
            && self.most_fall.is_none_or(|most| -change <= most)
            && self.most_rise.is_none_or(|most| change <= most)
    }
}

/// Sorts the values; nothing if there are none.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*values.get(values.len() / 2 - 1)?, upper))
}

/// The number of scales that a usual value exceeds with the given rate, after `n` runs: from the row of
/// the next shorter history, and between two rates on a straight line of logarithms.
fn critical(n: usize, rate: f64) -> Option<f64> {
    let (_, row) = CRITICAL.iter().rev().find(|(length, _)| *length <= n)?;
    let at = RATES.iter().position(|known| *known <= rate)?;
    if at == 0 || RATES[at] == rate {
        return Some(row[at]);
    }
    let (high, low) = (RATES[at - 1], RATES[at]);
    let way = (rate / high).ln() / (low / high).ln();
    Some((row[at - 1].ln() * (1.0 - way) + row[at].ln() * way).exp())
}

#[cfg(test)]
mod tests;
