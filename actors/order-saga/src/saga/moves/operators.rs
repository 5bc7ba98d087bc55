//! What operators do by hand.

use super::Moves;
use crate::saga::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Settling, Stuck, Voiding,
};
use crate::saga::{
    CancelReason, Goods, Ignored, Resolution, SagaStep, Stepped, StuckReason, VoidCause,
};

/// What customers read; who did it and why stands in the record of acts.
pub(super) const GIVEN_BACK: &str = "An operator gave the order back.";
/// What customers read, and by what the audit knows an order whose money rests on an operator's word.
const SETTLED: &str = "An operator settled the order by hand.";

impl Moves<'_> {
    /// Asks for `step` again with fresh deadlines, also out of Stuck.
    pub(in crate::saga) fn retried(self, step: &SagaStep) -> Stepped {
        self.asking(step.clone(), "An operator asked again.")
    }

    /// From where the order was set aside to the way back from there.
    pub(in crate::saga) fn compensated_stuck(self, at: &SagaStep, reason: StuckReason) -> Stepped {
        let cause = VoidCause::Operator;
        let step = match (at, reason) {
            (Reserving, _) => Releasing {
                reason: cause.into(),
            },
            (AwaitingPayment | Voiding { .. }, _) => Voiding { cause },
            (
                Committing | CommittingForRefund,
                StuckReason::CommitRefused | StuckReason::CallRefused,
            ) => ReleasingForRefund { cause },
            (Committing | CommittingForRefund, _) => CommittingForRefund,
            (ReleasingForRefund { .. }, StuckReason::ReleaseRefused) => {
                Refunding { goods: Goods::Sold }
            }
            (
                Settling { goods: Goods::Sold },
                StuckReason::CommitRefused | StuckReason::CallRefused,
            ) => Settling {
                goods: Goods::Released { cause },
            },
            (
                Settling {
                    goods: Goods::Released { .. },
                },
                StuckReason::ReleaseRefused,
            ) => Settling { goods: Goods::Sold },
            (
                Releasing { .. } | ReleasingForRefund { .. } | Refunding { .. } | Settling { .. },
                _,
            ) => at.clone(),
            (
                Completed | Refunded { .. } | Cancelled { .. } | Rejected { .. } | Stuck { .. },
                _,
            ) => {
                return Stepped::Ignore(Ignored::Ended);
            }
        };
        self.asking(step, GIVEN_BACK)
    }

    /// Only to an end that fits where the order was set aside. People settled the money; the order ends at once where the stock has nothing
    /// to do or refuses to do it, and else once the stock has done its part.
    pub(in crate::saga) fn resolved(
        self,
        at: &SagaStep,
        why: StuckReason,
        resolution: Resolution,
    ) -> Stepped {
        use Resolution as To;
        let refused = stock_refused(why);
        let reason = CancelReason::Operator;
        match (resolution, at) {
            (To::Cancelled, Releasing { .. }) if refused => {
                self.ended_as_cancelled(reason, SETTLED)
            }
            (To::Cancelled, Reserving | AwaitingPayment | Voiding { .. } | Releasing { .. }) => {
                self.asking(Releasing { reason }, SETTLED)
            }
            (To::Completed, Committing) if refused => self.end(Completed, SETTLED).done(),
            (To::Completed, Committing) => self.asking(Committing, SETTLED),
            (To::Refunded, Committing | CommittingForRefund) => {
                self.refunded_by_hand(Goods::Sold, refused)
            }
            // What the stock does not release is sold.
            (To::Refunded, ReleasingForRefund { .. }) if why == StuckReason::ReleaseRefused => {
                self.refunded_by_hand(Goods::Sold, refused)
            }
            (To::Refunded, ReleasingForRefund { cause }) => {
                self.refunded_by_hand(Goods::Released { cause: *cause }, refused)
            }
            (To::Refunded, Settling { goods }) => self.refunded_by_hand(*goods, refused),
            (To::Refunded, Refunding { goods }) => self.ended_as_refunded(*goods, SETTLED),
            _ => Stepped::Ignore(Ignored::NotResolvable),
        }
    }

    fn refunded_by_hand(self, goods: Goods, stock_refused: bool) -> Stepped {
        if stock_refused {
            self.ended_as_refunded(goods, SETTLED)
        } else {
            self.asking(Settling { goods }, SETTLED)
        }
    }
}

/// Whether an order that waited for the stock was set aside because the stock does not do its part: asking it once more leads nowhere.
const fn stock_refused(why: StuckReason) -> bool {
    match why {
        StuckReason::CommitRefused | StuckReason::ReleaseRefused | StuckReason::CallRefused => true,
        StuckReason::RefundRefused | StuckReason::PaymentMismatch | StuckReason::Poison => false,
    }
}
