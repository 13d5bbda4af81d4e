//! SQL scalar expressions over Arrow: rules and row filters of checks, transforms of features.

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
