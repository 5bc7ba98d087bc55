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
    Actor, ActorError, Backoff, Ctx, Generation as TimerGeneration, Reply, StopSignal,
    TaskPanicked, Timer,
};
use async_nats::jetstream::{AckKind, Message};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::connection::Generation;
use crate::delivery::{Broker as _, Delivery, Ending};
use crate::disposition::{self, Arrival};
use crate::envelope::RawEvent;
use crate::session::{Session, SessionEnd};
use crate::topology::EnsureError;
use crate::{Connection, ConsumerSpec, DeadLetterReason, DeadLetterStore, EventHandler, Incoming};

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

enum Own {
    /// A connection stands.
    Standing(Generation),
    /// The attempt to make a session has ended.
    Opened(Result<Session, EnsureError>),
    /// The session brought events, or its end.
    Pulled(Session, Result<Vec<Message>, SessionEnd>),
    /// The handler has taken the batch.
    Taken(Session),
    /// A step died with its session.
    StepDied(String),
    /// The pause is over.
    Resume(TimerGeneration),
    /// One event has ended.
    Ended(Option<Uuid>, Ending),
}

/// See the module's documentation.
pub struct JetStreamConsumer<H, D> {
    connection: Connection,
    spec: Arc<ConsumerSpec>,
    handler: Arc<H>,
    letters: Arc<D>,
    status: ConsumerStatus,
    suspects: crate::suspects::Suspects,
    /// A session that rests because enough is in hand.
    resting: Option<Session>,
    failures: u32,
    pause: Timer,
    deliveries: TaskTracker,
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
            suspects: crate::suspects::Suspects::default(),
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
                Err(TaskPanicked(text)) => Own::StepDied(text),
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
                Err(TaskPanicked(text)) => Own::StepDied(text),
            })
        });
    }

    fn on_opened(&mut self, ctx: &Ctx<Self>, opened: Result<Session, EnsureError>) {
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

    fn pull(&mut self, ctx: &Ctx<Self>, mut session: Session) {
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
                Err(TaskPanicked(text)) => Own::StepDied(text),
            })
        });
    }

    fn on_pulled(
        &mut self,
        ctx: &Ctx<Self>,
        session: Session,
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
                debug!(consumer = self.spec.durable, "no more events are pulled")
            }
            Err(SessionEnd::ConnectionLost) => self.connect(ctx),
            Err(end @ SessionEnd::Worn(_)) => {
                warn!(stream = self.spec.stream, consumer = self.spec.durable, reason = %end, "the subscription is made again");
                self.pause(ctx);
            }
        }
    }

    /// What arrived, as far as it belongs to the batch that is handed over now.
    fn on_message(&mut self, ctx: &Ctx<Self>, message: Message) -> Option<Incoming> {
        let raw = raw_event(&message)?;
        let opened = raw.open(&self.spec);
        let event_id = raw.event_id();
        let deaths = event_id.map_or(0, |id| self.suspects.deaths(id));
        let envelope = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        match (
            disposition::on_arrival(envelope, deaths, self.spec.handler_deaths_max),
            opened,
        ) {
            (Arrival::DeadLetter(reason), _) => self.give_up(ctx, message, raw, reason),
            (Arrival::HandOver { .. }, Err(reason)) => self.give_up(ctx, message, raw, reason),
            (Arrival::HandOver { alone: false }, Ok(event)) => {
                let (reply, answer) = Reply::channel();
                self.deliver(ctx, message, raw, deaths, answer);
                return Some(Incoming { event, reply });
            }
            (Arrival::HandOver { alone: true }, Ok(event))
                if self.suspects.take_in_hand(event.event_id) =>
            {
                let (reply, answer) = Reply::channel();
                self.deliver(ctx, message, raw, deaths, answer);
                self.hand_over_alone(Incoming { event, reply });
            }
            // Another suspect is in hand: this one comes again in a moment.
            (Arrival::HandOver { alone: true }, Ok(_)) => {
                let pause = disposition::pause(raw.delivered, rand::random());
                self.deliveries
                    .spawn(async move { message.tell(AckKind::Nak(Some(pause))).await });
            }
        }
        None
    }

    fn give_up(
        &mut self,
        ctx: &Ctx<Self>,
        message: Message,
        raw: RawEvent,
        reason: DeadLetterReason,
    ) {
        let event_id = raw.event_id();
        let delivery = self.delivery(message, raw, 0);
        self.track(
            ctx,
            event_id,
            async move { delivery.given_up(reason).await },
        );
    }

    fn deliver(
        &mut self,
        ctx: &Ctx<Self>,
        message: Message,
        raw: RawEvent,
        deaths: u32,
        answer: actor_kit::Answer<crate::Outcome>,
    ) {
        let event_id = raw.event_id();
        let delivery = self.delivery(message, raw, deaths);
        self.track(
            ctx,
            event_id,
            async move { delivery.answered_by(answer).await },
        );
    }

    fn delivery(&self, broker: Message, raw: RawEvent, deaths: u32) -> Delivery<Message, D> {
        Delivery {
            broker,
            raw,
            spec: Arc::clone(&self.spec),
            letters: Arc::clone(&self.letters),
            deaths,
        }
    }

    fn track(
        &mut self,
        ctx: &Ctx<Self>,
        event_id: Option<Uuid>,
        delivery: impl Future<Output = Ending> + Send + 'static,
    ) {
        self.status.in_hand += 1;
        ctx.spawn_then(self.deliveries.track_future(delivery), move |ending| {
            // A panic of ours leaves the event unacknowledged: the broker delivers it again.
            own(Own::Ended(event_id, ending.unwrap_or(Ending::Postponed)))
        });
    }

    fn hand_over(&mut self, ctx: &Ctx<Self>, session: Session, batch: Vec<Incoming>) {
        if batch.is_empty() {
            self.pull(ctx, session);
            return;
        }
        let handler = Arc::clone(&self.handler);
        let handing = async move {
            handler.deliver(batch).await;
            session
        };
        ctx.spawn_then(handing, |taken| {
            own(match taken {
                Ok(session) => Own::Taken(session),
                Err(TaskPanicked(text)) => Own::StepDied(text),
            })
        });
    }

    fn hand_over_alone(&self, incoming: Incoming) {
        let handler = Arc::clone(&self.handler);
        // A panic drops the answer port, which is how its delivery learns of it.
        self.deliveries
            .spawn(async move { handler.deliver(vec![incoming]).await });
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

fn own(message: Own) -> ConsumerMsg {
    ConsumerMsg::Own(OwnMsg(message))
}

fn raw_event(message: &Message) -> Option<RawEvent> {
    let info = match message.info() {
        Ok(info) => info,
        Err(error) => {
            // Not from a stream, so there is nothing to acknowledge either.
            warn!(%error, "a message without JetStream's reply subject is dropped");
            return None;
        }
    };
    Some(RawEvent {
        subject: message.subject.to_string(),
        headers: message.headers.clone().unwrap_or_default(),
        payload: message.payload.clone(),
        delivered: u64::try_from(info.delivered).unwrap_or(1),
        published_ns: info.published.unix_timestamp_nanos(),
    })
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
