//! How a failure inside the SQLite backend becomes a public error: one exhaustive mapping.

use std::path::Path;

use mlops_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// A result inside this backend.
pub(super) type Outcome<T> = Result<T, Fail>;

/// A failure inside this backend.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fail {
    /// It has its public meaning already.
    #[error(transparent)]
    Api(#[from] Error),
    /// SQLite said no.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// A stored value is not what this library wrote.
    #[error("stored {what} is not what was written")]
    Stored {
        /// Which value.
        what: &'static str,
    },
}

impl Fail {
    /// The public meaning of a failure of `operation` on the database `path`.
    pub(super) fn publish(self, operation: &'static str, path: &Path) -> Error {
        let sql = match self {
            Self::Api(error) => return error,
            Self::Stored { what } => {
                return Error::corrupt(operation, "a stored value is damaged")
                    .with("value", what)
                    .with("file", path.display());
            }
            Self::Sql(sql) => sql,
        };
        let (kind, message, hint) = match sql.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                ErrorKind::Unavailable,
                "another process holds the write lock for too long",
                Some("look for a process that is stopped in the middle of a write, then retry"),
            ),
            Some(ErrorCode::DiskFull) => (
                ErrorKind::Unavailable,
                "the disk, or the bound on the database's size, is full",
                Some("free some space, then retry: nothing of this call was stored"),
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                (ErrorKind::Denied, "the store may not be written", Some("check its permissions"))
            }
            Some(ErrorCode::CannotOpen) => {
                (ErrorKind::Denied, "the database cannot be opened", Some("check its permissions"))
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                ErrorKind::Corrupt,
                "the database is damaged",
                Some("restore it from a backup; do not write to it"),
            ),
            Some(ErrorCode::SystemIoFailure) => {
                (ErrorKind::Unavailable, "reading or writing the database failed", None)
            }
            Some(ErrorCode::TooBig) => (ErrorKind::Invalid, "a value is too large", None),
            _ => (ErrorKind::Internal, "unexpected answer from SQLite", None),
        };
        let error =
            Error::new(kind, operation, message).with("file", path.display()).with("cause", &sql);
        let error = match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
        error.with_source(sql)
    }
}
