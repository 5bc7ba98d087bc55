//! An event that waits for its turn, with what its sender is owed.

use actor_kit::{Permit, Reply, TraceContext};

use crate::ids::Version;
use crate::messages::{Delivery, Outcome};
use crate::saga::SagaEvent;

pub(super) struct Todo {
    pub(super) event: SagaEvent,
    pub(super) trace: TraceContext,
    /// The saga was read for this event: `Illegal` and refusals count.
    pub(super) reloaded: bool,
    /// The only version that it may be decided on.
    pub(super) expected: Option<Version>,
    reply: Option<Reply<Outcome>>,
    /// The event's place in the mailbox: freed with its outcome, so that the queue is bounded by the mailbox.
    _permit: Option<Permit>,
}

impl Todo {
    pub(super) fn delivered(delivery: Delivery, permit: Option<Permit>) -> Self {
        Self {
            event: delivery.event,
            trace: delivery.trace,
            reloaded: false,
            expected: delivery.expected,
            reply: Some(delivery.reply),
            _permit: permit,
        }
    }

    /// Nobody waits for its outcome.
    pub(super) const fn own(event: SagaEvent, trace: TraceContext) -> Self {
        Self {
            event,
            trace,
            reloaded: false,
            expected: None,
            reply: None,
            _permit: None,
        }
    }

    pub(super) const fn reloaded(mut self) -> Self {
        self.reloaded = true;
        self
    }

    pub(super) const fn is_awaited(&self) -> bool {
        self.reply.is_some()
    }

    pub(super) fn answer(self, outcome: Outcome) {
        if let Some(reply) = self.reply {
            reply.send(outcome);
        }
    }
}
