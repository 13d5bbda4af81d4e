//! MLOps as a library: what SQLite is to databases.
//!
//! A program that trains or serves models links this crate and has experiment tracking in its own
//! process: no server to start, nothing to deploy. [`Workspace`] opens everything from one URL or
//! directory and wires it together; the parts are re-exported from their crates.
//!
//! ```
//! # futures::executor::block_on(async {
//! # let dir = tempfile::tempdir().unwrap();
//! # let directory = dir.path().join("mlops");
//! let ws = mlops::Workspace::open(&directory).await?;
//!
//! let run = ws.run("churn")?.name("baseline")?.param("lr", 0.1)?.start().await?;
//! for step in 0..100 {
//!     run.log_metric("loss", 1.0 / f64::from(step + 1), step.into())?;
//! }
//! run.finish().await?;
//!
//! for run in ws.search("metrics.loss < 0.5 and params.lr = '0.1'", &["metrics.loss"]).await? {
//!     println!("{}  loss {}", run.name, run.metrics["loss"].last);
//! }
//! # Ok::<_, mlops::Error>(()) }).unwrap();
//! ```
//!
//! # What is there
//! Experiment tracking, artifacts, the model registry ([`Workspace::models`]), data validation (`validate`), the
//! feature store (`Workspace::features`) and the journal, embedded. Drift monitoring, serving and recovery
//! follow, each in a crate of its own.
//!
//! # What it does not do
//! Start a server, a runtime or a thread that no handle owns; draw a user interface (export to MLflow
//! and use its own); work on a network file system.

#![forbid(unsafe_code)]

#[cfg(feature = "validate")]
mod reports;
#[cfg(feature = "features")]
mod training;
mod workspace;

pub use mlops_core::*;
#[cfg(feature = "features")]
pub use mlops_features as feature_store;
#[cfg(feature = "polars")]
pub use mlops_polars as polars;
pub use mlops_registry::*;
#[cfg(feature = "validate")]
pub use mlops_validate as validate;
#[cfg(feature = "validate")]
pub use reports::log_report;
#[cfg(feature = "features")]
pub use training::log_training_set;
pub use workspace::{Swept, Workspace, WorkspaceBuilder};

/// The README's program compiles; `examples/quickstart.rs` is the same, to be run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
