//! What an actor can do while it handles a message.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ractor::{ActorId, ActorRef};

use super::{Actor, ChildId, SpawnError, TaskPanicked, contained, spawn_shell};
use crate::mailbox::{Envelope, Mailbox, Permit, Seen};
use crate::reply::{AskError, Reply};
use crate::trace::TraceContext;
use crate::tree::Family;

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

impl<M> SelfRef<M> {
    /// The same way without a trace: for what an actor does on its own account, such as ticks and batches of many senders. With the
    /// trace of the message in hand, each tick would carry it on to the next, for ever.
    #[must_use]
    pub fn untraced(self) -> Self {
        Self {
            trace: TraceContext::default(),
            ..self
        }
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
    seen: Arc<dyn Seen>,
    /// Where its dynamic children are written down; children of a tree have one.
    family: Option<Arc<Family>>,
}

impl<A: Actor> fmt::Debug for Ctx<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<A: Actor> Ctx<A> {
    pub(super) fn new(
        name: String,
        actor: ActorRef<Envelope<A::Msg>>,
        seen: Arc<dyn Seen>,
        family: Option<Arc<Family>>,
    ) -> Self {
        Self {
            name,
            actor,
            trace: TraceContext::default(),
            permit: Mutex::new(None),
            seen,
            family,
        }
    }

    /// Sets what belongs to the message in hand.
    pub(super) fn enter(&mut self, permit: Option<Permit>, trace: TraceContext) {
        self.trace = trace;
        self.put_permit(permit);
    }

    /// Frees the place of the message that was in hand, unless its handler took it.
    pub(super) fn leave(&self) {
        self.put_permit(None);
    }

    /// A dynamic child has ended.
    pub(super) fn forget_child(&self, child: ActorId) {
        if let Some(family) = &self.family {
            family.remove(child);
        }
    }

    fn put_permit(&self, permit: Option<Permit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }

    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells those who look at the tree what the actor is at, such as a saga's step.
    pub fn doing(&self, what: &'static str) {
        self.seen.set_doing(what);
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
        tokio::spawn(async move { me.send(wrap(contained(future).await)) });
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
        let cell = spawn_shell(child, &name, &mailbox, Some(self.actor.get_cell()), None).await?;
        if let Some(family) = &self.family {
            family.add(cell.clone(), mailbox.seen());
        }
        Ok((ChildId(cell.get_id()), mailbox))
    }
}
