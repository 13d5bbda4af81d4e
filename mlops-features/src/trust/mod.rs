//! Can the features be trusted? What was served is kept, played again offline, and compared bit for bit;
//! a training set is looked through for what was not known in time; and views say how fresh they are.
//!
//! | question | answer |
//! |---|---|
//! | was online what offline says? | [`Features::logged`], then [`Features::verify_skew`] |
//! | did the training set know too much? | [`Features::leaks`] |
//! | is the online store late? | [`Features::freshness`] |
//! | what does a view hold? | [`Features::statistics`] |
//!
//! The non-obvious decision: a serving log keeps, with each answer, how much of the log was online and how
//! much there was *before* the answer was read. So an answer that lacks rows because the materializer was
//! behind, or because they came later, is told apart from one that is wrong: the first two are lag, the
//! last is skew, and of skew there must be none.
//!
//! What it does not do: watch by itself. Whoever calls these decides when; the alarms attach to
//! [`FreshnessHook`].
//!
//! [`Features::logged`]: crate::Features::logged
//! [`Features::verify_skew`]: crate::Features::verify_skew
//! [`Features::leaks`]: crate::Features::leaks
//! [`Features::freshness`]: crate::Features::freshness
//! [`Features::statistics`]: crate::Features::statistics

mod cells;
mod freshness;
mod leaks;
mod serving;
mod skew;
mod statistics;
#[cfg(test)]
mod tests;

pub use self::freshness::{Freshness, FreshnessHook, FreshnessRule, FreshnessState, Late};
pub use self::leaks::{
    FeatureLeaks, Known, LeakExample, LeakKind, LeakOptions, LeakReport, ViewLeaks,
};
pub(crate) use self::serving::Cleaned;
pub use self::serving::{
    LoggedService, ServingLog, ServingLogs, ServingMark, ServingOptions, WhenFull,
};
pub use self::skew::{FeatureSkew, SkewExample, SkewReport, Verify};
pub use self::statistics::{ColumnStatistics, Filled, ViewStatistics};
