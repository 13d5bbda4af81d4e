//! The cases of `Tracker` and `Journal`: one for each clause of each sentence of the contract.
//!
//! They are written against the documentation of the traits and not against any backend, so each
//! name can be read as a clause of it. The files follow the life of a run.

mod artifacts;
mod bad_input;
mod changes;
mod corpus;
mod experiments;
mod journal;
mod metrics;
mod pages;
mod population;
mod runs;
mod search;
mod trash;

use crate::Case;

pub use corpus::CORPUS;
pub use population::{EXPERIMENTS, populate};

/// All cases of `Tracker` and `Journal`.
pub fn tracker_cases() -> Vec<Case> {
    [
        experiments::cases(),
        runs::cases(),
        changes::cases(),
        metrics::cases(),
        artifacts::cases(),
        trash::cases(),
        search::cases(),
        pages::cases(),
        journal::cases(),
        bad_input::cases(),
    ]
    .concat()
}
