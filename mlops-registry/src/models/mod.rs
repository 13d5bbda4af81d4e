//! The model registry: versions, stages and their files, over any backend.
//!
//! [`Models`] is where everything starts. A version is described by a [`RegisterBuilder`] and immutable
//! once registered; it moves between stages by plans that are looked at, approved and applied; its files
//! come out verified, as a [`LoadedModel`] or by [`Models::download`]. [`Models::verify`] proves what is
//! stored, [`Models::copy_to`] carries it to another store, [`Models::replay_plan`] says what it takes to
//! make it again, and [`Authorized`] keeps honest callers to their roles.
//!
//! What it does not do: load a model into memory (which is its framework's business), judge how good it
//! is (reports of that are attached as evidence), or authenticate anybody.

mod authorized;
mod cache;
mod copy;
mod documents;
mod engine;
mod files;
mod graph;
mod objects;
mod policy_text;
mod promote;
mod register;
mod replay;
mod run_facts;
pub(crate) mod scan;
mod signing;
mod sources;
#[cfg(test)]
mod tests;
mod verify;

pub use authorized::Authorized;
pub use cache::{CachedModel, ModelCache};
pub use engine::Models;
pub use files::{DownloadModel, LoadedModel};
pub use graph::{Graph, Impact, OpenLineage};
pub use policy_text::{access_from_text, from_text, policy_from_text};
pub use register::RegisterBuilder;
pub use replay::{ReplayItem, ReplayPlan};
pub use signing::{SigningKey, require_signature, verify_attestation};
pub use verify::{ModelsProof, VerifyModels};
