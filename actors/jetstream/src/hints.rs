//! Hints: core NATS messages in no stream, at most once. For what is only a matter of speed and found out anyway.

use async_nats::Subscriber;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};

use crate::Connection;

impl Connection {
    /// Sends a hint without waiting. `false` when it was dropped at once (not connected, or too much is on its way); `true`
    /// promises nothing either.
    pub fn hint(&self, subject: &str, payload: Bytes) -> bool {
        self.is_standing()
            && matches!(
                self.client()
                    .publish(subject.to_owned(), payload)
                    .now_or_never(),
                Some(Ok(()))
            )
    }

    /// Listens for hints on a subject, across reconnects; hints sent while the connection is away are lost.
    ///
    /// # Errors
    /// [`HintsUnavailable`] when the subject is malformed or the connection was closed for good.
    pub async fn hints(&self, subject: &str) -> Result<Hints, HintsUnavailable> {
        let subscriber = self
            .client()
            .subscribe(subject.to_owned())
            .await
            .map_err(|error| HintsUnavailable(error.to_string()))?;
        Ok(Hints(subscriber))
    }
}

/// A subscription to hints; dropping it ends it. Hints that nobody takes are dropped when the buffer is full.
#[derive(Debug)]
pub struct Hints(Subscriber);

impl Hints {
    /// The next hint's payload; `None` when the connection was closed for good.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.0.next().await.map(|message| message.payload)
    }
}

/// The subscription could not be made; the text is for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no subscription to hints: {0}")]
pub struct HintsUnavailable(String);
