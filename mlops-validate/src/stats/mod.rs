//! Numbers about columns: sums, moments, histograms, quantiles, profiles, and how far two are apart.
//!
//! Whatever is kept while rows stream past is made of counts, extremes and exact sums, so the result
//! has the same bits for any batch size, order of rows, number of threads and tree of merges; a
//! floating-point number is rounded once, when it is asked for. Everything is plain data that serde
//! stores, and plain functions: no clock, no file, no thread.
//!
//! | for | use | memory |
//! |---|---|---|
//! | sum, mean, variance, extremes | [`Moments`] | 2 KiB |
//! | quantiles within 2⁻⁷ | [`Histogram`] | 1 KiB for each power of two in use |
//! | exact quantiles | [`ExactQuantiles`] | 8 bytes a value |
//! | everything about a table | [`Profile`] | that of its columns, and at most 1,000 values each |
//! | comparing two samples | [`Bins`], then [`psi`], [`chi_square`] … | the cells |
//! | a metric against earlier runs | [`AnomalyRule`] | none |

mod anomaly;
mod big;
mod bins;
mod distance;
mod folds;
mod histogram;
mod limbs;
mod moments;
mod profile;
mod quantile;
mod select;
mod special;
mod sum;

pub use self::anomaly::{
    AnomalyRule, ChangeBounds, Floor, Judgement, LEAST_HISTORY, Outlook, Verdict,
};
pub use self::bins::{BinCounts, Bins};
pub use self::distance::{
    ChiSquare, KolmogorovSmirnov, chi_square, jensen_shannon, kolmogorov_smirnov, psi,
    total_variation, wasserstein,
};
pub use self::histogram::{Cell, Histogram, Interval};
pub use self::moments::{FloatMoments, Moments, Variance, WholeMoments};
pub use self::profile::{ColumnProfile, MAX_CATEGORIES, MAX_CATEGORY_BYTES, Order, Profile, Value};
pub use self::quantile::{ExactQuantiles, QuantileValue, Rule};
pub use self::sum::{ExactSquares, ExactSum};
