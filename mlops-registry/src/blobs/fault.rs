//! What the store and the file system say, in the words of [`mlops_core::Error`]; mapped here,
//! once.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use mlops_core::{Error, ErrorKind};
use object_store::Error as StoreError;
use tokio::task::JoinError;

/// What to do about bytes that are not what was written.
pub(crate) const RESTORE_HINT: &str = "restore the object from a backup";

/// An error of the object store while it worked on `location`.
pub(crate) fn store_error(operation: &'static str, location: &str, error: StoreError) -> Error {
    let meaning = match &error {
        StoreError::NotFound { .. } => Meaning::of(ErrorKind::NotFound, "there is no such object"),
        StoreError::AlreadyExists { .. } => {
            Meaning::of(ErrorKind::AlreadyExists, "there is an object of that name")
        }
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            Meaning::of(ErrorKind::Conflict, "the object changed meanwhile")
        }
        StoreError::PermissionDenied { .. } => {
            Meaning::of(ErrorKind::Denied, "the store does not permit this")
        }
        StoreError::Unauthenticated { .. } => {
            Meaning::of(ErrorKind::Denied, "the store does not know these credentials")
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            Meaning::of(ErrorKind::Unsupported, "the store cannot do this")
        }
        StoreError::InvalidPath { .. } => {
            Meaning::of(ErrorKind::Invalid, "is no path of an object store")
        }
        StoreError::UnknownConfigurationKey { .. } => {
            Meaning::of(ErrorKind::Invalid, "the store has no such setting")
        }
        // `Generic` of a local store has the cause somewhere below; of a remote one it is what is
        // left after its own retries.
        other => io_cause(other)
            .map_or(Meaning::of(ErrorKind::Unavailable, "the store could not do this"), |cause| {
                Meaning::of_io(cause.kind())
            }),
    };
    let mapped = meaning.into_error(operation);
    let mapped = if location.is_empty() { mapped } else { mapped.with("location", location) };
    mapped.with_source(error)
}

/// An error of the file system at `path`.
pub(crate) fn io_error(operation: &'static str, path: &Path, error: io::Error) -> Error {
    Meaning::of_io(error.kind())
        .into_error(operation)
        .with("path", path.display())
        .with_source(error)
}

/// Work off the executor that did not come to its end.
pub(crate) fn join_error(operation: &'static str, error: JoinError) -> Error {
    let mapped = if error.is_panic() {
        Error::new(ErrorKind::Internal, operation, "a blocking step panicked")
    } else {
        Error::unavailable(operation, "the runtime is shutting down")
    };
    mapped.with_source(error)
}

/// How an error is told.
struct Meaning {
    kind: ErrorKind,
    message: &'static str,
    hint: Option<&'static str>,
}

impl Meaning {
    fn of(kind: ErrorKind, message: &'static str) -> Self {
        Self { kind, message, hint: None }
    }

    fn of_io(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Io;
        match kind {
            Io::NotFound => Self::of(ErrorKind::NotFound, "there is no such file or directory"),
            Io::AlreadyExists => Self::of(ErrorKind::AlreadyExists, "there is a file of that name"),
            Io::PermissionDenied => {
                Self::of(ErrorKind::Denied, "the file system does not permit this")
            }
            Io::ReadOnlyFilesystem => Self::of(ErrorKind::Denied, "the file system is read-only"),
            Io::StorageFull => Self {
                kind: ErrorKind::Unavailable,
                message: "disk is full",
                hint: Some("free space on that disk, then try again; nothing was stored"),
            },
            Io::QuotaExceeded => Self {
                kind: ErrorKind::Unavailable,
                message: "disk quota is exhausted",
                hint: Some("free space or raise the quota, then try again; nothing was stored"),
            },
            Io::NotADirectory | Io::IsADirectory => {
                Self::of(ErrorKind::Invalid, "a file stands where a directory should, or reversed")
            }
            Io::InvalidFilename => Self::of(ErrorKind::Invalid, "the file system refuses the name"),
            _ => Self::of(ErrorKind::Unavailable, "input or output failed"),
        }
    }

    fn into_error(self, operation: &'static str) -> Error {
        let error = Error::new(self.kind, operation, self.message);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The error of the operating system below an error of the store, if there is one.
fn io_cause(error: &StoreError) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(io: io::ErrorKind) -> Error {
        let source = Box::new(io::Error::from(io));
        store_error("blobs.upload", "blobs/x", StoreError::Generic { store: "test", source })
    }

    #[test]
    fn a_full_disk_is_unavailable_and_says_so() {
        let error = generic(io::ErrorKind::StorageFull);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(
            error.to_string(),
            "blobs.upload: unavailable: disk is full (location: blobs/x); hint: free space on that \
             disk, then try again; nothing was stored"
        );
    }

    #[cfg(unix)]
    #[test]
    fn enospc_of_the_operating_system_is_a_full_disk() {
        let error =
            io_error("blobs.prepare", Path::new("some/file"), io::Error::from_raw_os_error(28));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "disk is full");
    }

    #[test]
    fn a_read_only_or_forbidden_file_system_is_denied() {
        assert_eq!(generic(io::ErrorKind::ReadOnlyFilesystem).kind(), ErrorKind::Denied);
        assert_eq!(generic(io::ErrorKind::PermissionDenied).kind(), ErrorKind::Denied);
    }

    #[test]
    fn any_other_io_error_is_unavailable_and_kept_as_source() {
        let error = generic(io::ErrorKind::TimedOut);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.source().is_some());
    }

    #[test]
    fn an_error_of_a_remote_store_is_unavailable() {
        let error = StoreError::Generic { store: "S3", source: "503 slow down".into() };
        assert_eq!(store_error("blobs.get", "", error).kind(), ErrorKind::Unavailable);
    }
}
