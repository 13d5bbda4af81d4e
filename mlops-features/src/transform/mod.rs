//! On-demand features: computed of other features and of the request when they are asked for.
//!
//! A feature is a SQL scalar expression (`mlops_expr`) or a function of the program ([`Functions`]).
//! [`Compiled`] resolves all of a service's, in order, so that a later one may use an earlier one; then the
//! same code answers a million training rows and the one row of a request. An expression's value depends on
//! its row alone, and so does a function's: typed ones are a loop that calls one closure, and those over
//! whole columns are tried when they are registered.
//!
//! A type is never changed silently: a value may be brought to a wider type of its kind (`int32` to `int`);
//! for all else an expression says CAST.

mod check;
mod compiled;
mod functions;
#[cfg(test)]
mod tests;
mod typed;

pub use self::compiled::Compiled;
pub use self::functions::{Functions, ScalarFunction, Vectorised};
pub use self::typed::{Days, Input, Micros, Output};
