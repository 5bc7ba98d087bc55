//! What operators do by hand.

use super::Moves;
use crate::saga::SagaStep::{
    AwaitingPayment, Cancelled, Committing, CommittingForRefund, Completed, Refunded, Refunding,
    Rejected, Releasing, ReleasingForRefund, Reserving, Stuck, Voiding,
};
use crate::saga::{
    CancelReason, Goods, Ignored, Resolution, SagaStep, Stepped, StuckReason, VoidCause,
};

/// What customers read; who did it and why stands in the record of acts.
pub(super) const GIVEN_BACK: &str = "An operator gave the order back.";

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
        self.asking(step, GIVEN_BACK)
    }

    /// Only to an end that fits where the order was set aside.
    pub(in crate::saga) fn resolved(self, at: &SagaStep, resolution: Resolution) -> Stepped {
        use Resolution as To;
        let cause = "An operator settled the order by hand.";
        match (resolution, at) {
            (To::Cancelled, Reserving | AwaitingPayment | Voiding { .. } | Releasing { .. }) => {
                self.ended_as_cancelled(CancelReason::Operator, cause)
            }
            (To::Completed, Committing) => self.end(Completed, cause).done(),
            (To::Refunded, Committing | CommittingForRefund) => {
                self.ended_as_refunded(Goods::Sold, cause)
            }
            (To::Refunded, ReleasingForRefund { cause: why }) => {
                self.ended_as_refunded(Goods::Released { cause: *why }, cause)
            }
            (To::Refunded, Refunding { goods }) => self.ended_as_refunded(*goods, cause),
            _ => Stepped::Ignore(Ignored::NotResolvable),
        }
    }
}
