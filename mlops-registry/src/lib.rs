//! Experiment tracking and the model registry, embedded.

mod active;
mod artifacts;
mod blocking;
mod compare;
mod history;
mod points;
mod recover;
mod spool;
mod sweep;
mod tracking;

pub mod backends;
pub mod blobs;
pub mod capture;
pub mod durable;
pub mod feed;
#[cfg(feature = "sqlite")]
pub mod mlflow;
pub mod models;

pub use active::{ActiveRun, Batch, RunBuilder};
pub use models::{
    Authorized, DownloadModel, LoadedModel, ModelCache, Models, ModelsProof, RegisterBuilder,
    ReplayPlan, SigningKey, VerifyModels, access_from_text, policy_from_text,
};
pub use recover::Recovered;
pub use tracking::{Retention, RetentionPlan, Tracking, TrackingOptions};

/// The one who acts when nobody else is named: `user@host`.
///
/// # Errors
/// `Invalid` if the machine's name for itself cannot be an actor's.
pub fn default_actor() -> mlops_core::Result<mlops_core::journal::Actor> {
    let (user, host) = (capture::user_name(), capture::host_name());
    let named = |name: String, none: &str| if name.is_empty() { none.to_owned() } else { name };
    let user = named(user, "unknown");
    mlops_core::journal::Actor::new(format!("{user}@{}", named(host, "localhost")))
}
