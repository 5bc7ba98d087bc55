//! The actor that reads a durable pull consumer and hands its events to a handler.
//!
//! ```text
//!  Connecting ──► Opening (consumer ensured) ──► Pulling ──► HandingOver ──► Pulling …
//!      ▲               │ failed                    │  ▲           │
//!      │               ▼                  worn out │  └─ answers ─┴─► Full (too much in hand)
//!      └───────── Pausing (backoff) ◄──────────────┘
//! ```
//!
//! It owns the session with the broker and the books about what is in hand. One step of the circle runs at a time, beside the
//! actor; each event has its own [`Delivery`](crate::delivery::Delivery), which outlives a crash of the actor. Nothing is
//! remembered that the broker or a table does not remember too: after a crash unanswered events are delivered again.
//!
//! Stopping: nothing more is pulled, prefetched events are given back, events in hand get a bounded time.

use std::sync::Arc;

use actor_kit::{
    Actor, ActorError, Backoff, Ctx, Generation as TimerGeneration, Reply, StopSignal, Timer,
};
use async_nats::jetstream::Message;
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::connection::Generation;
use crate::delivery::Ending;
use crate::session::{Session, SessionEnd};
use crate::suspects::Suspects;
use crate::topology::EnsureError;
use crate::{Connection, ConsumerSpec, DeadLetterStore, EventHandler};

/// Pause before a session is made again.
const SESSION_RETRY: Backoff = Backoff {
    base: std::time::Duration::from_millis(100),
    cap: std::time::Duration::from_secs(2),
};

/// What the consumer can be told.
#[derive(Debug)]
pub enum ConsumerMsg {
    /// Asks how it fares.
    Inspect {
        /// Takes the answer.
        reply: Reply<ConsumerStatus>,
    },
    /// What the consumer tells itself.
    Own(OwnMsg),
}

/// How a consumer fares; the counts are since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// Subscribed and fetching, or pausing only because enough is in hand.
    pub subscribed: bool,
    /// Events handed over and not answered.
    pub in_hand: usize,
    /// Sessions made.
    pub sessions: u64,
    /// Events acknowledged.
    pub acked: u64,
    /// Deliveries given back to be delivered again.
    pub postponed: u64,
    /// Events committed as dead letters.
    pub dead_letters: u64,
}

/// A message of the consumer to itself; nobody else can make one.
pub struct OwnMsg(Own);

impl std::fmt::Debug for OwnMsg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnMsg(…)")
    }
}

pub(crate) enum Own {
    /// A connection stands.
    Standing(Generation),
    /// The attempt to make a session has ended.
    Opened(Result<Box<Session>, EnsureError>),
    /// The session brought events, or its end.
    Pulled(Box<Session>, Result<Vec<Message>, SessionEnd>),
    /// The handler has taken the batch.
    Taken(Box<Session>),
    /// A step died with its session.
    StepDied(String),
    /// The pause is over.
    Resume(TimerGeneration),
    /// One event has ended.
    Ended(Option<Uuid>, Ending),
}

/// See the module's documentation.
pub struct JetStreamConsumer<H, D> {
    pub(crate) connection: Connection,
    pub(crate) spec: Arc<ConsumerSpec>,
    pub(crate) handler: Arc<H>,
    pub(crate) letters: Arc<D>,
    pub(crate) status: ConsumerStatus,
    pub(crate) suspects: Suspects,
    /// A session that rests because enough is in hand.
    resting: Option<Box<Session>>,
    failures: u32,
    pause: Timer,
    pub(crate) deliveries: TaskTracker,
    stop: StopSignal,
    /// Ends a session beside the actor also when the actor crashes: it would steal a batch otherwise.
    _stop_with_me: DropGuard,
}

impl<H: EventHandler, D: DeadLetterStore> JetStreamConsumer<H, D> {
    /// A consumer that starts to read as soon as the connection stands.
    pub fn new(
        connection: Connection,
        spec: ConsumerSpec,
        handler: Arc<H>,
        letters: Arc<D>,
    ) -> Self {
        let stop = StopSignal::new();
        Self {
            connection,
            spec: Arc::new(spec),
            handler,
            letters,
            status: ConsumerStatus::default(),
            suspects: Suspects::default(),
            resting: None,
            failures: 0,
            pause: Timer::default(),
            deliveries: TaskTracker::new(),
            _stop_with_me: stop.clone().drop_guard(),
            stop,
        }
    }

    fn connect(&mut self, ctx: &Ctx<Self>) {
        self.status.subscribed = false;
        let connection = self.connection.clone();
        ctx.spawn_then(async move { connection.standing().await }, |standing| {
            own(match standing {
                Ok(generation) => Own::Standing(generation),
                Err(panicked) => Own::StepDied(panicked.to_string()),
            })
        });
    }

    fn on_standing(&self, ctx: &Ctx<Self>, generation: Generation) {
        let (connection, spec, stop) = (
            self.connection.clone(),
            Arc::clone(&self.spec),
            self.stop.clone(),
        );
        let opening = async move { Session::open(connection, generation, &spec, stop).await };
        ctx.spawn_then(opening, |opened| {
            own(match opened {
                Ok(opened) => Own::Opened(opened),
                Err(panicked) => Own::StepDied(panicked.to_string()),
            })
        });
    }

    fn on_opened(&mut self, ctx: &Ctx<Self>, opened: Result<Box<Session>, EnsureError>) {
        match opened {
            Ok(session) => {
                info!(
                    stream = self.spec.stream,
                    consumer = self.spec.durable,
                    "subscribed"
                );
                self.status.subscribed = true;
                self.status.sessions += 1;
                self.pull(ctx, session);
            }
            // Usual at a first start: the stream's owner has not created it yet.
            Err(error @ EnsureError::StreamMissing(_)) => {
                debug!(consumer = self.spec.durable, %error, "waiting for the stream");
                self.pause(ctx);
            }
            Err(error) => {
                warn!(stream = self.spec.stream, consumer = self.spec.durable, %error, "cannot subscribe");
                self.pause(ctx);
            }
        }
    }

    pub(crate) fn pull(&mut self, ctx: &Ctx<Self>, mut session: Box<Session>) {
        if self.status.in_hand >= self.spec.in_hand_max {
            self.resting = Some(session);
            return;
        }
        let pulling = async move {
            let pulled = session.pull().await;
            (session, pulled)
        };
        ctx.spawn_then(pulling, |outcome| {
            own(match outcome {
                Ok((session, pulled)) => Own::Pulled(session, pulled),
                Err(panicked) => Own::StepDied(panicked.to_string()),
            })
        });
    }

    fn on_pulled(
        &mut self,
        ctx: &Ctx<Self>,
        session: Box<Session>,
        pulled: Result<Vec<Message>, SessionEnd>,
    ) {
        match pulled {
            Ok(messages) => {
                self.failures = 0;
                let batch = messages
                    .into_iter()
                    .filter_map(|message| self.on_message(ctx, message))
                    .collect();
                self.hand_over(ctx, session, batch);
            }
            Err(SessionEnd::Stopping) => {
                debug!(consumer = self.spec.durable, "no more events are pulled");
            }
            Err(SessionEnd::ConnectionLost) => self.connect(ctx),
            Err(end @ SessionEnd::Worn(_)) => {
                warn!(stream = self.spec.stream, consumer = self.spec.durable, reason = %end, "the subscription is made again");
                self.pause(ctx);
            }
        }
    }

    fn on_ended(&mut self, ctx: &Ctx<Self>, event_id: Option<Uuid>, ending: Ending) {
        self.status.in_hand -= 1;
        match ending {
            Ending::Acked => self.status.acked += 1,
            Ending::GivenUp => self.status.dead_letters += 1,
            Ending::Postponed | Ending::Died => self.status.postponed += 1,
        }
        if let Some(event_id) = event_id {
            match ending {
                Ending::Acked | Ending::GivenUp => self.suspects.cleared(event_id),
                Ending::Postponed => self.suspects.postponed(event_id),
                Ending::Died => self.suspects.died(event_id),
            }
        }
        if let Some(session) = self.resting.take() {
            self.pull(ctx, session);
        }
    }

    fn on_step_died(&mut self, ctx: &Ctx<Self>, text: &str) {
        // The handler's own panic ends here: its events are delivered again, each on its own account.
        warn!(
            consumer = self.spec.durable,
            text, "a step of the consumer died; subscribing again"
        );
        self.pause(ctx);
    }

    fn pause(&mut self, ctx: &Ctx<Self>) {
        self.status.subscribed = false;
        let pause = SESSION_RETRY.jittered(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.pause.arm(ctx, pause, |timer| own(Own::Resume(timer)));
    }
}

pub(crate) fn own(message: Own) -> ConsumerMsg {
    ConsumerMsg::Own(OwnMsg(message))
}

impl<H: EventHandler, D: DeadLetterStore> Actor for JetStreamConsumer<H, D> {
    type Msg = ConsumerMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.connect(ctx);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: ConsumerMsg) -> Result<(), ActorError> {
        match message {
            ConsumerMsg::Inspect { reply } => reply.send(self.status),
            ConsumerMsg::Own(OwnMsg(own)) => match own {
                Own::Standing(generation) => self.on_standing(ctx, generation),
                Own::Opened(opened) => self.on_opened(ctx, opened),
                Own::Pulled(session, pulled) => self.on_pulled(ctx, session, pulled),
                Own::Taken(session) => self.pull(ctx, session),
                Own::StepDied(text) => self.on_step_died(ctx, &text),
                Own::Resume(timer) => {
                    if self.pause.is_current(timer) {
                        self.connect(ctx);
                    }
                }
                Own::Ended(event_id, ending) => self.on_ended(ctx, event_id, ending),
            },
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Ctx<Self>) {
        self.stop.cancel();
        if let Some(mut session) = self.resting.take() {
            session.give_back().await;
        }
        self.deliveries.close();
        if tokio::time::timeout(self.spec.drain_timeout, self.deliveries.wait())
            .await
            .is_err()
        {
            warn!(
                consumer = self.spec.durable,
                events = self.deliveries.len(),
                "stopped with events in hand; they are delivered again"
            );
        }
    }

    fn message_name(message: &ConsumerMsg) -> &'static str {
        match message {
            ConsumerMsg::Inspect { .. } => "consumer inspect",
            ConsumerMsg::Own(_) => "consumer",
        }
    }
}
