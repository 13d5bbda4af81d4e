//! The model registry: which version may run where, who decided that, on what evidence, and how to go
//! back.
//!
//! [`Registry`] is the contract of a metadata backend, [`Catalog`] that of the small documents beside
//! it (policies, access rules). Uploading files, promoting in one call, caching, signing and webhooks
//! are engines of `mlops-registry`, the same for every backend.

pub mod check;
pub mod events;
pub mod lineage;

mod access;
mod approval;
mod catalog;
mod contract;
mod evidence;
mod gates;
mod manifest;
mod model;
mod moves;
mod policy;
mod promotion;
mod purge;
mod query;
mod record;
mod signature;
mod stage;
mod state;
mod uri;
mod version;

pub use access::{ACCESS_KIND, ACCESS_NAME, Access, Grant, Role};
pub use approval::{Approval, Verdict};
pub use catalog::{Catalog, Document, MAX_DOCUMENT_BYTES, PutDocument};
pub use contract::Registry;
pub use evidence::{
    DRILL_KIND, DrillSummary, EvaluationSummary, Evidence, FairnessSummary, ValidationSummary,
};
pub use manifest::{
    CodeState, FeatureServiceRef, FileFormat, MAX_FILES, Manifest, ManifestFile, Replay, SourceRun,
};
pub use model::{CreateModel, Model, ModelChanges};
pub use moves::{MoveCause, StageMove};
pub use policy::{
    ApprovalRule, DEFAULT_POLICY, Direction, Gate, Holders, Margin, POLICY_KIND, RollbackRule,
    StagePolicy, StageRules,
};
pub use promotion::{
    Fact, GateOutcome, GateResult, PromotionPlan, PromotionRequest, PromotionState, Step,
};
pub use purge::{ModelPurge, ModelPurgePlan, ModelPurgeReport};
pub use query::{ModelQuery, VersionQuery};
pub use signature::{
    Column, ColumnType, Item, MAX_COLUMNS, MAX_DEPTH, Mismatch, MismatchKind, Signature,
    SignatureCheck, SignatureSide,
};
pub use stage::Stage;
pub use state::RegistryState;
pub use uri::{ModelUri, Selector, VersionId};
pub use version::{
    Attestation, ImportedVersion, ModelVersion, RegisterVersion, Registered, VersionChanges,
    VersionObject,
};
