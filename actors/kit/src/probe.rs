//! For tests: mailboxes with the test in place of the actor, and actors without a tree. Works under `tokio::time::pause`.

use ractor::ActorCell;
use tokio::sync::mpsc;

use crate::TraceContext;
use crate::actor::{Actor, SpawnError, spawn_shell};
use crate::mailbox::{Envelope, Mailbox, Permit, Target};

/// A mailbox of `capacity` places and the probe that receives what is sent to it.
#[must_use]
pub fn probe<M: Send + 'static>(capacity: usize) -> (Mailbox<M>, Probe<M>) {
    let mailbox = Mailbox::new("probe", capacity);
    let (sender, receiver) = mpsc::channel(capacity);
    mailbox.bind(Target::Probe(sender));
    (mailbox, Probe { receiver })
}

/// The receiving end of a [`probe`].
#[derive(Debug)]
pub struct Probe<M> {
    receiver: mpsc::Receiver<Envelope<M>>,
}

impl<M: Send + 'static> Probe<M> {
    /// The next message; its place is freed.
    ///
    /// # Panics
    /// When every sender is gone.
    pub async fn next(&mut self) -> M {
        self.next_envelope().await.0
    }

    /// The next message with its place in the mailbox and its trace context.
    ///
    /// # Panics
    /// When every sender is gone.
    #[expect(
        clippy::expect_used,
        reason = "a test helper: failing is its way to report"
    )]
    pub async fn next_envelope(&mut self) -> (M, Option<Permit>, TraceContext) {
        let envelope = self.receiver.recv().await.expect("every sender is gone");
        (envelope.message, envelope.permit, envelope.trace)
    }

    /// The next message, if one is there already.
    pub fn try_next(&mut self) -> Option<M> {
        self.receiver
            .try_recv()
            .ok()
            .map(|envelope| envelope.message)
    }

    /// Lets every other task run until it waits, then asserts that nothing has arrived.
    ///
    /// # Panics
    /// When a message has arrived.
    #[expect(clippy::panic, reason = "a test helper: failing is its way to report")]
    pub async fn expect_none(&mut self) {
        settle().await;
        if self.try_next().is_some() {
            panic!("an unexpected message arrived");
        }
    }
}

/// Lets every other task run until it waits. Meant for the single-threaded test runtime.
pub async fn settle() {
    /// Enough turns for a message to cross several actors, each with a few wake-ups.
    const TURNS: usize = 200;
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

/// An actor without a tree: nobody restarts it. Stopped when dropped, so no actor outlives its test.
#[derive(Debug)]
pub struct Alone {
    cell: ActorCell,
}

/// Starts an actor without a tree.
///
/// # Errors
/// When its `started` fails.
pub async fn start<A: Actor>(
    name: &str,
    capacity: usize,
    actor: A,
) -> Result<(Mailbox<A::Msg>, Alone), SpawnError> {
    let mailbox = Mailbox::new(name, capacity);
    let cell = spawn_shell(actor, name, &mailbox, None, None).await?;
    Ok((mailbox, Alone { cell }))
}

impl Alone {
    /// Stops the actor in good order and waits for its end.
    pub async fn stop(&self) {
        // An error means that it has already ended.
        drop(self.cell.stop_and_wait(None, None).await);
    }

    /// Ends the actor in the middle of whatever it does, as a crash would.
    pub async fn kill(&self) {
        drop(self.cell.kill_and_wait(None).await);
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.cell.get_status() == ractor::ActorStatus::Running
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.cell.stop(None);
    }
}
