//! What went wrong with a file, in the library's words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mlops_core::{Error, ErrorKind};
use object_store::Error as StoreError;
use parquet::errors::ParquetError;

/// The error of a store; `url` is what the caller named.
#[cold]
pub(super) fn of_store(url: &str, source: StoreError) -> Error {
    let (kind, message) = match &source {
        StoreError::NotFound { .. } => (ErrorKind::NotFound, "there is no such file"),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            (ErrorKind::Denied, "the store does not let the file be read")
        }
        StoreError::InvalidPath { .. } => (ErrorKind::Invalid, "no file can have this name"),
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the store cannot do this")
        }
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => {
            (ErrorKind::Conflict, "the file was replaced while it was read")
        }
        _ => (ErrorKind::Unavailable, "the store did not answer"),
    };
    Error::new(kind, "features.as_of", message).with("file", url).with_source(source)
}

/// A Parquet file that is not what it says.
#[cold]
pub(super) fn of_parquet(url: &str, message: &'static str, source: ParquetError) -> Error {
    let kind = match &source {
        ParquetError::NYI(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, "features.as_of", message).with("file", url).with_source(source)
}

/// Does what a decoder does with bytes that may be anything.
///
/// Decoders answer most damage with an error and some of it with a panic; both are the bytes' fault,
/// and neither may end the caller's program. The panic's message is the error.
pub(super) fn guarded<T>(
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
