//! Work that blocks, off the executor's threads where there is an executor.

use mlops_core::{Error, ErrorKind, Result};

/// Runs `work` on tokio's threads for blocking work if the caller is inside tokio, else right here:
/// so the library works under any executor and starts none.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Err(_) => work(),
        Ok(tokio) => tokio.spawn_blocking(work).await.map_err(|e| {
            let message = "work was stopped before its end";
            let kind = if e.is_panic() { ErrorKind::Internal } else { ErrorKind::Unavailable };
            Error::new(kind, operation, message).with_source(e)
        })?,
    }
}
