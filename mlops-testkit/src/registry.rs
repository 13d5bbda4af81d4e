//! The cases of `Registry`, `Catalog` and `Lineage`: one for each clause of each sentence of the
//! contract.
//!
//! As those of the tracker they are written against the documentation of the traits and not against
//! any backend. The files follow the life of a version.

mod abuse;
mod aliases;
mod approvals;
mod bad_input;
mod catalog;
mod corpus;
mod facts;
mod gates;
mod history;
mod journal;
mod lineage;
mod models;
mod pages;
mod policies;
mod population;
mod promotion;
mod readers;
mod register;
pub(crate) mod replay;
mod resolve;
mod rollback;
mod search;
mod together;
mod trash;
mod versions;

use crate::Case;

pub use corpus::{MODEL_CORPUS, VERSION_CORPUS};
pub use population::{MODELS, populate};

/// All cases of `Registry`, `Catalog` and `Lineage`, and of what they write into the journal.
pub fn registry_cases() -> Vec<Case> {
    [
        models::cases(),
        aliases::cases(),
        register::cases(),
        versions::cases(),
        resolve::cases(),
        promotion::cases(),
        gates::cases(),
        policies::cases(),
        facts::cases(),
        approvals::cases(),
        rollback::cases(),
        abuse::cases(),
        history::cases(),
        trash::cases(),
        catalog::cases(),
        lineage::cases(),
        journal::cases(),
        readers::cases(),
        search::cases(),
        pages::cases(),
        bad_input::cases(),
        together::cases(),
    ]
    .concat()
}
