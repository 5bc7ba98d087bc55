//! The way forward: stock, then money, then the sale.

use std::sync::Arc;

use super::Moves;
use super::operators::GIVEN_BACK;
use crate::model::{Quote, Refusal, RefusalReason};
use crate::saga::SagaStep::{AwaitingPayment, Committing, Completed, Rejected, Releasing, Voiding};
use crate::saga::{CancelReason, DurableEffect, OrderEvent, Stepped, VoidCause};

impl Moves<'_> {
    // Reserving.

    pub(in crate::saga) fn held(self, quote: &Quote) -> Stepped {
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

    pub(in crate::saga) fn refused(self, refusal: &Refusal) -> Stepped {
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
    pub(in crate::saga) fn released_by_hand(self) -> Stepped {
        self.ended_as_cancelled(
            CancelReason::Operator,
            "The reservation was released by hand.",
        )
    }

    pub(in crate::saga) fn release_unpaid(self, reason: CancelReason, why: &str) -> Stepped {
        self.asking(
            Releasing { reason },
            format!("{why} before the stock answered. Releasing it."),
        )
    }

    pub(in crate::saga) fn release_unpaid_by_hand(self) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::Operator,
            },
            GIVEN_BACK,
        )
    }

    pub(in crate::saga) fn reserve_deadline_passed(self) -> Stepped {
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

    pub(in crate::saga) fn captured(self) -> Stepped {
        self.paid("The payment is captured. Confirming the sale with the stock.")
    }

    pub(super) fn paid(self, cause: &str) -> Stepped {
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

    pub(in crate::saga) fn declined(self, reason: &str) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::PaymentDeclined,
            },
            format!("The payment was declined ({reason}). Releasing the stock."),
        )
    }

    /// This saga never asked for a void, so a person did, in payments.
    pub(in crate::saga) fn voided_by_hand(self) -> Stepped {
        self.asking(
            Releasing {
                reason: CancelReason::Operator,
            },
            "The payment was voided by hand. Releasing the stock.",
        )
    }

    pub(in crate::saga) fn payment_deadline_passed(self) -> Stepped {
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

    pub(in crate::saga) fn void_for_customer(self) -> Stepped {
        self.asking(
            Voiding {
                cause: VoidCause::UserRequested,
            },
            "The customer cancelled. Voiding the payment.",
        )
    }

    pub(in crate::saga) fn void_by_hand(self) -> Stepped {
        self.asking(
            Voiding {
                cause: VoidCause::Operator,
            },
            GIVEN_BACK,
        )
    }

    // Committing.

    pub(in crate::saga) fn completed(self) -> Stepped {
        self.end(Completed, "The stock confirmed the sale. Order completed.")
            .done()
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
