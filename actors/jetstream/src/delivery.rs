//! The life of one delivered event, beside the consumer: waits for the answer, says "still working" meanwhile, and tells the
//! broker what [`disposition`] decides. A dead letter is committed before the broker hears of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actor_kit::Answer;
use async_nats::jetstream::{AckKind, Message};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{debug, error, warn};

use crate::disposition::{AfterCommit, Disposition, after_commit, on_answer};
use crate::envelope::RawEvent;
use crate::{ConsumerSpec, DeadLetter, DeadLetterReason, DeadLetterStore, Outcome};

/// A dead letter that is not committed by then is not counted on; the event comes again.
const COMMIT_DEADLINE: Duration = Duration::from_secs(15);

/// What the broker can be told about one message. A trait, so that the life of a delivery can be told without a broker.
pub(crate) trait Broker: Send + Sync + 'static {
    /// Says it, without waiting for the broker to have heard: what gets lost leads to another delivery.
    fn tell(&self, kind: AckKind) -> impl Future<Output = ()> + Send;
}

impl Broker for Message {
    async fn tell(&self, kind: AckKind) {
        if let Err(error) = self.ack_with(kind).await {
            debug!(%error, ?kind, "the broker cannot be told");
        }
    }
}

/// How a delivery ended, for the consumer's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Acknowledged.
    Acked,
    /// To be delivered again, by the handler's wish or because the dead letter could not be committed.
    Postponed,
    /// To be delivered again, because the handler died.
    Died,
    /// Given up, committed as a dead letter.
    GivenUp,
}

/// One event between its arrival and its end.
pub(crate) struct Delivery<B, D> {
    pub(crate) broker: B,
    pub(crate) raw: RawEvent,
    pub(crate) spec: Arc<ConsumerSpec>,
    pub(crate) letters: Arc<D>,
    /// Deaths before this delivery.
    pub(crate) deaths: u32,
}

impl<B: Broker, D: DeadLetterStore> Delivery<B, D> {
    /// Waits for the handler's answer and carries it out.
    pub(crate) async fn answered_by(self, answer: Answer<Outcome>) -> Ending {
        let outcome = self.wait(answer).await;
        let died = outcome.is_none();
        let deaths = self.deaths + u32::from(died);
        if died {
            warn!(event_id = ?self.raw.event_id(), subject = self.raw.subject, deaths, "the handler of an event died");
        }
        match on_answer(
            outcome,
            self.raw.delivered,
            deaths,
            self.spec.handler_deaths_max,
            rand::random(),
        ) {
            Disposition::Ack => {
                self.broker.tell(AckKind::Ack).await;
                Ending::Acked
            }
            Disposition::Nak(pause) => {
                self.broker.tell(AckKind::Nak(Some(pause))).await;
                if died {
                    Ending::Died
                } else {
                    Ending::Postponed
                }
            }
            Disposition::DeadLetter(reason) => match self.given_up(reason).await {
                // The letter comes again with the event; that the handler died is remembered until then.
                Ending::Postponed if died => Ending::Died,
                ending => ending,
            },
        }
    }

    /// Commits a dead letter, then ends the event.
    pub(crate) async fn given_up(self, reason: DeadLetterReason) -> Ending {
        let letter = self.letter(reason);
        let (event_id, subject, reason) = (
            letter.event_id,
            letter.subject.clone(),
            letter.reason.clone(),
        );
        let committing = self
            .while_working(tokio::time::timeout(
                COMMIT_DEADLINE,
                self.letters.commit(letter),
            ))
            .await;
        let committed = match committing {
            Ok(Ok(())) => {
                error!(?event_id, subject, reason = reason.code(), detail = %reason, "an event went to the dead letters");
                true
            }
            Ok(Err(unavailable)) => {
                warn!(?event_id, subject, error = %unavailable, "a dead letter waits for the database");
                false
            }
            Err(_) => {
                warn!(
                    ?event_id,
                    subject, "a dead letter waits for the database: no answer within the deadline"
                );
                false
            }
        };
        match after_commit(committed, self.raw.delivered, rand::random()) {
            AfterCommit::Term => {
                self.broker.tell(AckKind::Term).await;
                Ending::GivenUp
            }
            AfterCommit::Nak(pause) => {
                self.broker.tell(AckKind::Nak(Some(pause))).await;
                Ending::Postponed
            }
        }
    }

    /// The answer, or `None` when the port was dropped: whoever held it died.
    async fn wait(&self, answer: Answer<Outcome>) -> Option<Outcome> {
        self.while_working(answer).await.ok()
    }

    /// Reports progress every half of the acknowledgement's wait, so that slow work is not delivered a second time.
    async fn while_working<T>(&self, work: impl Future<Output = T> + Send) -> T {
        let every = (self.spec.ack_wait / 2).max(Duration::from_millis(1));
        let mut progress = interval_at(Instant::now() + every, every);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = progress.tick() => self.broker.tell(AckKind::Progress).await,
            }
        }
    }

    fn letter(&self, reason: DeadLetterReason) -> DeadLetter {
        let kept = self.raw.payload.len().min(self.spec.payload_bytes_max);
        DeadLetter {
            letter_id: self.raw.letter_id(),
            stream: self.spec.stream.clone(),
            consumer: self.spec.durable.clone(),
            subject: self.raw.subject.clone(),
            event_id: self.raw.event_id(),
            schema_version: self.raw.schema_version(),
            aggregate_seq: self.raw.aggregate_seq(),
            traceparent: self.raw.traceparent(),
            reason,
            delivered: self.raw.delivered,
            payload: self.raw.payload.slice(..kept).to_vec(),
            payload_bytes: self.raw.payload.len() as u64,
        }
    }
}
