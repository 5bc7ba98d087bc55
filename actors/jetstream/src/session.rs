//! A subscription to a durable pull consumer, from being made to being worn out. Whatever goes wrong ends it; the consumer
//! actor makes another one.

use actor_kit::StopSignal;
use async_nats::jetstream::consumer::pull::{MessagesError, MessagesErrorKind, Stream};
use async_nats::jetstream::{AckKind, Message};
use futures::{FutureExt as _, StreamExt as _};

use crate::connection::Generation;
use crate::delivery::Broker as _;
use crate::topology::{EnsureError, ensure_consumer};
use crate::{Connection, ConsumerSpec};

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionEnd {
    /// The consumer is stopping.
    #[error("stopping")]
    Stopping,
    /// The connection went away; the server may come back without its store.
    #[error("the connection was lost")]
    ConnectionLost,
    /// Missed heartbeats, a deleted consumer or stream, JetStream away.
    #[error("{0}")]
    Worn(String),
}

/// One subscription with its prefetched events.
pub(crate) struct Session {
    connection: Connection,
    generation: Generation,
    prefetch: usize,
    messages: Stream,
    stop: StopSignal,
    /// Found behind events that were handed out first.
    ended: Option<SessionEnd>,
}

impl Session {
    /// Makes the durable consumer exist and subscribes.
    pub(crate) async fn open(
        connection: Connection,
        generation: Generation,
        spec: &ConsumerSpec,
        stop: StopSignal,
    ) -> Result<Box<Self>, EnsureError> {
        let opening = async {
            let consumer = ensure_consumer(connection.context(), spec).await?;
            consumer
                .stream()
                .max_messages_per_batch(spec.prefetch)
                .heartbeat(spec.heartbeat)
                // The server drops a pull that asks for a heartbeat slower than half of its life.
                .expires(spec.heartbeat * 4)
                .messages()
                .await
                .map_err(|error| EnsureError::Unavailable(error.to_string()))
        };
        let messages = tokio::select! {
            messages = opening => messages?,
            () = connection.lost(generation) => {
                return Err(EnsureError::Unavailable(SessionEnd::ConnectionLost.to_string()));
            }
        };
        Ok(Box::new(Self {
            generation,
            prefetch: spec.prefetch,
            messages,
            stop,
            ended: None,
            connection: connection.clone(),
        }))
    }

    /// Waits for an event and takes everything that is there with it, up to the prefetch.
    pub(crate) async fn pull(&mut self) -> Result<Vec<Message>, SessionEnd> {
        if let Some(end) = self.ended.take() {
            return Err(end);
        }
        let first = tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                self.give_back().await;
                return Err(SessionEnd::Stopping);
            }
            () = self.connection.lost(self.generation) => return Err(SessionEnd::ConnectionLost),
            first = self.messages.next() => first,
        };
        let mut batch = vec![read(first)?];
        while batch.len() < self.prefetch {
            match self.messages.next().now_or_never().map(read) {
                Some(Ok(message)) => batch.push(message),
                Some(Err(end)) => {
                    self.ended = Some(end);
                    break;
                }
                None => break,
            }
        }
        Ok(batch)
    }

    /// Gives what is prefetched back at once: another replica need not wait for the end of `ack_wait`.
    pub(crate) async fn give_back(&mut self) {
        while let Some(Some(Ok(message))) = self.messages.next().now_or_never() {
            message.tell(AckKind::Nak(None)).await;
        }
    }
}

fn read(next: Option<Result<Message, MessagesError>>) -> Result<Message, SessionEnd> {
    match next {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(SessionEnd::Worn(match error.kind() {
            MessagesErrorKind::MissingHeartbeat => "the server's heartbeat is missing".to_owned(),
            MessagesErrorKind::ConsumerDeleted => "the consumer was deleted".to_owned(),
            MessagesErrorKind::NoResponders => "JetStream is away".to_owned(),
            MessagesErrorKind::Pull
            | MessagesErrorKind::PushBasedConsumer
            | MessagesErrorKind::RequestLimitExceeded
            | MessagesErrorKind::Other => error.to_string(),
        })),
        None => Err(SessionEnd::Worn("the subscription was closed".to_owned())),
    }
}
