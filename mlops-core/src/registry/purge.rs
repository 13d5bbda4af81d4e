//! Taking models and versions away for ever.

use serde::{Deserialize, Serialize};

use super::uri::VersionId;
use crate::ModelName;
use crate::time::Instant;
use crate::tracking::Blob;

/// Which part of the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ModelPurge {
    /// Everything that was deleted before this instant, and not at it.
    DeletedBefore(Instant),
    /// These versions; each must be in the trash, by itself or with its model.
    Versions(Vec<VersionId>),
    /// These models, with their versions; each must be in the trash.
    Models(Vec<ModelName>),
}

/// What a purge would take away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelPurgePlan {
    /// Models, by name; all their versions are in [`ModelPurgePlan::versions`].
    pub models: Vec<ModelName>,
    /// Versions, by model and number.
    pub versions: Vec<VersionId>,
    /// How many files they have.
    pub files: u64,
    /// How many bytes these are, before what others share is counted out.
    pub bytes: u64,
}

/// What a purge took away.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModelPurgeReport {
    /// How many models.
    pub models: u64,
    /// How many versions.
    pub versions: u64,
    /// The objects that nobody names any more, by location.
    pub freed: Vec<Blob>,
}
