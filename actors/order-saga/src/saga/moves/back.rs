//! The way back: void, release, refund, and money that arrives too late.

use super::Moves;
use super::operators::GIVEN_BACK;
use crate::saga::SagaStep::{
    CommittingForRefund, Refunded, Refunding, Releasing, ReleasingForRefund, Voiding,
};
use crate::saga::{
    CancelReason, Goods, Ignored, LateMoney, OrderEvent, SagaStep, Stepped, VoidCause, Wake,
};

impl Moves<'_> {
    // Voiding.

    pub(in crate::saga) fn voided(self, cause: VoidCause) -> Stepped {
        self.asking(
            Releasing {
                reason: cause.into(),
            },
            "The payment is voided. Releasing the stock.",
        )
    }

    pub(in crate::saga) fn declined_before_void(self, cause: VoidCause) -> Stepped {
        self.asking(
            Releasing {
                reason: cause.into(),
            },
            "The payment was declined before it could be voided. Releasing the stock.",
        )
    }

    /// After a time-out late money is welcome; after a cancel it goes back.
    pub(in crate::saga) fn captured_despite_void(self, cause: VoidCause) -> Stepped {
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

    pub(in crate::saga) fn cancelled_while_voiding(self, cause: VoidCause) -> Stepped {
        match cause {
            VoidCause::PaymentTimeout => self
                .stay(
                    Voiding {
                        cause: VoidCause::UserRequested,
                    },
                    "The customer cancelled: money that still arrives goes back.",
                )
                .wake(Wake::Keep)
                .then_resume()
                .done(),
            VoidCause::UserRequested | VoidCause::Operator => {
                Stepped::Ignore(Ignored::AlreadyHolds)
            }
        }
    }

    pub(in crate::saga) fn compensated_while_voiding(self, cause: VoidCause) -> Stepped {
        match cause {
            VoidCause::PaymentTimeout => self
                .stay(
                    Voiding {
                        cause: VoidCause::Operator,
                    },
                    GIVEN_BACK,
                )
                .wake(Wake::Keep)
                .then_resume()
                .done(),
            VoidCause::UserRequested | VoidCause::Operator => {
                Stepped::Ignore(Ignored::AlreadyHolds)
            }
        }
    }

    // Releasing.

    pub(in crate::saga) fn cancelled(self, reason: CancelReason) -> Stepped {
        self.ended_as_cancelled(reason, "The stock is released. Order cancelled.")
    }

    // Refunds.

    pub(in crate::saga) fn refund_after_commit(self, why: &str) -> Stepped {
        self.asking(
            CommittingForRefund,
            format!("{why}. Finishing the sale first."),
        )
    }

    pub(in crate::saga) fn refund_after_commit_by_hand(self) -> Stepped {
        self.asking(CommittingForRefund, GIVEN_BACK)
    }

    pub(in crate::saga) fn refund_sold(self, why: &str) -> Stepped {
        self.asking(
            Refunding { goods: Goods::Sold },
            format!("{why}. Refunding."),
        )
    }

    pub(in crate::saga) fn refund_sold_by_hand(self) -> Stepped {
        self.asking(Refunding { goods: Goods::Sold }, GIVEN_BACK)
    }

    pub(in crate::saga) fn refund_released(self, cause: VoidCause) -> Stepped {
        self.asking(
            Refunding {
                goods: Goods::Released { cause },
            },
            "The stock is released. Refunding.",
        )
    }

    pub(in crate::saga) fn refunded(self, goods: Goods) -> Stepped {
        self.ended_as_refunded(goods, "The money is back. Order refunded.")
    }

    /// The stock has done its part after the money went back by hand.
    pub(in crate::saga) fn settled(self, goods: Goods) -> Stepped {
        self.ended_as_refunded(goods, "The goods are settled too. Order refunded.")
    }

    pub(super) fn ended_as_refunded(self, goods: Goods, cause: &str) -> Stepped {
        let next = self.end(Refunded { goods }, cause);
        self.with_total(next, |payment_id, quote| OrderEvent::Refunded {
            payment_id,
            total: quote.total,
            currency: quote.currency,
        })
    }

    /// A refund that the provider refused can still arrive, by hand or by payments' own retry.
    pub(in crate::saga) fn refunded_after_all(self, at: &SagaStep) -> Stepped {
        match at {
            Refunding { goods } => self.refunded(*goods),
            _ => Stepped::Ignore(Ignored::IsStuck),
        }
    }

    /// Payments has given back, by itself, money that arrived after the void. `late` is false when it claims an ordinary refund.
    pub(in crate::saga) fn late_refund(self, late: bool) -> Stepped {
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
    pub(in crate::saga) fn late_refund_failed(self, late: bool) -> Stepped {
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
