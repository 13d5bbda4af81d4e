//! MLflow: showing it what is stored here, and taking over what is stored there.
//!
//! [`export`] writes a database that `mlflow ui --backend-store-uri sqlite:///…` opens, with the
//! artifacts beside it; [`import_mlruns`] and [`import_database`] read MLflow's two stores, its folder
//! of files and its SQLite database. No Python is needed for either.
//!
//! The non-obvious decision is the revision that is written: `acf3f17fdcc7` of 2023, the one of
//! MLflow 2.9. Every later MLflow finds tables missing and brings the file up to date by itself when
//! it opens it; a file of a newer revision is refused by every older MLflow, and a file that is one
//! revision behind but has all tables is refused by the newest. So the oldest useful revision is the
//! one that most versions open.
//!
//! The two models are not the same, and nothing is dropped in silence: what cannot be said on the
//! other side, or is said otherwise, is counted in the report's [`Finding`]s with a few examples.
//!
//! # How one is said as the other
//! | here | there |
//! |---|---|
//! | id of a run | the same |
//! | id of an experiment | a small number; the id itself in the experiment's tag `mlops.experiment_id` |
//! | name, user, note, parent | the columns, and `mlflow.runName`, `mlflow.user`, `mlflow.note.content`, `mlflow.parentRunId` |
//! | `mlops.source.commit`, `.branch`, `.remote`, `.entry` | kept, and again as `mlflow.source.git.commit`, `.git.branch`, `.git.repoURL`, `mlflow.source.name` |
//! | status `lost` | `KILLED`, and the tag `mlops.status` |
//! | start and end in microseconds | milliseconds, and the tags `mlops.started`, `mlops.ended` where that is not the same |
//! | a dataset's context, digest | its input's tags `mlflow.data.context` and, if longer than 36 characters, `mlops.digest` |
//! | trash | `lifecycle_stage = deleted` |
//! | model, version, number, alias | the same |
//! | stage `Development` | `None`, and the tag `mlops.stage` |
//! | author and note of a version | `user_id`, `description` |
//! | files of a version | its source: the folder of its run that has just these files, else `models/<name>/<number>` |
//! | manifest, evidence, attestations | a JSON file beside the files, which the tag `mlops.manifest` names; its digest in `mlops.digest` |
//! | version in the trash, or purged | `Deleted_Internal`, so that its number is not given again |
//!
//! Importing undoes each line, so what was exported comes back; everything else of MLflow's tags stays
//! a tag under its name there. The status of a run that MLflow calls `RUNNING` or `SCHEDULED` is
//! `killed` here, because no process of ours writes it, and the tag `mlops.import.status` says so.
//!
//! A version of MLflow's own becomes the files that its source names: those of its run, which are
//! stored once, a model that was logged, or a local folder with an `MLmodel` file; its signature is
//! read from there, its metrics, params and inputs are those of its run. A version whose files
//! cannot be read is not imported, because nothing here stands for files that nobody has.
//!
//! # What it does not do
//! Logged models, traces, prompts and evaluations are counted, not converted. The journal, leases,
//! policies, the history of stages, and the instants at which something was deleted or a file was put
//! are not carried over. No `MLmodel` file is made up: MLflow downloads every version, and loads those
//! that are models of its own kind. The last value of a metric is the last one *written* here, and the
//! one of the greatest step there: where these differ, the report counts it.

mod document;
mod export;
mod import;
mod report;
mod sheet;
mod text;
mod uri;

pub use export::{ExportOptions, ExportReport, export};
pub use import::{ImportOptions, ImportReport, Tally, import_database, import_mlruns};
pub use report::{Finding, FindingKind};

use std::path::Path;

use mlops_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The stage of a version that MLflow has deleted.
const DELETED_STAGE: &str = "Deleted_Internal";
/// Greatest finite number: what MLflow's SQL stores put in the place of infinity.
const LARGEST: f64 = f64::MAX;

/// The labels in which the two models meet.
mod tag {
    pub(super) const RUN_NAME: &str = "mlflow.runName";
    pub(super) const USER: &str = "mlflow.user";
    pub(super) const NOTE: &str = "mlflow.note.content";
    pub(super) const PARENT: &str = "mlflow.parentRunId";
    /// Our label, and MLflow's of the same meaning.
    pub(super) const SOURCE: [(&str, &str); 4] = [
        ("mlops.source.commit", "mlflow.source.git.commit"),
        ("mlops.source.branch", "mlflow.source.git.branch"),
        ("mlops.source.remote", "mlflow.source.git.repoURL"),
        ("mlops.source.entry", "mlflow.source.name"),
    ];
    /// What a dataset was used for, on its input.
    pub(super) const CONTEXT: &str = "mlflow.data.context";
    /// The whole digest of a dataset, on its input.
    pub(super) const DIGEST: &str = "mlops.digest";
    /// The id of an experiment of ours.
    pub(super) const EXPERIMENT: &str = "mlops.experiment_id";
    /// The status that MLflow has no word for.
    pub(super) const STATUS: &str = "mlops.status";
    /// The start, to the microsecond.
    pub(super) const STARTED: &str = "mlops.started";
    /// The end, to the microsecond.
    pub(super) const ENDED: &str = "mlops.ended";
    /// When a model or version was made, to the microsecond.
    pub(super) const CREATED: &str = "mlops.created";
    /// The stage that MLflow has no word for.
    pub(super) const STAGE: &str = "mlops.stage";
    /// The aliases that MLflow refuses, as JSON.
    pub(super) const ALIASES: &str = "mlops.aliases";
    /// Where the manifest of a version is.
    pub(super) const MANIFEST: &str = "mlops.manifest";
    /// What MLflow calls prompts are models with this label.
    pub(super) const PROMPT: &str = "mlflow.prompt.is_prompt";
    /// From which store something was imported.
    pub(super) const IMPORT_SOURCE: &str = "mlops.import.source";
    /// Where MLflow has the files of a version.
    pub(super) const IMPORT_URI: &str = "mlops.import.uri";
    /// The name that a model had there, if it can be none here.
    pub(super) const MODEL_NAME: &str = "mlflow.model_name";
    /// The link to its run that a version had there.
    pub(super) const RUN_LINK: &str = "mlflow.run_link";
    /// The logged model that a version was made of.
    pub(super) const MODEL_ID: &str = "mlflow.model_id";
    /// The status that we have no word for.
    pub(super) const IMPORT_STATUS: &str = "mlops.import.status";
    /// The id that a run had there, if it is none of ours.
    pub(super) const IMPORT_ID: &str = "mlflow.run_id";
}

/// The public meaning of an answer of SQLite about somebody's file.
fn sql_error(operation: &'static str, path: &Path, source: rusqlite::Error) -> Error {
    let (kind, message) = match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => (ErrorKind::Invalid, "is no SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => (ErrorKind::Corrupt, "the database is damaged"),
        Some(ErrorCode::CannotOpen) => (ErrorKind::NotFound, "the database cannot be opened"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (ErrorKind::Denied, "the database may not be read or written")
        }
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked,
        ) => (ErrorKind::Unavailable, "the database cannot be read or written now"),
        _ => (ErrorKind::Internal, "unexpected answer from SQLite"),
    };
    Error::new(kind, operation, message)
        .with("file", path.display())
        .with("cause", &source)
        .with_source(source)
}
