//! Timers whose late messages cannot be taken for current ones.

use std::time::Duration;

use tokio::task::AbortHandle;

use crate::actor::{Actor, Ctx};

/// Which arming of a [`Timer`] a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u64);

/// A one-shot timer of one actor. Its message may already be queued when the timer is re-armed or cancelled: the generation in the
/// message tells, through [`Timer::is_current`].
#[derive(Debug, Default)]
pub struct Timer {
    generation: u64,
    sleeper: Option<AbortHandle>,
}

impl Timer {
    /// Sends `message(generation)` to the actor after `after`; an earlier arming is void. The message belongs to no trace.
    pub fn arm<A: Actor>(
        &mut self,
        ctx: &Ctx<A>,
        after: Duration,
        message: impl FnOnce(Generation) -> A::Msg + Send + 'static,
    ) {
        self.cancel();
        let generation = Generation(self.generation);
        let me = ctx.me().untraced();
        let sleeper = tokio::spawn(async move {
            tokio::time::sleep(after).await;
            me.send(message(generation));
        });
        self.sleeper = Some(sleeper.abort_handle());
    }

    /// Whether the message with this generation belongs to the present arming. Answers `true` at most once per arming.
    pub fn is_current(&mut self, generation: Generation) -> bool {
        let current = self.sleeper.is_some() && generation.0 == self.generation;
        if current {
            self.sleeper = None;
        }
        current
    }

    /// Whether a message is still to come.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.sleeper.is_some()
    }

    /// Voids the present arming.
    pub fn cancel(&mut self) {
        self.generation += 1;
        if let Some(sleeper) = self.sleeper.take() {
            sleeper.abort();
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}
