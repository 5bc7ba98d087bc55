//! The transitions of the table, one function each: what changes, what is written with it, what follows.

use std::sync::Arc;

use super::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Stuck, Voiding,
};
use super::{
    Act, CancelReason, DurableEffect, Goods, Ignored, Inputs, LateMoney, Next, OrderEvent, Saga,
    SagaStep, Stepped, StuckReason, TimelineEntry, VoidCause, VolatileEffect, Wake, resume,
};
use crate::model::{Quote, Refusal, RefusalReason};

/// The transitions open to one saga.
#[derive(Clone, Copy)]
pub(super) struct Moves<'a> {
    pub(super) saga: &'a Saga,
    pub(super) inputs: &'a Inputs<'a>,
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
        self.to(step, cause).wake(self.fresh()).then_resume().done()
    }

    /// An end.
    fn end(self, step: SagaStep, cause: impl Into<String>) -> Next {
        self.to(step, cause).wake(Wake::Never)
    }

    fn by(act: &Act, did: &str) -> String {
        format!("Operator {} {did}: {}", act.who, act.why)
    }

    // Reserving.

    pub(super) fn held(self, quote: &Quote) -> Stepped {
        let quote = Arc::new(quote.clone());
        let cause = format!(
            "The stock is held; the total is {}. Payment requested.",
            quote.total_text()
        );
        let mut next = self.to(AwaitingPayment, cause);
        next.saga.quote = Some(Arc::clone(&quote));
        next.durable.push(DurableEffect::Quote(Arc::clone(&quote)));
        next.publish(OrderEvent::Created {
            payment_id: self.saga.order.ids.payment_id,
            quote,
        })
        .wake(self.forward())
        .done()
    }

    pub(super) fn refused(self, refusal: &Refusal) -> Stepped {
        let step = Rejected {
            refusal: refusal.clone(),
        };
        self.end(
            step,
            format!("The stock refused: {}.", refusal_text(refusal)),
        )
        .publish(OrderEvent::Rejected {
            refusal: refusal.clone(),
        })
        .done()
    }

    /// This saga never asked for a release, so a person did, in inventory.
    pub(super) fn released_by_hand(self) -> Stepped {
        self.ended_as_cancelled(
            CancelReason::Operator,
            "The reservation was released by hand.",
        )
    }

    pub(super) fn release_unpaid(self, reason: CancelReason, why: &str) -> Stepped {
        self.asking(
            Releasing { reason },
            format!("{why} before the stock answered. Releasing it."),
        )
    }

    pub(super) fn release_unpaid_by(self, act: &Act) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::Operator,
            },
            Self::by(act, "gave the order back"),
        )
    }

    pub(super) fn reserve_deadline_passed(self) -> Stepped {
        if self.saga.missed_deadlines < self.inputs.limits.reserve_deadlines_max {
            return self.ask_again();
        }
        self.asking(
            Releasing {
                reason: CancelReason::InventoryUnavailable,
            },
            "The stock did not answer in time. Giving up; releasing whatever it may hold.",
        )
    }

    // AwaitingPayment.

    pub(super) fn captured(self) -> Stepped {
        self.paid("The payment is captured. Confirming the sale with the stock.")
    }

    fn paid(self, cause: &str) -> Stepped {
        let next = self
            .to(Committing, cause)
            .wake(self.forward())
            .then_resume();
        self.with_total(next, |payment_id, quote| OrderEvent::Paid {
            payment_id,
            total: quote.total,
            currency: quote.currency,
        })
    }

    /// Publishes an event that carries the total. A saga that was charged has a quote: without one the event would lie.
    fn with_total(
        self,
        next: Next,
        event: impl FnOnce(crate::ids::PaymentId, &Quote) -> OrderEvent,
    ) -> Stepped {
        match &self.saga.quote {
            Some(quote) => next
                .publish(event(self.saga.order.ids.payment_id, quote))
                .done(),
            None => Stepped::Illegal,
        }
    }

    pub(super) fn declined(self, reason: &str) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::PaymentDeclined,
            },
            format!("The payment was declined ({reason}). Releasing the stock."),
        )
    }

    /// This saga never asked for a void, so a person did, in payments.
    pub(super) fn voided_by_hand(self) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::Operator,
            },
            "The payment was voided by hand. Releasing the stock.",
        )
    }

    pub(super) fn payment_deadline_passed(self) -> Stepped {
        if self.saga.missed_deadlines < self.inputs.limits.payment_deadlines_max {
            return self.ask_again();
        }
        self.asking(
            Voiding {
                cause: VoidCause::PaymentTimeout,
            },
            "The payment did not succeed in time. Voiding it.",
        )
    }

    pub(super) fn void_for_customer(self) -> Stepped {
        self.asking(
            Voiding {
                cause: VoidCause::UserRequested,
            },
            "The customer cancelled. Voiding the payment.",
        )
    }

    pub(super) fn void_by(self, act: &Act) -> Stepped {
        self.asking(
            Voiding {
                cause: VoidCause::Operator,
            },
            Self::by(act, "gave the order back"),
        )
    }

    // Voiding.

    pub(super) fn voided(self, cause: VoidCause) -> Stepped {
        self.asking(
            Releasing {
                reason: cause.into(),
            },
            "The payment is voided. Releasing the stock.",
        )
    }

    pub(super) fn declined_before_void(self, cause: VoidCause) -> Stepped {
        self.asking(
            Releasing {
                reason: cause.into(),
            },
            "The payment was declined before it could be voided. Releasing the stock.",
        )
    }

    /// After a time-out late money is welcome; after a cancel it goes back.
    pub(super) fn captured_despite_void(self, cause: VoidCause) -> Stepped {
        match cause {
            VoidCause::PaymentTimeout => self.paid(
                "The payment was captured after all. Confirming the sale with the stock.",
            ),
            VoidCause::UserRequested | VoidCause::Operator => self.asking(
                ReleasingForRefund { cause },
                "The payment was captured before it could be voided. Releasing the stock, then refunding.",
            ),
        }
    }

    pub(super) fn cancelled_while_voiding(self, cause: VoidCause) -> Stepped {
        match cause {
            VoidCause::PaymentTimeout => self
                .stay(
                    Voiding {
                        cause: VoidCause::UserRequested,
                    },
                    "The customer cancelled: money that still arrives goes back.",
                )
                .then_resume()
                .done(),
            VoidCause::UserRequested | VoidCause::Operator => {
                Stepped::Ignore(Ignored::AlreadyHolds)
            }
        }
    }

    pub(super) fn compensated_while_voiding(self, cause: VoidCause, act: &Act) -> Stepped {
        match cause {
            VoidCause::PaymentTimeout => self
                .stay(
                    Voiding {
                        cause: VoidCause::Operator,
                    },
                    Self::by(act, "gave the order back"),
                )
                .then_resume()
                .done(),
            VoidCause::UserRequested | VoidCause::Operator => {
                Stepped::Ignore(Ignored::AlreadyHolds)
            }
        }
    }

    // Releasing.

    pub(super) fn cancelled(self, reason: CancelReason) -> Stepped {
        self.ended_as_cancelled(reason, "The stock is released. Order cancelled.")
    }

    fn ended_as_cancelled(self, reason: CancelReason, cause: &str) -> Stepped {
        self.end(Cancelled { reason }, cause)
            .publish(OrderEvent::Cancelled { reason })
            .done()
    }

    // Committing, refunds.

    pub(super) fn completed(self) -> Stepped {
        self.end(Completed, "The stock confirmed the sale. Order completed.")
            .done()
    }

    pub(super) fn refund_after_commit(self, why: &str) -> Stepped {
        self.asking(
            CommittingForRefund,
            format!("{why}. Finishing the sale first."),
        )
    }

    pub(super) fn refund_after_commit_by(self, act: &Act) -> Stepped {
        self.asking(CommittingForRefund, Self::by(act, "gave the order back"))
    }

    pub(super) fn refund_sold(self, why: &str) -> Stepped {
        self.asking(
            Refunding { goods: Goods::Sold },
            format!("{why}. Refunding."),
        )
    }

    pub(super) fn refund_sold_by(self, act: &Act) -> Stepped {
        self.asking(
            Refunding { goods: Goods::Sold },
            Self::by(act, "gave the order back"),
        )
    }

    pub(super) fn refund_released(self, cause: VoidCause) -> Stepped {
        self.asking(
            Refunding {
                goods: Goods::Released { cause },
            },
            "The stock is released. Refunding.",
        )
    }

    pub(super) fn refunded(self, goods: Goods) -> Stepped {
        let next = self.end(Refunded { goods }, "The money is back. Order refunded.");
        self.with_total(next, |payment_id, quote| OrderEvent::Refunded {
            payment_id,
            total: quote.total,
            currency: quote.currency,
        })
    }

    // Any step.

    /// The deadline passed and the step may go on waiting: asks again and sets the next one.
    pub(super) fn ask_again(self) -> Stepped {
        let Inputs { limits, jitter } = *self.inputs;
        let missed = self.saga.missed_deadlines.saturating_add(1);
        let cause = format!(
            "{}: no answer in time, asking again ({missed}).",
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

    pub(super) fn stuck(self, reason: StuckReason) -> Stepped {
        let cause = match reason {
            StuckReason::CommitRefused => "The stock has nothing to sell for this order.",
            StuckReason::ReleaseRefused => "The stock does not release what is sold.",
            StuckReason::RefundRefused => "The refund was refused for good: money is owed.",
            StuckReason::PaymentMismatch => "Payments knows this payment differently.",
            StuckReason::Poison => "This order cannot be handled.",
        };
        self.set_aside(reason, format!("{cause} Set aside for an operator."))
    }

    pub(super) fn poisoned(self, times: u32) -> Stepped {
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

    /// Asks for `step` again with fresh deadlines, also out of Stuck.
    pub(super) fn retried(self, step: &SagaStep, act: &Act) -> Stepped {
        self.asking(step.clone(), Self::by(act, "retried"))
    }

    /// From where the order was set aside to the way back from there.
    pub(super) fn compensated_stuck(
        self,
        at: &SagaStep,
        reason: StuckReason,
        act: &Act,
    ) -> Stepped {
        let cause = VoidCause::Operator;
        let step = match (at, reason) {
            (Reserving, _) => Releasing {
                reason: cause.into(),
            },
            (AwaitingPayment | Voiding { .. }, _) => Voiding { cause },
            (Committing | CommittingForRefund, StuckReason::CommitRefused) => {
                ReleasingForRefund { cause }
            }
            (Committing | CommittingForRefund, _) => CommittingForRefund,
            (ReleasingForRefund { .. }, StuckReason::ReleaseRefused) => {
                Refunding { goods: Goods::Sold }
            }
            (Releasing { .. } | ReleasingForRefund { .. } | Refunding { .. }, _) => at.clone(),
            (
                Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. },
                _,
            ) => {
                return Stepped::Ignore(Ignored::Ended);
            }
        };
        self.asking(step, Self::by(act, "gave the order back"))
    }

    /// Only to an end that fits where the order was set aside.
    pub(super) fn resolved(
        self,
        at: &SagaStep,
        act: &Act,
        resolution: super::Resolution,
    ) -> Stepped {
        use super::Resolution as To;
        let cause = Self::by(act, "settled the order by hand");
        match (resolution, at) {
            (To::Cancelled, Reserving | AwaitingPayment | Voiding { .. } | Releasing { .. }) => {
                self.ended_as_cancelled(CancelReason::Operator, &cause)
            }
            (To::Completed, Committing) => self.end(Completed, cause).done(),
            (To::Refunded, Committing | CommittingForRefund) => {
                self.end(Refunded { goods: Goods::Sold }, cause).done()
            }
            (To::Refunded, ReleasingForRefund { cause: why }) => {
                let goods = Goods::Released { cause: *why };
                self.end(Refunded { goods }, cause).done()
            }
            (To::Refunded, Refunding { goods }) => {
                self.end(Refunded { goods: *goods }, cause).done()
            }
            _ => Stepped::Ignore(Ignored::NotResolvable),
        }
    }

    /// A refund that the provider refused can still arrive, by hand or by payments' own retry.
    pub(super) fn refunded_after_all(self, at: &SagaStep) -> Stepped {
        match at {
            Refunding { goods } => self.refunded(*goods),
            _ => Stepped::Ignore(Ignored::IsStuck),
        }
    }

    /// Payments has given back, by itself, money that arrived after the void. `late` is false when it claims an ordinary refund.
    pub(super) fn late_refund(self, late: bool) -> Stepped {
        if !late {
            return Stepped::Illegal;
        }
        match self.saga.late_money {
            LateMoney::Refunded => Stepped::Ignore(Ignored::Duplicate),
            LateMoney::None | LateMoney::RefundFailed => self.note(
                LateMoney::Refunded,
                "Money that arrived after the void was given back.",
            ),
        }
    }

    /// As [`Self::late_refund`], for a refund that the provider refused: payments' operators owe it.
    pub(super) fn late_refund_failed(self, late: bool) -> Stepped {
        if !late {
            return Stepped::Illegal;
        }
        match self.saga.late_money {
            LateMoney::None => self.note(
                LateMoney::RefundFailed,
                "Money arrived after the void and its refund was refused: it is owed.",
            ),
            LateMoney::RefundFailed => Stepped::Ignore(Ignored::Duplicate),
            LateMoney::Refunded => Stepped::Ignore(Ignored::Superseded),
        }
    }

    fn note(self, late_money: LateMoney, text: &str) -> Stepped {
        let mut next = self.stay(self.saga.step.clone(), text);
        next.saga.late_money = late_money;
        next.wake(Wake::Keep).done()
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
        Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. } => {
            "At rest"
        }
    }
}

fn refusal_text(refusal: &Refusal) -> String {
    let lines: Vec<String> = refusal
        .shortages
        .iter()
        .map(|short| match refusal.reason {
            RefusalReason::UnknownSku => short.sku.to_string(),
            _ => format!(
                "{} (asked for {}, available {})",
                short.sku, short.requested, short.available
            ),
        })
        .collect();
    let reason = match refusal.reason {
        RefusalReason::OutOfStock => "out of stock",
        RefusalReason::UnknownSku => "unknown SKU",
        RefusalReason::MixedCurrency => "the lines have different currencies",
        RefusalReason::TotalOutOfRange => "the total is out of range",
        RefusalReason::InvalidLines => "invalid lines",
    };
    if lines.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {}", lines.join(", "))
    }
}
