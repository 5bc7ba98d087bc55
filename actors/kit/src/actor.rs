//! Actors and what they can do while they handle a message.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use ractor::{ActorCell, ActorId, ActorRef, SupervisionEvent};
use tracing::Instrument as _;

use crate::mailbox::{Envelope, Mailbox, Permit, Target};
use crate::reply::{AskError, Reply};
use crate::trace::TraceContext;

/// Why a handler gave up: its actor crashes and is restarted by its supervisor. Expected outcomes are replies, never this.
pub type ActorError = Box<dyn Error + Send + Sync>;

/// How long a stopping actor waits for its dynamic children; a handler takes milliseconds, so five seconds mean that one hangs.
const CHILDREN_STOP_DEADLINE: Duration = Duration::from_secs(5);

/// One actor. Messages are handled one at a time, in order; `handle` never awaits another service (see [`Ctx::ask_then`]).
pub trait Actor: Send + Sized + 'static {
    /// What it can be told.
    type Msg: Send + 'static;

    /// Runs before the first message, also after a restart. No network I/O here: a lost dependency must not become a crash.
    ///
    /// # Errors
    /// An error is a crash.
    fn started(&mut self, ctx: &Ctx<Self>) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = ctx;
        std::future::ready(Ok(()))
    }

    /// Handles one message.
    ///
    /// # Errors
    /// An error, like a panic, means "restart me".
    fn handle(
        &mut self,
        ctx: &Ctx<Self>,
        message: Self::Msg,
    ) -> impl Future<Output = Result<(), ActorError>> + Send;

    /// A child that [`Ctx::spawn_child`] made has ended.
    ///
    /// # Errors
    /// An error is a crash of this actor.
    fn child_exited(
        &mut self,
        ctx: &Ctx<Self>,
        child: ChildId,
        exit: Exit,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        let _ = (ctx, child, exit);
        std::future::ready(Ok(()))
    }

    /// Runs on an orderly stop, after the dynamic children have stopped. Never after a crash, so nothing may rely on it for correctness.
    fn stopping(&mut self, ctx: &Ctx<Self>) -> impl Future<Output = ()> + Send {
        let _ = ctx;
        std::future::ready(())
    }

    /// The message's name in traces.
    fn message_name(message: &Self::Msg) -> &'static str {
        let _ = message;
        "message"
    }
}

/// A dynamic child of one actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChildId(ActorId);

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It stopped itself or was stopped.
    Normal,
    /// It panicked or returned an error; the text is for logs.
    Crashed(String),
}

/// A future that ran beside an actor panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task panicked: {0}")]
pub struct TaskPanicked(pub String);

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{name} did not start: {reason}")]
pub struct SpawnError {
    /// The child's name.
    pub name: String,
    /// What its start failed with.
    pub reason: String,
}

/// An actor's way to send to itself, unbounded: what it sends is bounded by what it has asked for.
pub struct SelfRef<M> {
    actor: ActorRef<Envelope<M>>,
    trace: TraceContext,
}

impl<M> Clone for SelfRef<M> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            trace: self.trace.clone(),
        }
    }
}

impl<M> fmt::Debug for SelfRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfRef").finish_non_exhaustive()
    }
}

impl<M: Send + 'static> SelfRef<M> {
    /// Sends, with the trace context of the message during which this reference was taken. Does nothing after the actor's end.
    pub fn send(&self, message: M) {
        // An actor that has ended wants no answers any more.
        drop(self.actor.send_message(Envelope {
            message,
            permit: None,
            trace: self.trace.clone(),
        }));
    }
}

/// What an actor can do while it handles a message.
pub struct Ctx<A: Actor> {
    name: String,
    actor: ActorRef<Envelope<A::Msg>>,
    trace: TraceContext,
    permit: Mutex<Option<Permit>>,
}

impl<A: Actor> fmt::Debug for Ctx<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<A: Actor> Ctx<A> {
    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A way to send to oneself.
    #[must_use]
    pub fn me(&self) -> SelfRef<A::Msg> {
        SelfRef {
            actor: self.actor.clone(),
            trace: self.trace.clone(),
        }
    }

    /// Ends the actor after the present message. What is queued is dropped.
    pub fn stop(&self) {
        self.actor.stop(None);
    }

    /// The trace context of the message in hand.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.trace.clone()
    }

    /// Keeps the place of the message in hand occupied until the permit is dropped: for messages whose work goes on after `handle`.
    pub fn take_permit(&self) -> Option<Permit> {
        self.permit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Asks another actor. Exactly one message comes back: the answer, or that the callee is gone, its mailbox full, or the deadline
    /// passed.
    pub fn ask_then<M: Send + 'static, R: Send + 'static>(
        &self,
        callee: &Mailbox<M>,
        deadline: Duration,
        message: impl FnOnce(Reply<R>) -> M,
        wrap: impl FnOnce(Result<R, AskError>) -> A::Msg + Send + 'static,
    ) {
        let me = self.me();
        match callee.question(self.context(), message) {
            Ok(answer) => {
                tokio::spawn(async move { me.send(wrap(answer.within(deadline).await)) });
            }
            Err(error) => me.send(wrap(Err(error))),
        }
    }

    /// Runs `future` beside the actor. Exactly one message comes back. The future goes on when the actor ends.
    pub fn spawn_then<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        wrap: impl FnOnce(Result<T, TaskPanicked>) -> A::Msg + Send + 'static,
    ) {
        let me = self.me();
        tokio::spawn(async move {
            let outcome = AssertUnwindSafe(future)
                .catch_unwind()
                .await
                .map_err(|panic| TaskPanicked(panic_text(&*panic)));
            me.send(wrap(outcome));
        });
    }

    /// Starts a Temporary child: it is never restarted, and its end arrives as [`Actor::child_exited`].
    ///
    /// # Errors
    /// [`SpawnError`] when its `started` failed.
    pub async fn spawn_child<C: Actor>(
        &self,
        name: impl Into<String> + Send,
        capacity: usize,
        child: C,
    ) -> Result<(ChildId, Mailbox<C::Msg>), SpawnError> {
        let name = name.into();
        let mailbox = Mailbox::new(&name, capacity);
        let cell = spawn_shell(child, &name, &mailbox, Some(self.actor.get_cell())).await?;
        Ok((ChildId(cell.get_id()), mailbox))
    }
}

/// The text of a panic's payload.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned())
}

/// Starts `actor` under `supervisor` and binds `mailbox` to it.
pub(crate) async fn spawn_shell<A: Actor>(
    actor: A,
    name: &str,
    mailbox: &Mailbox<A::Msg>,
    supervisor: Option<ActorCell>,
) -> Result<ActorCell, SpawnError> {
    let launch = Launch {
        actor,
        name: name.to_owned(),
        mailbox: mailbox.clone(),
    };
    // ractor's names are global to the process, so actors stay unnamed there.
    let spawned = match supervisor {
        Some(supervisor) => {
            ractor::Actor::spawn_linked(None, Shell(PhantomData), launch, supervisor).await
        }
        None => ractor::Actor::spawn(None, Shell(PhantomData), launch).await,
    };
    spawned
        .map(|(actor, _)| actor.get_cell())
        .map_err(|error| SpawnError {
            name: name.to_owned(),
            reason: error.to_string(),
        })
}

/// The `ractor` actor around one [`Actor`].
struct Shell<A>(PhantomData<fn() -> A>);

struct Launch<A: Actor> {
    actor: A,
    name: String,
    mailbox: Mailbox<A::Msg>,
}

struct Running<A: Actor> {
    actor: A,
    ctx: Ctx<A>,
}

impl<A: Actor> ractor::Actor for Shell<A> {
    type Msg = Envelope<A::Msg>;
    type State = Running<A>;
    type Arguments = Launch<A>;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        launch: Launch<A>,
    ) -> Result<Running<A>, ActorError> {
        let mut running = Running {
            actor: launch.actor,
            ctx: Ctx {
                name: launch.name,
                actor: myself.clone(),
                trace: TraceContext::default(),
                permit: Mutex::new(None),
            },
        };
        running.actor.started(&running.ctx).await?;
        launch.mailbox.bind(Target::Actor(myself));
        Ok(running)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        envelope: Envelope<A::Msg>,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        let Envelope {
            message,
            permit,
            trace,
        } = envelope;
        let span = if trace.is_valid() {
            let span = tracing::info_span!(
                "actor",
                otel.name = A::message_name(&message),
                actor = running.ctx.name.as_str()
            );
            trace.parent_of(&span);
            running.ctx.trace = TraceContext::of(&span);
            // Without an OpenTelemetry layer the span has no identity of its own: the trace still goes on.
            if !running.ctx.trace.is_valid() {
                running.ctx.trace = trace;
            }
            span
        } else {
            running.ctx.trace = trace;
            tracing::Span::none()
        };
        set_permit(&running.ctx, permit);
        let result = running
            .actor
            .handle(&running.ctx, message)
            .instrument(span)
            .await;
        set_permit(&running.ctx, None);
        result
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        let (child, exit) = match event {
            SupervisionEvent::ActorTerminated(cell, _, _) => (cell.get_id(), Exit::Normal),
            SupervisionEvent::ActorFailed(cell, error) => {
                (cell.get_id(), Exit::Crashed(error.to_string()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {
                return Ok(());
            }
        };
        running
            .actor
            .child_exited(&running.ctx, ChildId(child), exit)
            .await
    }

    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        running: &mut Running<A>,
    ) -> Result<(), ActorError> {
        // ractor kills the children of a stopped parent without their post_stop unless they are stopped first.
        myself
            .stop_children_and_wait(None, Some(CHILDREN_STOP_DEADLINE))
            .await;
        running.actor.stopping(&running.ctx).await;
        Ok(())
    }
}

fn set_permit<A: Actor>(ctx: &Ctx<A>, permit: Option<Permit>) {
    *ctx.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
}
