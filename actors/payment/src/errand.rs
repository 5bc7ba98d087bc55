//! One piece of work for one payment, from its committed record to the committed outcome.
//!
//! ```text
//!   charge:   AttemptStarted (commit) ─► provider.charge, bounded ─► AttemptEnded (commit)
//!   look-up:                             provider.look_up, bounded ─► LookedUp (commit)
//!   refund:   RefundStarted (commit)  ─► provider.refund, bounded ─► RefundEnded (commit)
//! ```
//!
//! A call is made only after its record is known to be committed. Whatever breaks in between (this process, the provider, the database)
//! leaves a row whose wake time brings it back; an errand never retries by itself.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Span, debug, info_span, warn};

use actor_kit::TraceContext;

use crate::change::{Change, FollowUp, Work};
use crate::event::{AttemptOutcome, Event, RefundOutcome};
use crate::ledger::{Applied, ApplyError, Ledger};
use crate::payment::Payment;
use crate::provider::{ChargeCall, PaymentProvider, RefundCall};

/// What is to be done next for the payment, if anything is.
pub type Next = Option<(Payment, FollowUp)>;

/// Does `work` for `payment` and returns what follows. The trace of the order goes on.
pub async fn run<P: PaymentProvider>(
    ledger: Ledger,
    provider: P,
    payment: Payment,
    work: Work,
) -> Next {
    let order = parent_of(&payment).unwrap_or_default();
    let order_id = payment.request.order_id.0;
    let (span, trace) = order.child(|| {
        info_span!(
            "payment work",
            otel.name = match work {
                Work::Charge => "charge payment",
                Work::LookUp => "look up payment",
                Work::Refund => "refund payment",
            },
            otel.status_code = Empty,
            order.id = order_id,
            payment.id = %payment.id(),
        )
    });
    let errand = Errand {
        ledger,
        provider,
        span: span.clone(),
    };
    let done = async {
        match work {
            Work::Charge => errand.charge(payment).await,
            Work::LookUp => errand.look_up(payment).await,
            Work::Refund => errand.refund(payment).await,
        }
    };
    trace.scope(span, Some(order_id), done).await
}

fn parent_of(payment: &Payment) -> Option<TraceContext> {
    let traceparent = payment.request.traceparent.as_deref()?;
    TraceContext::from_traceparent(traceparent)
}

/// What an errand works with.
struct Errand<P> {
    ledger: Ledger,
    provider: P,
    span: Span,
}

impl<P: PaymentProvider> Errand<P> {
    async fn charge(&self, payment: Payment) -> Next {
        let payment = self.record(payment, &Event::AttemptStarted).await?.payment;
        let call = self.provider.charge(ChargeCall::from(&payment.request));
        let outcome = bounded(self.ledger.policy().charge_deadline, call)
            .await
            .unwrap_or(AttemptOutcome::Unknown);
        if outcome == AttemptOutcome::Unknown {
            self.failed();
        }
        let event = Event::AttemptEnded {
            attempt: payment.attempt,
            outcome,
        };
        follow(self.record(payment, &event).await?)
    }

    async fn look_up(&self, payment: Payment) -> Next {
        let call = self.provider.look_up(payment.id());
        let found = match bounded(self.ledger.policy().look_up_deadline, call).await {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                warn!(%error, "a payment could not be looked up");
                self.failed();
                return None;
            }
            None => {
                self.failed();
                return None;
            }
        };
        let event = Event::LookedUp {
            attempt: payment.attempt,
            look_up: payment.look_ups,
            found,
        };
        follow(self.record(payment, &event).await?)
    }

    async fn refund(&self, payment: Payment) -> Next {
        let payment = self.record(payment, &Event::RefundStarted).await?.payment;
        let attempt = payment.refund_attempt;
        let call = self.provider.refund(RefundCall {
            refund_id: payment.refund_id(attempt),
            payment_id: payment.id(),
            amount: payment.request.amount,
            currency: payment.request.currency.clone(),
        });
        let outcome = bounded(self.ledger.policy().refund_deadline, call)
            .await
            .unwrap_or(RefundOutcome::Unknown);
        if outcome == RefundOutcome::Unknown {
            self.failed();
        }
        let event = Event::RefundEnded { attempt, outcome };
        follow(self.record(payment, &event).await?)
    }

    /// Applies an event of this errand. `None` ends the errand: nothing was written, or it is not known.
    async fn record(&self, payment: Payment, event: &Event) -> Option<Change> {
        let payment_id = payment.id();
        match self.ledger.apply(Some(payment), event).await {
            Ok(Applied::Written(change)) => return Some(*change),
            Ok(Applied::Ignored(reason, _)) => {
                debug!(%payment_id, ?reason, "the payment has moved on");
                return None;
            }
            Ok(Applied::Refused(refusal)) => {
                warn!(%payment_id, %refusal, "payment work was refused");
            }
            Err(ApplyError::Unavailable | ApplyError::Overloaded) => {
                debug!(%payment_id, "payment work waits for the ledger");
            }
            Err(ApplyError::Poisoned) => {
                warn!(%payment_id, "payment work cannot be recorded");
            }
        }
        self.failed();
        None
    }

    /// The errand did not come to its end, or to one that is not known: its trace is one to keep.
    fn failed(&self) {
        self.span.record("otel.status_code", "ERROR");
    }
}

async fn bounded<T>(deadline: Duration, call: impl Future<Output = T>) -> Option<T> {
    timeout(deadline, call).await.ok()
}

fn follow(change: Change) -> Next {
    let follow_up = change.follow_up?;
    Some((change.payment, follow_up))
}
