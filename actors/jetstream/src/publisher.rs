//! The actor that publishes events to one stream.
//!
//! ```text
//!              standing connection                    stream there
//!  Waiting ───────────────────────► Ensuring ───────────────────────► Ready ── publishes, ≤ window in flight
//!     ▲                              │    ▲ backoff                     │
//!     └── connection lost ◄──────────┘    └──── "no stream" ◄───────────┤
//!     ▲                                                                 │
//!     └────────────────── connection lost ◄─────────────────────────────┘
//! ```
//!
//! Every publish is answered exactly once. While the stream is not ready the answer is [`PublishFailure::Unavailable`] at
//! once, so that nothing piles up in a buffer and goes out of date there. A crash loses the answers in flight; the outbox
//! publishes again with the same message id.

use std::collections::VecDeque;
use std::time::Duration;

use actor_kit::{
    Actor, ActorError, Backoff, Ctx, Generation as TimerGeneration, Permit, Reply, SelfRef, Timer,
};
use tracing::{debug, error, info, warn};

use crate::connection::{Generation, REQUEST_DEADLINE};
use crate::publish::{End, PublishFailure, Published, publish};
use crate::topology::{EnsureError, ensure_stream};
use crate::{Connection, OutboundEvent, StreamSpec};

/// Pause between attempts to make the stream exist.
const ENSURE_RETRY: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
};

/// So many publishes in a row without an acknowledgement mean a stalled server, not a slow one.
const SILENT_PUBLISHES_MAX: u32 = 3;

/// Publishes in flight. About 64 keeps the server busy over a millisecond's round trip; more only lengthens the tail.
pub const PUBLISH_WINDOW: usize = 64;

/// What the publisher can be told.
#[derive(Debug)]
pub enum PublisherMsg {
    /// Publishes one event, at least once.
    Publish {
        /// The event.
        event: OutboundEvent,
        /// Takes the one answer, when the server has acknowledged or it is clear that it will not.
        reply: Reply<Result<Published, PublishFailure>>,
    },
    /// What the publisher tells itself.
    Own(OwnMsg),
}

/// A message of the publisher to itself; nobody else can make one.
#[derive(Debug)]
pub struct OwnMsg(Own);

#[derive(Debug)]
enum Own {
    /// A connection stands.
    Standing(Generation),
    /// The attempt to make the stream exist has ended.
    Ensured(Result<(), EnsureError>),
    /// Try that again.
    EnsureAgain(TimerGeneration),
    /// One publish has ended and was answered.
    Ended(End),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Waiting,
    Ensuring(Generation),
    Ready(Generation),
}

struct Waiting {
    event: OutboundEvent,
    reply: Reply<Result<Published, PublishFailure>>,
    _place: Option<Permit>,
}

/// See the module's documentation.
pub struct JetStreamPublisher {
    connection: Connection,
    stream: StreamSpec,
    /// Whether the stream is made to exist; else its owner does that.
    is_owner: bool,
    ack_deadline: Duration,
    readiness: Readiness,
    ensure_failures: u32,
    ensure_timer: Timer,
    in_flight: usize,
    /// Beyond the window; bounded by the mailbox, whose places these keep.
    waiting: VecDeque<Waiting>,
    silent: u32,
    /// To oneself, outside every trace: what follows a publish belongs to no single order.
    me: Option<SelfRef<PublisherMsg>>,
}

impl JetStreamPublisher {
    /// A publisher to this stream, which it owns: it creates it whenever it is missing.
    #[must_use]
    pub fn new(connection: Connection, stream: StreamSpec) -> Self {
        Self {
            connection,
            stream,
            is_owner: true,
            ack_deadline: REQUEST_DEADLINE,
            readiness: Readiness::Waiting,
            ensure_failures: 0,
            ensure_timer: Timer::default(),
            in_flight: 0,
            waiting: VecDeque::new(),
            silent: 0,
            me: None,
        }
    }

    /// A publisher to a stream of another service, under the subjects that are ours there. It neither creates nor inspects the stream: while it is
    /// missing, publishes are answered as unavailable.
    #[must_use]
    pub fn as_guest(connection: Connection, stream: StreamSpec) -> Self {
        Self {
            is_owner: false,
            ..Self::new(connection, stream)
        }
    }

    /// Another wait for an acknowledgement than five seconds. With the server's disk full it never comes, and no error
    /// either: this is what turns that into one.
    #[must_use]
    pub fn ack_deadline(mut self, deadline: Duration) -> Self {
        self.ack_deadline = deadline;
        self
    }

    fn on_publish(
        &mut self,
        ctx: &Ctx<Self>,
        event: OutboundEvent,
        reply: Reply<Result<Published, PublishFailure>>,
    ) {
        let generation = match self.readiness {
            Readiness::Ready(generation) if self.connection.stands(generation) => generation,
            Readiness::Ready(_) | Readiness::Waiting | Readiness::Ensuring(_) => {
                let standing = self.connection.is_standing();
                let state = if standing {
                    "the stream is not there yet"
                } else {
                    "not connected"
                };
                reply.send(Err(PublishFailure::Unavailable(state.to_owned())));
                return;
            }
        };
        if self.in_flight < PUBLISH_WINDOW {
            self.publish(ctx, generation, event, reply);
        } else {
            self.waiting.push_back(Waiting {
                event,
                reply,
                _place: ctx.take_permit(),
            });
        }
    }

    fn publish(
        &mut self,
        ctx: &Ctx<Self>,
        generation: Generation,
        event: OutboundEvent,
        reply: Reply<Result<Published, PublishFailure>>,
    ) {
        if !self.stream.takes(&event.subject) {
            // Without this the server's answer would be "no stream", which sounds as if the stream were gone.
            let text = format!(
                "stream {} does not take subject {}",
                self.stream.name, event.subject
            );
            reply.send(Err(PublishFailure::Refused(text)));
            return;
        }
        self.in_flight += 1;
        let stream = self.stream.name.clone();
        let publishing = publish(
            self.connection.clone(),
            generation,
            stream,
            self.ack_deadline,
            event,
        );
        let answering = async move {
            let (answer, end) = publishing.await;
            reply.send(answer);
            end
        };
        ctx.spawn_then(answering, |end| {
            // A panic has dropped the port, which tells the asker; about the bus it says nothing.
            own(Own::Ended(end.unwrap_or(End::Answered)))
        });
    }

    fn on_ended(&mut self, ctx: &Ctx<Self>, end: End) {
        self.in_flight -= 1;
        match end {
            End::Answered => {
                self.silent = 0;
                if self.connection.note_stalled(false) {
                    info!(
                        stream = self.stream.name,
                        "publishes are acknowledged again"
                    );
                }
            }
            End::Silent => self.on_silence(),
            End::NoStream => self.ensure_again_now(ctx),
            End::Lost => {}
        }
        self.publish_waiting(ctx);
    }

    fn on_silence(&mut self) {
        self.silent = self.silent.saturating_add(1);
        if self.silent >= SILENT_PUBLISHES_MAX && self.connection.note_stalled(true) {
            error!(
                stream = self.stream.name,
                "publishes are not acknowledged though the connection stands: is the disk of NATS full? It stays broken until the server restarts"
            );
        }
    }

    fn publish_waiting(&mut self, ctx: &Ctx<Self>) {
        while self.in_flight < PUBLISH_WINDOW {
            let Some(Waiting {
                event,
                reply,
                _place,
            }) = self.waiting.pop_front()
            else {
                return;
            };
            self.on_publish(ctx, event, reply);
        }
    }

    /// A connection stands: the stream is made to exist on it, and the next standing is waited for.
    fn on_standing(&mut self, ctx: &Ctx<Self>, generation: Generation) {
        self.ensure_failures = 0;
        self.silent = 0;
        self.connection.note_stalled(false);
        self.ensure(ctx, generation);
        let connection = self.connection.clone();
        ctx.spawn_then(
            async move { connection.standing_after(generation).await },
            move |standing| own(Own::Standing(standing.unwrap_or(generation))),
        );
    }

    fn ensure(&mut self, ctx: &Ctx<Self>, generation: Generation) {
        if !self.is_owner {
            self.readiness = Readiness::Ready(generation);
            return;
        }
        self.readiness = Readiness::Ensuring(generation);
        self.ensure_timer.cancel();
        let (connection, stream) = (self.connection.clone(), self.stream.clone());
        let ensuring = async move {
            tokio::select! {
                ensured = ensure_stream(connection.context(), &stream) => ensured,
                () = connection.lost(generation) => Err(EnsureError::Unavailable("the connection was lost".to_owned())),
            }
        };
        ctx.spawn_then(ensuring, |ensured| {
            own(Own::Ensured(ensured.unwrap_or_else(|panicked| {
                Err(EnsureError::Unavailable(panicked.to_string()))
            })))
        });
    }

    fn on_ensured(&mut self, ctx: &Ctx<Self>, ensured: Result<(), EnsureError>) {
        let Readiness::Ensuring(generation) = self.readiness else {
            return;
        };
        match ensured {
            Ok(()) => {
                debug!(stream = self.stream.name, "the stream is ready");
                self.ensure_failures = 0;
                self.readiness = Readiness::Ready(generation);
            }
            Err(error) => {
                let pause = ENSURE_RETRY.jittered(self.ensure_failures);
                self.ensure_failures = self.ensure_failures.saturating_add(1);
                if self.connection.is_standing() {
                    warn!(stream = self.stream.name, %error, "the stream cannot be made to exist");
                }
                self.ensure_timer
                    .arm(ctx, pause, |timer| own(Own::EnsureAgain(timer)));
            }
        }
    }

    fn on_ensure_again(&mut self, ctx: &Ctx<Self>, timer: TimerGeneration) {
        if self.ensure_timer.is_current(timer)
            && let Readiness::Ensuring(generation) = self.readiness
        {
            self.ensure(ctx, generation);
        }
    }

    /// A publish found no stream. One finding is enough; those of the same window follow it.
    fn ensure_again_now(&mut self, ctx: &Ctx<Self>) {
        if !self.is_owner {
            warn!(
                stream = self.stream.name,
                "the stream is not there; its owner creates it"
            );
        } else if let Readiness::Ready(generation) = self.readiness {
            warn!(
                stream = self.stream.name,
                "the stream is gone; creating it again"
            );
            self.ensure(ctx, generation);
        }
    }
}

fn own(message: Own) -> PublisherMsg {
    PublisherMsg::Own(OwnMsg(message))
}

impl Actor for JetStreamPublisher {
    type Msg = PublisherMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.me = Some(ctx.me());
        let connection = self.connection.clone();
        ctx.spawn_then(async move { connection.standing().await }, |standing| {
            own(Own::Standing(standing.unwrap_or_default()))
        });
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: PublisherMsg) -> Result<(), ActorError> {
        match message {
            PublisherMsg::Publish { event, reply } => self.on_publish(ctx, event, reply),
            // Once more from ourselves: timers and waits must not hang on the trace of the publish that led to them.
            PublisherMsg::Own(message) if ctx.context().is_valid() => {
                if let Some(me) = &self.me {
                    me.send(PublisherMsg::Own(message));
                }
            }
            PublisherMsg::Own(OwnMsg(Own::Standing(generation))) => {
                self.on_standing(ctx, generation);
            }
            PublisherMsg::Own(OwnMsg(Own::Ensured(ensured))) => self.on_ensured(ctx, ensured),
            PublisherMsg::Own(OwnMsg(Own::EnsureAgain(timer))) => self.on_ensure_again(ctx, timer),
            PublisherMsg::Own(OwnMsg(Own::Ended(end))) => self.on_ended(ctx, end),
        }
        Ok(())
    }

    fn message_name(message: &PublisherMsg) -> &'static str {
        match message {
            PublisherMsg::Publish { .. } => "publish",
            PublisherMsg::Own(_) => "publisher",
        }
    }
}
