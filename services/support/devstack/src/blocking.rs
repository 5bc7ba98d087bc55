//! Work that blocks a thread, kept off the runtime's workers.

use crate::error::Error;

/// Runs `work` on a thread of its own and waits for it.
#[expect(
    clippy::disallowed_methods,
    reason = "at most one at a time per stack: an installation or a file lock"
)]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|panicked| Error::Step(panicked.to_string()))
}
