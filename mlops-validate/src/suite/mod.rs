//! Suites beside the engine: written as text, compared, proposed, taken over from elsewhere.
//!
//! A [`Suite`](mlops_core::validation::Suite) is plain data; what is here makes one or says
//! something about two. Nothing here reads a row.

mod diff;
pub mod gx;
mod suggest;
mod text;

pub use self::diff::{Change, Effect, FieldChange, SuiteDiff, diff};
pub use self::suggest::{Reason, SuggestOptions, Suggestion, suggest};
pub use self::text::{Include, Template, to_json, to_yaml};
