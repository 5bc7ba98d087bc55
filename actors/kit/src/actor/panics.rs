//! Panics of actors and of tasks beside them, as errors that can be logged.
//!
//! What a panic says may quote data: a slice out of bounds quotes its text, an `expect` its value. So that text ends here, and the hook of
//! the process logs the place; an error that comes of a panic points to that line.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use tokio::task::JoinError;

use super::ActorError;

/// A future that ran beside an actor, or a part of an actor, panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it panicked; the log line `panic` says where")]
pub struct TaskPanicked;

/// Runs a future to its end or its panic. Whatever the future holds must not be used after a panic.
pub(crate) async fn contained<T>(future: impl Future<Output = T>) -> Result<T, TaskPanicked> {
    let ended = AssertUnwindSafe(future).catch_unwind().await;
    ended.map_err(|_text| TaskPanicked)
}

/// Why a task has no result.
pub(crate) fn without_text(error: JoinError) -> ActorError {
    if error.is_panic() {
        TaskPanicked.into()
    } else {
        error.into()
    }
}
