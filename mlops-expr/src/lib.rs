//! SQL scalar expressions over Arrow: business rules and row filters of checks, transforms of
//! features. One engine for all, and the same code for a million rows and for one.
//!
//! A text is parsed ([`Expr`]), bound to a schema and to parameters ([`Bound`]), and evaluated:
//!
//! ```
//! use std::sync::Arc;
//! use mlops_core::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
//! use mlops_core::arrow::datatypes::Float64Type;
//! use mlops_expr::{Expr, Parameters};
//!
//! let batch = RecordBatch::try_from_iter([
//!     ("delay", Arc::new(Int64Array::from(vec![30, -5])) as ArrayRef),
//!     ("carrier", Arc::new(StringArray::from(vec!["UA", "B6"]))),
//! ]).unwrap();
//!
//! let late: Expr = "greatest(delay, 0) / :scale".parse()?;
//! let late = late.bind(&batch.schema(), &Parameters::new().with("scale", 60.0))?;
//! assert_eq!(late.eval(&batch)?.as_primitive::<Float64Type>().values(), &[0.5, 0.0]);
//!
//! let rule: Expr = "carrier in ('UA', 'AA') or delay <= 0".parse()?;
//! let (mut yes, mut unknown) = (Vec::new(), Vec::new());
//! rule.bind(&batch.schema(), &Parameters::new())?.truth(&batch, &mut yes, &mut unknown)?;
//! assert_eq!((yes, unknown), (vec![0b11], vec![0]));
//! # Ok::<(), mlops_core::Error>(())
//! ```
//!
//! The non-obvious decision: every mistake in an expression is found when it is bound, and nothing
//! that a row holds is an error afterwards; what has no answer is null. [`semantics`] is the rule for
//! each operator. Arrow's comparison kernels are not used: they order floats by bits, so that −0.0 is
//! below 0.0, and round where whole numbers meet floats.
//!
//! What it does not do: aggregates, windows and subqueries (an expression is about one row); elements
//! of lists and maps; calendars of named time zones; functions of one's own.

#![forbid(unsafe_code)]

mod ast;
mod bind;
mod bound;
mod calendar;
mod eval;
mod expr;
mod parameters;
mod parse;
mod print;
pub mod semantics;
mod source;
#[cfg(test)]
mod tests;
mod types;

pub use self::bound::Bound;
pub use self::expr::Expr;
pub use self::parameters::{Parameter, Parameters};

/// The longest text that is parsed, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The levels that an expression may have. AND and OR are one level for all of their terms.
pub const MAX_DEPTH: usize = 64;

/// The parts (literals, columns, operators, calls) that an expression may have.
pub const MAX_NODES: usize = 10_000;
