//! Work that blocks, off the executor's threads where there is an executor.
//!
//! The library starts no runtime and works under any executor: inside tokio, blocking work goes to
//! tokio's threads for it; elsewhere it runs right here, as `object_store`'s local store does it.

use tokio::runtime::Handle;
use tokio::task::JoinError;

/// Runs `work`, and returns what it returns.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    match Handle::try_current() {
        Ok(tokio) => tokio.spawn_blocking(work).await,
        Err(_) => Ok(work()),
    }
}

/// As [`off_thread`], for work that fails with the library's error.
#[cfg(feature = "sqlite")]
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> mlops_core::Result<T> + Send + 'static,
) -> mlops_core::Result<T> {
    off_thread(work).await.map_err(|e| {
        let message = "work was stopped before its end";
        let kind = if e.is_panic() {
            mlops_core::ErrorKind::Internal
        } else {
            mlops_core::ErrorKind::Unavailable
        };
        mlops_core::Error::new(kind, operation, message).with_source(e)
    })?
}
