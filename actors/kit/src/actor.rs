//! Actors: the trait, and how they end.

mod ctx;
mod panics;
mod shell;

use std::error::Error;
use std::future::Future;

use ractor::ActorId;

pub use ctx::{Ctx, SelfRef};
pub use panics::TaskPanicked;
pub(crate) use panics::{contained, without_text};
pub(crate) use shell::spawn_shell;

/// Why a handler gave up: its actor crashes and is restarted by its supervisor. Expected outcomes are replies, never this.
pub type ActorError = Box<dyn Error + Send + Sync>;

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

    /// The order that a message is about: its handling is a span of that order's trace. Without one it is no span.
    fn order_of(&self, message: &Self::Msg) -> Option<i64> {
        let _ = message;
        None
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
    /// It panicked or returned an error; the text is for logs and says nothing of what a panic said.
    Crashed(String),
}

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{name} did not start: {reason}")]
pub struct SpawnError {
    /// The child's name.
    pub name: String,
    /// What its start failed with.
    pub reason: String,
}
