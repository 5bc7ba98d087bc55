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
use tracing::{Instrument as _, debug, info_span, warn};

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
    let (span, _) = order.child(|| {
        info_span!(
            "payment work",
            otel.name = match work {
                Work::Charge => "charge payment",
                Work::LookUp => "look up payment",
                Work::Refund => "refund payment",
            },
            order.id = payment.request.order_id.0,
            payment.id = %payment.id(),
        )
    });
    let errand = async {
        match work {
            Work::Charge => charge(&ledger, &provider, payment).await,
            Work::LookUp => look_up(&ledger, &provider, payment).await,
            Work::Refund => refund(&ledger, &provider, payment).await,
        }
    };
    errand.instrument(span).await
}

fn parent_of(payment: &Payment) -> Option<TraceContext> {
    let traceparent = payment.request.traceparent.as_deref()?;
    TraceContext::from_traceparent(traceparent)
}

async fn charge<P: PaymentProvider>(ledger: &Ledger, provider: &P, payment: Payment) -> Next {
    let payment = record(ledger, payment, &Event::AttemptStarted)
        .await?
        .payment;
    let call = provider.charge(ChargeCall::from(&payment.request));
    let outcome = bounded(ledger.policy().charge_deadline, call)
        .await
        .unwrap_or(AttemptOutcome::Unknown);
    let event = Event::AttemptEnded {
        attempt: payment.attempt,
        outcome,
    };
    follow(record(ledger, payment, &event).await?)
}

async fn look_up<P: PaymentProvider>(ledger: &Ledger, provider: &P, payment: Payment) -> Next {
    let call = provider.look_up(payment.id());
    let found = match bounded(ledger.policy().look_up_deadline, call).await? {
        Ok(found) => found,
        Err(error) => {
            warn!(%error, "a payment could not be looked up");
            return None;
        }
    };
    let event = Event::LookedUp {
        attempt: payment.attempt,
        look_up: payment.look_ups,
        found,
    };
    follow(record(ledger, payment, &event).await?)
}

async fn refund<P: PaymentProvider>(ledger: &Ledger, provider: &P, payment: Payment) -> Next {
    let payment = record(ledger, payment, &Event::RefundStarted)
        .await?
        .payment;
    let attempt = payment.refund_attempt;
    let call = provider.refund(RefundCall {
        refund_id: payment.refund_id(attempt),
        payment_id: payment.id(),
        amount: payment.request.amount,
        currency: payment.request.currency.clone(),
    });
    let outcome = bounded(ledger.policy().refund_deadline, call)
        .await
        .unwrap_or(RefundOutcome::Unknown);
    follow(record(ledger, payment, &Event::RefundEnded { attempt, outcome }).await?)
}

async fn bounded<T>(deadline: Duration, call: impl Future<Output = T>) -> Option<T> {
    timeout(deadline, call).await.ok()
}

fn follow(change: Change) -> Next {
    let follow_up = change.follow_up?;
    Some((change.payment, follow_up))
}

/// Applies an event of this errand. `None` ends the errand: nothing was written, or it is not known.
async fn record(ledger: &Ledger, payment: Payment, event: &Event) -> Option<Change> {
    let payment_id = payment.id();
    match ledger.apply(Some(payment), event).await {
        Ok(Applied::Written(change)) => Some(*change),
        Ok(Applied::Ignored(reason, _)) => {
            debug!(%payment_id, ?reason, "the payment has moved on");
            None
        }
        Ok(Applied::Refused(refusal)) => {
            warn!(%payment_id, %refusal, "payment work was refused");
            None
        }
        Err(ApplyError::Unavailable | ApplyError::Overloaded) => {
            debug!(%payment_id, "payment work waits for the ledger");
            None
        }
        Err(ApplyError::Poisoned) => {
            warn!(%payment_id, "payment work cannot be recorded");
            None
        }
    }
}
