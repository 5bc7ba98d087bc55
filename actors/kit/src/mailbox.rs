//! The bounded sending half of an actor. ractor's own queues are unbounded, so the bound stands at the entrance: a message needs a place
//! before it is sent and gives it back when it has been handled.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ractor::ActorRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::TraceContext;
use crate::reply::{Answer, AskError, Reply};

/// A place in a mailbox. Dropping it frees the place.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

/// A message on its way, with what it carries.
#[derive(Debug)]
pub(crate) struct Envelope<M> {
    pub(crate) message: M,
    /// `None` for what an actor sends to itself: bounded by the questions it has open.
    pub(crate) permit: Option<Permit>,
    pub(crate) trace: TraceContext,
}

/// Why a message was not sent. It comes back to the sender.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError<M> {
    /// No free place.
    #[error("the mailbox is full")]
    Full(M),
    /// The actor is not running; its supervisor may be about to restart it.
    #[error("the actor is not running")]
    Gone(M),
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::Gone(_) => "Gone",
        })
    }
}

impl<M> SendError<M> {
    /// The message that was not sent.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(message) | Self::Gone(message) => message,
        }
    }
}

impl<M> From<&SendError<M>> for AskError {
    fn from(error: &SendError<M>) -> Self {
        match error {
            SendError::Full(_) => Self::Full,
            SendError::Gone(_) => Self::Gone,
        }
    }
}

pub(crate) enum Target<M> {
    Actor(ActorRef<Envelope<M>>),
    Probe(mpsc::Sender<Envelope<M>>),
}

struct Shared<M> {
    name: Arc<str>,
    capacity: usize,
    places: Arc<Semaphore>,
    target: ArcSwapOption<Target<M>>,
    /// What the actor said last about its work; a lock that only lookers contend for.
    doing: Mutex<&'static str>,
}

/// What can be seen of an actor without asking it: a hanging actor is the one people look at.
pub(crate) trait Seen: Send + Sync {
    fn name(&self) -> Arc<str>;
    /// Places taken, and places there are.
    fn places(&self) -> (usize, usize);
    fn doing(&self) -> &'static str;
    fn set_doing(&self, doing: &'static str);
}

impl<M: Send + 'static> Seen for Shared<M> {
    fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    fn places(&self) -> (usize, usize) {
        let taken = self.capacity - self.places.available_permits();
        (taken, self.capacity)
    }

    fn doing(&self) -> &'static str {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_doing(&self, doing: &'static str) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }
}

/// The bounded, restart-proof address of an actor. Cheap to clone. Delivery is at most once: what is queued when the actor crashes is
/// dropped, and askers learn it.
pub struct Mailbox<M>(Arc<Shared<M>>);

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

impl<M: Send + 'static> Mailbox<M> {
    /// A mailbox with `capacity` places that no actor serves yet. The child spec that gets it binds it.
    #[must_use]
    pub fn new(name: &str, capacity: usize) -> Self {
        Self(Arc::new(Shared {
            name: Arc::from(name),
            capacity,
            places: Arc::new(Semaphore::new(capacity)),
            target: ArcSwapOption::empty(),
            doing: Mutex::new(""),
        }))
    }

    /// The same mailbox for those who only look.
    pub(crate) fn seen(&self) -> Arc<dyn Seen> {
        Arc::clone(&self.0) as Arc<dyn Seen>
    }

    pub(crate) fn bind(&self, target: Target<M>) {
        self.0.target.store(Some(Arc::new(target)));
    }

    /// Sends with the trace context of the calling code.
    ///
    /// # Errors
    /// [`SendError::Full`] without a free place, [`SendError::Gone`] when no actor runs; the message comes back.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        self.try_send_with(message, TraceContext::current())
    }

    /// As [`Mailbox::try_send`], with a trace context of the caller's choice.
    ///
    /// # Errors
    /// As [`Mailbox::try_send`].
    pub fn try_send_with(&self, message: M, trace: TraceContext) -> Result<(), SendError<M>> {
        match Arc::clone(&self.0.places).try_acquire_owned() {
            Ok(place) => self.deliver(message, Permit(place), trace),
            Err(_) => Err(SendError::Full(message)),
        }
    }

    /// Waits for a free place, then sends.
    ///
    /// # Errors
    /// [`SendError::Gone`] when no actor runs.
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        let trace = TraceContext::current();
        match Arc::clone(&self.0.places).acquire_owned().await {
            Ok(place) => self.deliver(message, Permit(place), trace),
            // The semaphore is never closed.
            Err(_) => Err(SendError::Gone(message)),
        }
    }

    fn deliver(&self, message: M, permit: Permit, trace: TraceContext) -> Result<(), SendError<M>> {
        let envelope = Envelope {
            message,
            permit: Some(permit),
            trace,
        };
        let target = self.0.target.load();
        let undelivered = match target.as_deref() {
            None => Some(envelope),
            Some(Target::Actor(actor)) => match actor.send_message(envelope) {
                Ok(()) => None,
                Err(ractor::MessagingErr::SendErr(envelope)) => Some(envelope),
                // Only receiving and type erasure, which are not used, end in the others; the message is lost with them.
                Err(_) => None,
            },
            // As many places as the mailbox has: full only means closed.
            Some(Target::Probe(probe)) => probe
                .try_send(envelope)
                .err()
                .map(mpsc::error::TrySendError::into_inner),
        };
        undelivered.map_or(Ok(()), |envelope| Err(SendError::Gone(envelope.message)))
    }

    /// Asks and waits for the answer, at most `deadline`.
    ///
    /// # Errors
    /// See [`AskError`]. After [`AskError::Timeout`] the message may still be handled.
    pub async fn ask<R: Send + 'static>(
        &self,
        deadline: Duration,
        message: impl FnOnce(Reply<R>) -> M + Send,
    ) -> Result<R, AskError> {
        let question = self.question(TraceContext::current(), message)?;
        question.within(deadline).await
    }

    /// Sends the question; its answer is still to come.
    pub(crate) fn question<R>(
        &self,
        trace: TraceContext,
        message: impl FnOnce(Reply<R>) -> M,
    ) -> Result<Answer<R>, AskError> {
        let (reply, answer) = Reply::channel();
        self.try_send_with(message(reply), trace)
            .map_err(|error| AskError::from(&error))?;
        Ok(answer)
    }
}

impl<M> Mailbox<M> {
    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How many places are taken: messages queued, in hand, or kept by a [`Permit`].
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.capacity - self.0.places.available_permits()
    }

    /// How many places there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }
}
