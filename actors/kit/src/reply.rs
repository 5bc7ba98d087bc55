//! One-shot answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

/// Why a question got no answer. The message may still be handled later ([`AskError::Timeout`]) or never was ([`AskError::Full`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The callee's mailbox has no free place; nothing was sent.
    #[error("the mailbox is full")]
    Full,
    /// The callee is not running, or it dropped the reply port.
    #[error("the callee is gone")]
    Gone,
    /// The deadline passed. The message may still be handled.
    #[error("no answer within the deadline")]
    Timeout,
}

/// The port on which a callee answers, once. Dropping it unanswered tells the asker [`AskError::Gone`].
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

impl<T> Reply<T> {
    /// A port and the future of its answer.
    #[must_use]
    pub fn channel() -> (Self, Answer<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), Answer(receiver))
    }

    /// Answers. Nothing happens when the asker no longer waits.
    pub fn send(self, value: T) {
        // The asker's deadline may have passed: an answer that nobody awaits is not an error.
        drop(self.0.send(value));
    }

    /// Whether the asker has stopped waiting.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// The future of an answer. Yields [`AskError::Gone`] when the port was dropped.
#[derive(Debug)]
pub struct Answer<T>(oneshot::Receiver<T>);

impl<T> Answer<T> {
    /// Waits at most `deadline`.
    ///
    /// # Errors
    /// [`AskError::Gone`] or [`AskError::Timeout`].
    pub async fn within(self, deadline: Duration) -> Result<T, AskError> {
        tokio::time::timeout(deadline, self)
            .await
            .unwrap_or(Err(AskError::Timeout))
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, AskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|answer| answer.map_err(|_| AskError::Gone))
    }
}
