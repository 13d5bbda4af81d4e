//! Data validation in one pass.

#![forbid(unsafe_code)]

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

pub use custom::{RowFunction, row_function};
pub use engine::Engine;
pub use plan::{Inputs, Plan};
pub use reference::Reference;
pub use source::{FileFacts, SourceFacts};
pub use split::Split;
pub use state::State;
