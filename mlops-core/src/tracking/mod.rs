//! Experiment tracking: what a training run did, with which data, code and environment, and how well.
//!
//! [`Tracker`] is the contract of a metadata backend. It stores small rows and opaque metric chunks;
//! encoding points, moving artifact bytes and the life of a run are engines of `mlops-registry`, the
//! same for every backend.

pub mod check;
pub mod events;

mod changes;
mod experiment;
mod metric;
mod query;
mod record;
mod run;
mod tracker;

pub use changes::{ArtifactEntry, Expect, RunChanges, SealedMetrics};
pub use experiment::{CreateExperiment, Experiment, ExperimentChanges};
pub use metric::{
    ChunkData, ChunkId, MAX_STEP, MetricChunk, MetricHistory, MetricPoint, MetricSummary, Origin,
    StoredChunk, check_step,
};
pub(crate) use query::page_limit;
pub use query::{ExperimentQuery, HistoryQuery, MAX_PAGE, Page, PageToken, RunQuery, View};
pub use run::{
    Artifact, Blob, BlobLocation, CreateRun, DatasetContext, DatasetInput, Digest, Lease,
    MAX_VALUE_BYTES, Run, RunStatus,
};
pub use tracker::{Purge, PurgePlan, PurgeReport, Tracker};
