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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use actor_kit::Reply;
    use bytes::Bytes;

    use super::*;
    use crate::DeadLetterUnavailable;

    /// What was told to the broker and to the table, in order.
    type Log = Arc<Mutex<Vec<String>>>;

    struct Told(Log);

    impl Broker for Told {
        async fn tell(&self, kind: AckKind) {
            let word = match kind {
                AckKind::Nak(Some(_)) => "nak".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            };
            self.0.lock().unwrap().push(word);
        }
    }

    enum Table {
        Commits,
        Refuses,
        Hangs,
        Panics,
    }

    struct Letters(Log, Table);

    impl DeadLetterStore for Letters {
        async fn commit(&self, letter: DeadLetter) -> Result<(), DeadLetterUnavailable> {
            match self.1 {
                Table::Commits => {
                    let line = format!(
                        "letter {} {}/{}",
                        letter.reason.code(),
                        letter.payload.len(),
                        letter.payload_bytes
                    );
                    self.0.lock().unwrap().push(line);
                    Ok(())
                }
                Table::Refuses => Err(DeadLetterUnavailable("scripted".to_owned())),
                Table::Hangs => std::future::pending().await,
                Table::Panics => panic!("scripted"),
            }
        }
    }

    fn stage(table: Table, deaths: u32) -> (Delivery<Told, Letters>, Log) {
        let log = Log::default();
        let spec = ConsumerSpec {
            payload_bytes_max: 4,
            handler_deaths_max: 3,
            ..ConsumerSpec::new("S", "c")
        };
        let raw = RawEvent {
            subject: "s.a".to_owned(),
            headers: async_nats::HeaderMap::new(),
            payload: Bytes::from_static(b"payload"),
            delivered: 1,
            published_ns: 1,
        };
        let letters = Arc::new(Letters(Arc::clone(&log), table));
        let broker = Told(Arc::clone(&log));
        (
            Delivery {
                broker,
                raw,
                spec: Arc::new(spec),
                letters,
                deaths,
            },
            log,
        )
    }

    fn answered(outcome: Outcome) -> Answer<Outcome> {
        let (reply, answer) = Reply::channel();
        reply.send(outcome);
        answer
    }

    fn died() -> Answer<Outcome> {
        Reply::channel().1
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_has_its_end() {
        let table = [
            (answered(Outcome::Done), 0, Ending::Acked, vec!["ack"]),
            (answered(Outcome::Ignored), 2, Ending::Acked, vec!["ack"]),
            (
                answered(Outcome::RetryLater),
                0,
                Ending::Postponed,
                vec!["nak"],
            ),
            (
                answered(Outcome::Poison("x".to_owned())),
                0,
                Ending::GivenUp,
                vec!["letter poison 4/7", "term"],
            ),
            (died(), 0, Ending::Died, vec!["nak"]),
            (
                died(),
                2,
                Ending::GivenUp,
                vec!["letter handler_died 4/7", "term"],
            ),
        ];
        for (answer, deaths, ending, told) in table {
            let (delivery, log) = stage(Table::Commits, deaths);
            assert_eq!(delivery.answered_by(answer).await, ending);
            assert_eq!(*log.lock().unwrap(), told);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_its_letter_an_event_is_not_terminated() {
        let (delivery, log) = stage(Table::Refuses, 0);
        assert_eq!(
            delivery.given_up(DeadLetterReason::Oversize).await,
            Ending::Postponed
        );
        assert_eq!(*log.lock().unwrap(), ["nak"]);
        // A death stays counted, so that the next arrival goes straight to the letters.
        let (delivery, log) = stage(Table::Refuses, 2);
        assert_eq!(delivery.answered_by(died()).await, Ending::Died);
        assert_eq!(*log.lock().unwrap(), ["nak"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_does_not_answer_is_not_waited_for_for_ever() {
        let (delivery, log) = stage(Table::Hangs, 0);
        let started = Instant::now();
        assert_eq!(
            delivery.given_up(DeadLetterReason::Oversize).await,
            Ending::Postponed
        );
        assert_eq!(started.elapsed(), COMMIT_DEADLINE);
        assert_eq!(*log.lock().unwrap().last().unwrap(), "nak");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_work_reports_progress_until_it_answers() {
        let (delivery, log) = stage(Table::Commits, 0);
        let (reply, answer) = Reply::channel();
        let slow = async move {
            tokio::time::sleep(Duration::from_secs(50)).await;
            reply.send(Outcome::Done);
        };
        let (ending, ()) = tokio::join!(delivery.answered_by(answer), slow);
        assert_eq!(ending, Ending::Acked);
        assert_eq!(
            *log.lock().unwrap(),
            ["progress", "progress", "progress", "ack"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_table_says_nothing_to_the_broker() {
        let (delivery, log) = stage(Table::Panics, 0);
        let ended = tokio::spawn(delivery.given_up(DeadLetterReason::Oversize)).await;
        assert!(ended.unwrap_err().is_panic());
        assert!(log.lock().unwrap().is_empty());
    }
}
