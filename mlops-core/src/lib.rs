//! The vocabulary and the contracts of the `mlops` library.
//!
//! MLOps as a library: what SQLite is to databases. A program that trains or serves models links
//! these crates and has the life cycle in its own process. This crate is for everyone who implements
//! a backend, wraps one, or passes values between rooms: plain data, errors, time, ids, and the
//! traits. It does no I/O and starts no runtime.
//!
//! Six contracts carry the library. [`tracking::Tracker`], [`registry::Registry`],
//! [`validation::Validator`] and [`features::FeatureStore`] are here; `DriftMonitor` and `BackupTarget` take their
//! places beside them with their crates.
//! [`journal::Journal`] is the spine under all of them: every change of metadata is one row of it.
//!
//! What it does not do: talk to a disk, a database or a network; read the clock outside [`time`],
//! make ids outside [`RunId::generate`] and its siblings, or hold any global state.

#![forbid(unsafe_code)]

mod backend_url;
mod capability;
mod error;
mod float;
mod id;
mod json;
mod name;
mod secret;

pub mod features;
pub mod filter;
pub mod journal;
pub mod lineage;
pub mod registry;
pub mod time;
pub mod tracking;
pub mod validation;
pub mod yaml;

pub use arrow;
pub use backend_url::BackendUrl;
pub use capability::Capability;
pub use error::{Error, ErrorKind, Result};
pub use id::{ExperimentId, RunId, SpoolId};
pub use json::{MAX_JSON_DEPTH, check_json};
pub use name::{
    Alias, ArtifactPath, ExperimentName, Key, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_SEGMENT_BYTES,
    ModelName, RunName,
};
pub use secret::Secret;
