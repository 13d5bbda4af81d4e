//! Numbers about columns, exact and mergeable.

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
