//! What went wrong with an object, in the library's words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mlops_core::{Error, ErrorKind};
use object_store::Error as StoreError;
use parquet::errors::ParquetError;

/// The error of a store about one object.
#[cold]
pub(crate) fn of_store(operation: &'static str, path: &str, source: StoreError) -> Error {
    let (kind, message) = match &source {
        StoreError::NotFound { .. } => (ErrorKind::NotFound, "there is no such file"),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            (ErrorKind::Denied, "the store does not let the file be used")
        }
        StoreError::InvalidPath { .. } => (ErrorKind::Invalid, "no file can have this name"),
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the store cannot do this")
        }
        StoreError::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "the file exists already"),
        _ => (ErrorKind::Unavailable, "the store did not answer"),
    };
    Error::new(kind, operation, message).with("file", path).with_source(source)
}

/// A Parquet file that is not what it says.
#[cold]
pub(crate) fn of_parquet(operation: &'static str, path: &str, source: ParquetError) -> Error {
    let kind = match &source {
        ParquetError::NYI(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, operation, "the file cannot be read as Parquet")
        .with("file", path)
        .with_source(source)
}

/// Does what a decoder does with bytes that may be anything: a panic becomes its error.
pub(crate) fn guarded<T>(
    work: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            ParquetError::General(text.unwrap_or_else(|| "the decoder panicked".to_owned()))
        })
        .flatten()
}

/// What cannot be, as far as this library knows.
#[cold]
pub(super) fn internal(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(ErrorKind::Internal, operation, "rows could not be put together").with_source(source)
}
