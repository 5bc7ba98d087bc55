//! What every actor of shopapi stands on. The only crate that touches `ractor`'s sharp edges.
//!
//! ```text
//!   sender ── Mailbox<M> ──(place free?)──▶ Envelope{message, permit, trace} ──▶ Actor::handle
//!               │  full: an error, never growth                                    │
//!               └─ stays valid while the actor crashes and is respawned            ├─ ask_then / spawn_then: exactly one message back
//!                                                                                  └─ Err or panic: a crash, seen by the Tree
//! ```
//!
//! - [`Mailbox`]: the bounded sending half. It outlives its actor: after a restart the same mailbox reaches the new one.
//! - [`Actor`], [`Ctx`]: state is `&mut self`; a restart builds a new value from the factory in the child's spec.
//! - [`tree`]: a supervisor declared like an OTP child spec: ordered start, reverse stop, backoff, intensity.
//! - [`batch`]: the group-commit writer.
//! - [`Timer`], [`Backoff`]: time that late messages and crowds cannot confuse.
//! - [`probe`]: mailboxes with the test in place of the actor.
//!
//! **Invariants.** A message occupies its place in the mailbox until it is handled (or until whoever took its [`Permit`] lets go), so
//! memory is bounded by capacities that have names. Nobody waits for ever: every question has a deadline and exactly one outcome.
//! What was queued when an actor crashed is dropped, which frees the places and tells every asker [`AskError::Gone`].
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::allow_attributes,
        reason = "tests fail by panicking"
    )
)]

mod actor;
mod backoff;
pub mod batch;
mod mailbox;
mod metrics;
pub mod probe;
mod reply;
mod timer;
mod trace;
pub mod tree;

pub use actor::{Actor, ActorError, ChildId, Ctx, Exit, SelfRef, SpawnError, TaskPanicked};
pub use backoff::Backoff;
pub use mailbox::{Mailbox, Permit, SendError};
pub use reply::{Answer, AskError, Reply};
pub use timer::{Generation, Timer};
pub use trace::TraceContext;

/// Tells a task that its tree is stopping.
pub use tokio_util::sync::CancellationToken as StopSignal;
