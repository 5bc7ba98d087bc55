//! The transitions of the table, one function each: what changes, what is written with it, what follows.

mod back;
mod forward;
mod operators;

use super::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Settling, Stuck, Voiding,
};
use super::{
    CancelReason, DurableEffect, Ignored, Inputs, Next, OrderEvent, Saga, SagaStep, Stepped,
    StuckReason, TimelineEntry, VolatileEffect, Wake, resume,
};
use crate::ids::PaymentId;
use crate::model::Quote;

/// The transitions open to one saga.
#[derive(Clone, Copy)]
pub(in crate::saga) struct Moves<'a> {
    pub(in crate::saga) saga: &'a Saga,
    pub(in crate::saga) inputs: &'a Inputs<'a>,
}

impl TimelineEntry {
    /// The entry for a transition that led to `saga`.
    pub(crate) fn of(saga: &Saga, cause: String) -> Self {
        Self {
            version: saga.version,
            status: saga.status(),
            step: saga.step.name(),
            saga_state: saga.saga_state(),
            cause,
        }
    }
}

impl Next {
    fn publish(mut self, event: OrderEvent) -> Self {
        self.durable.push(DurableEffect::Publish(event));
        self
    }

    fn wake(mut self, wake: Wake) -> Self {
        self.durable.push(DurableEffect::Wake(wake));
        self
    }

    fn then(mut self, effect: VolatileEffect) -> Self {
        self.volatile.push(effect);
        self
    }

    /// Asks whatever the new step needs to have asked.
    fn then_resume(mut self) -> Self {
        self.volatile = resume(&self.saga);
        self
    }

    const fn done(self) -> Stepped {
        Stepped::Next(self)
    }
}

impl Moves<'_> {
    /// A transition to `step`: one version more, a timeline row, a fresh count of deadlines.
    fn to(self, step: SagaStep, cause: impl Into<String>) -> Next {
        let saga = Saga {
            version: self.saga.version.next(),
            step,
            missed_deadlines: 0,
            ..self.saga.clone()
        };
        Next {
            durable: vec![DurableEffect::Timeline(TimelineEntry::of(
                &saga,
                cause.into(),
            ))],
            volatile: vec![],
            saga,
        }
    }

    /// A transition that stays in the step and keeps its count of deadlines.
    fn stay(self, step: SagaStep, cause: impl Into<String>) -> Next {
        let mut next = self.to(step, cause);
        next.saga.missed_deadlines = self.saga.missed_deadlines;
        next
    }

    /// On the way forward the deadline of the acceptance still stands, unless it has been missed and moved far away.
    const fn forward(self) -> Wake {
        if self.saga.missed_deadlines == 0 {
            Wake::Keep
        } else {
            self.fresh()
        }
    }

    const fn fresh(self) -> Wake {
        Wake::After(self.inputs.limits.first_deadline)
    }

    /// A step that asks somebody and has a deadline of its own.
    fn asking(self, step: SagaStep, cause: impl Into<String>) -> Stepped {
        let limits = self.inputs.limits;
        let deadline = match step {
            Voiding { .. } => limits.void_deadline,
            _ => limits.first_deadline,
        };
        self.to(step, cause)
            .wake(Wake::After(deadline))
            .then_resume()
            .done()
    }

    /// An end.
    fn end(self, step: SagaStep, cause: impl Into<String>) -> Next {
        self.to(step, cause).wake(Wake::Never)
    }

    fn ended_as_cancelled(self, reason: CancelReason, cause: &str) -> Stepped {
        self.end(Cancelled { reason }, cause)
            .publish(OrderEvent::Cancelled { reason })
            .done()
    }

    /// Publishes an event that carries the total. A saga that was charged has a quote: without one the event would lie.
    fn with_total(
        self,
        next: Next,
        event: impl FnOnce(PaymentId, &Quote) -> OrderEvent,
    ) -> Stepped {
        match &self.saga.quote {
            Some(quote) => next
                .publish(event(self.saga.order.ids.payment_id, quote))
                .done(),
            None => Stepped::Illegal,
        }
    }

    /// The deadline passed and the step may go on waiting: asks again and sets the next one.
    pub(in crate::saga) fn ask_again(self) -> Stepped {
        let Inputs { limits, jitter } = *self.inputs;
        let missed = self.saga.missed_deadlines.saturating_add(1);
        let cause = format!(
            "{}: not settled yet, asking again ({missed}).",
            waits_for(&self.saga.step)
        );
        let mut next = self.stay(self.saga.step.clone(), cause);
        next.saga.missed_deadlines = missed;
        let next = next
            .wake(Wake::After(limits.backoff.delay(missed - 1, jitter)))
            .then_resume();
        if missed >= limits.alert_deadlines {
            next.then(VolatileEffect::Alert).done()
        } else {
            next.done()
        }
    }

    /// The step's own command was refused. It is repeated as long as a silent callee is, in case that somebody repairs it meanwhile; then
    /// people are told.
    pub(in crate::saga) fn call_refused(self) -> Stepped {
        if self.saga.missed_deadlines < self.inputs.limits.alert_deadlines {
            return Stepped::Ignore(Ignored::AwaitsDeadline);
        }
        self.stuck(StuckReason::CallRefused)
    }

    pub(in crate::saga) fn stuck(self, reason: StuckReason) -> Stepped {
        let cause = match reason {
            StuckReason::CommitRefused => "The stock has nothing to sell for this order.",
            StuckReason::ReleaseRefused => "The stock does not release what is sold.",
            StuckReason::RefundRefused => "The refund was refused for good: money is owed.",
            StuckReason::PaymentMismatch => "Payments knows this payment differently.",
            StuckReason::CallRefused => "What this order asks for is refused, again and again.",
            StuckReason::Poison => "This order cannot be handled.",
        };
        self.set_aside(reason, format!("{cause} Set aside for an operator."))
    }

    pub(in crate::saga) fn poisoned(self, times: u32) -> Stepped {
        self.set_aside(
            StuckReason::Poison,
            format!("Handling this order failed {times} times. Set aside for an operator."),
        )
    }

    fn set_aside(self, reason: StuckReason, cause: String) -> Stepped {
        let step = Stuck {
            at: Box::new(self.saga.step.clone()),
            reason,
        };
        self.stay(step, cause)
            .wake(Wake::Never)
            .then(VolatileEffect::Alert)
            .done()
    }
}

/// Whom a step waits for, for the timeline.
const fn waits_for(step: &SagaStep) -> &'static str {
    match step {
        Reserving => "Reserving the stock",
        AwaitingPayment => "Awaiting the payment",
        Voiding { .. } => "Voiding the payment",
        Releasing { .. } | ReleasingForRefund { .. } => "Releasing the stock",
        Committing | CommittingForRefund => "Confirming the sale",
        Refunding { .. } => "Refunding",
        Settling { .. } => "Settling the goods with the stock",
        Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. } => {
            "At rest"
        }
    }
}
