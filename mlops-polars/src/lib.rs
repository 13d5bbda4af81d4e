//! Polars data frames and lazy frames in and out of this library.
//!
//! For programs that hold their data in Polars. Everything here speaks Arrow, but Polars has an
//! implementation of Arrow of its own, so what the two share is a memory layout and not a type. The
//! bridge is the Arrow C data interface: a pointer to the same buffers and a function that gives them
//! back. [`to_arrow`] and [`from_arrow`] therefore copy no values where both sides have the type; what
//! is converted instead is listed with each.
//!
//! ```
//! use mlops_core::validation::{Suite, Verdict};
//! use mlops_polars::polars::df;
//! use mlops_validate::checks::{in_set, not_null, range};
//!
//! let orders = df! {
//!     "order_id" => [Some(1_i64), Some(2), None],
//!     "quantity" => [3_i32, 250, 1],
//!     "status" => ["new", "paid", "lost"],
//! }
//! .unwrap();
//! let suite = Suite::new("orders")?
//!     .with(not_null("order_id"))
//!     .with(range("quantity").min(1).max(100))
//!     .with(in_set("status", ["new", "paid", "shipped"]));
//!
//! let report = mlops_polars::validate(&orders, &suite)?;
//! assert_eq!(report.verdict, Verdict::Failed);
//! assert_eq!(report.outcomes.iter().map(|found| found.counts.failed).sum::<u64>(), 3);
//! # Ok::<_, mlops_core::Error>(())
//! ```
//!
//! Wherever the library takes [`Data`](mlops_core::validation::Data), [`IntoData`] makes it of a frame;
//! a lazy frame becomes a stream whose memory is bounded.
//!
//! # Versions
//! Polars changes its API with each 0.x release, so a frame of another Polars than this crate's is
//! another type; the one it was built with is re-exported as [`polars`]. Features add up: a program
//! that scans Parquet files names Polars itself, in the same version, with the feature `parquet`.
//!
//! # What it does not do
//! Run a suite as a Polars query: rules are judged by `mlops-validate` alone, so that a frame, a file
//! and a request get the same verdict. Carry `Int128`, `UInt128`, `Object` and extension types, or
//! Arrow's unions, intervals, list views and run-end encoded arrays: an error names the column. Keep the
//! name of a named set of categories: a categorical comes back as one of the global categories.

// Not `forbid`: ffi.rs hands pointers from one Arrow implementation to the other.
#![deny(unsafe_code)]

mod data;
mod domain;
mod error;
mod ffi;
mod from_arrow;
mod lazy;
mod plain;
mod to_arrow;
mod validate;

pub use data::IntoData;
pub use from_arrow::from_arrow;
pub use polars;
pub use to_arrow::to_arrow;
pub use validate::{Split, split, validate, validate_with};
