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
//!
//! Importing undoes each line, so what was exported comes back; everything else of MLflow's tags stays
//! a tag under its name there. The status of a run that MLflow calls `RUNNING` or `SCHEDULED` is
//! `killed` here, because no process of ours writes it, and the tag `mlops.import.status` says so.
//!
//! # What it does not do
//! Models, versions, aliases, traces, prompts and evaluations are counted, not converted. The journal,
//! leases and the instants at which something was deleted or a file was put are not carried over. The
//! last value of a metric is the last one *written* here, and the one of the greatest step there:
//! where these differ, the report counts it.

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
    /// From which store a run was imported.
    pub(super) const IMPORT_SOURCE: &str = "mlops.import.source";
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
