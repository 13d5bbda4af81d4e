//! Data validation in one pass.

#![forbid(unsafe_code)]

mod bits;
pub mod checks;
mod compile;
mod custom;
mod expression;
mod folds;
mod kernel;
mod keys;
mod memory;
mod nearest;
mod plan;
mod reference;
mod rules;
mod scalar;
mod second;
mod slots;
mod source;
mod state;
mod tally;
mod text;

pub mod report;
pub mod stats;
pub mod suite;

pub use custom::{RowFunction, row_function};
pub use plan::{Inputs, Plan};
pub use reference::Reference;
pub use source::{FileFacts, SourceFacts};
pub use state::State;
