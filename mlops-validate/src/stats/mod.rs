//! Numbers about columns, exact and mergeable.

mod big;
mod folds;
mod limbs;
mod moments;
mod select;
mod sum;

pub use self::moments::{FloatMoments, Moments, Variance, WholeMoments};
pub use self::sum::{ExactSquares, ExactSum};
