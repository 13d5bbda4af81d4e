//! Data validation in one pass: is this data fit to use, and exactly which rows are not?
//!
//! For everyone who lets data into a pipeline, a model or a database. A [`Suite`] of checks is data;
//! [`checks`] has every rule, with its meaning and an example. A suite compiles for a schema into a
//! [`Plan`], and every fault of the suite for that data is found then, before a value is read. A plan's
//! [`State`] takes batches and merges with others, so that a batch, a stream, eight threads over the row
//! groups of a file, and partitions of different days are the same code with the same answer.
//! [`Engine`] does all that for a table in memory, a stream, or files by URL.
//!
//! ```
//! use mlops_core::time::{Clock, SystemClock};
//! use mlops_core::validation::{Suite, Verdict};
//! use mlops_validate::checks::{CheckExt, in_set, not_null, range, unique};
//! use mlops_validate::{Inputs, Plan, batch};
//!
//! # fn main() -> mlops_core::Result<()> {
//! let orders = batch!(
//!     ("id", Int64, [1, 2, 2]),
//!     ("status", Utf8, [Some("new"), Some("lost"), None]),
//!     ("total", Float64, [9.5, 0.0, 12.0])
//! );
//! let suite = Suite::new("orders")?
//!     .with(unique(["id"]))
//!     .with(in_set("status", ["new", "paid"]))
//!     .with(not_null("status").mostly(0.6)?)
//!     .with(range("total").above(0).warn());
//!
//! let plan = Plan::new(&suite, &orders.schema(), &Inputs::new(SystemClock.now()))?;
//! let report = plan.validate(&orders)?;
//! assert_eq!(report.verdict, Verdict::Failed);
//! let failed: Vec<&str> = report.failures().map(|outcome| outcome.check.as_str()).collect();
//! assert_eq!(failed, ["unique(id)", "in_set(status)", "range(total)"]);
//! # Ok(())
//! # }
//! ```
//!
//! Around the engine: [`suite`] reads suites from YAML and JSON, compares two, proposes one from good data,
//! and takes over those of Great Expectations; [`report`] writes reports as pages; [`stats`] has profiles
//! and the distances between distributions.
//!
//! # How it is fast
//! Rows are judged in chunks of 8,192 that stay in the cache, into bit masks; what is good 64 times in a
//! row is recognised 64 at a time. Statistics in a file's footer, and its dictionaries, decide what they
//! can, soundly; columns that nobody needs are not decoded.
//!
//! # What it does not do
//! Run SQL over several tables, or push checks down into a database; repair data; start a runtime. A
//! Parquet file that is encrypted is not read.
//!
//! [`Suite`]: mlops_core::validation::Suite

#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "files"),
    allow(dead_code, reason = "what statistics of files prove is asked only where files are read")
)]

mod bits;
pub mod checks;
mod compile;
mod custom;
mod engine;
mod expression;
#[cfg(feature = "files")]
mod files;
mod folds;
mod kernel;
mod keys;
mod memory;
mod nearest;
mod plan;
#[cfg(feature = "files")]
mod quarantine;
mod reference;
mod rules;
mod saved;
mod scalar;
mod second;
mod slots;
mod source;
mod split;
mod state;
mod tally;
mod text;

pub mod report;
pub mod stats;
pub mod suite;

pub use mlops_core::arrow;

pub use custom::{RowFunction, row_function};
pub use engine::Engine;
pub use plan::{Inputs, Plan};
pub use reference::Reference;
pub use source::{FileFacts, SourceFacts};
pub use split::Split;
pub use state::State;

/// A small table, for examples and tests.
///
/// ```
/// let table = mlops_validate::batch!(("id", Int64, [1, 2]), ("name", Utf8, [Some("a"), None]));
/// assert_eq!((table.num_rows(), table.num_columns()), (2, 2));
/// ```
///
/// # Panics
/// If the columns are of different lengths.
#[macro_export]
macro_rules! batch {
    ($(($name:expr, $type:ident, [$($value:expr),* $(,)?])),+ $(,)?) => {
        $crate::arrow::array::RecordBatch::try_from_iter_with_nullable([
            $((
                $name,
                $crate::arrow::array::create_array!($type, [$($value),*])
                    as $crate::arrow::array::ArrayRef,
                true,
            )),+
        ])
        .expect("invariant: the columns of a table are of one length")
    };
}
