//! How much of the data may fail, without a float in the verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The share of judged rows that must pass: more than 0, at most 1, in millionths.
///
/// The verdict is integer arithmetic: a check fails if and only if
/// `failed · 10⁶ > (10⁶ − mostly) · judged`. So no rounding decides, whatever the number of rows.
///
/// ```
/// use mlops_core::validation::Mostly;
///
/// let mostly = Mostly::new(0.97)?;
/// assert!(mostly.accepts(3, 100));
/// assert!(!mostly.accepts(4, 100));
/// assert_eq!(
///     Mostly::new(97.0).unwrap_err().to_string(),
///     "mostly: invalid: a share of rows is more than 0 and at most 1 (mostly: 97); \
///      hint: 97 % is written 0.97",
/// );
/// # Ok::<_, mlops_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Mostly(u32);

const MILLION: u32 = 1_000_000;

impl Mostly {
    /// Every judged row must pass.
    pub const ALL: Self = Self(MILLION);

    /// This share of the judged rows must pass, rounded to a millionth.
    ///
    /// # Errors
    /// `Invalid` unless `0 < share ≤ 1`, or for a share that is nearer to 0 than a millionth.
    pub fn new(share: f64) -> Result<Self> {
        let millionths = (share * f64::from(MILLION)).round();
        if share > 0.0 && share <= 1.0 && millionths >= 1.0 {
            return Ok(Self(millionths as u32));
        }
        let error = Error::invalid("mostly", "a share of rows is more than 0 and at most 1")
            .with("mostly", share);
        Err(if share > 1.0 && share <= 100.0 {
            error.with_hint(format!("{share} % is written {}", share / 100.0))
        } else {
            error
        })
    }

    /// The share as a number.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(MILLION)
    }

    /// Whether `failed` of `judged` rows are few enough.
    pub fn accepts(self, failed: u64, judged: u64) -> bool {
        u128::from(failed) * u128::from(MILLION)
            <= u128::from(MILLION - self.0) * u128::from(judged)
    }

    /// Whether this is [`Mostly::ALL`].
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }
}

impl Default for Mostly {
    fn default() -> Self {
        Self::ALL
    }
}

impl TryFrom<f64> for Mostly {
    type Error = Error;

    fn try_from(share: f64) -> Result<Self> {
        Self::new(share)
    }
}

impl From<Mostly> for f64 {
    fn from(mostly: Mostly) -> Self {
        mostly.share()
    }
}

impl fmt::Display for Mostly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 1e4)
    }
}
