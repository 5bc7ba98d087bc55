//! What the provider answers, given what its books hold. Pure.

use payment::{AttemptOutcome, ChargeCall, RefundCall, RefundOutcome};
use payments_sql::queries::provider::{ChargeRow, RefundRow};
use tracing::error;

use super::script::{self, CAPTURED, ChargeScript, REFUNDED};

pub(super) fn fresh_outcome(script: ChargeScript) -> AttemptOutcome {
    match script.decline {
        None => AttemptOutcome::Captured,
        Some(reason) => AttemptOutcome::Declined {
            reason: reason.to_owned(),
        },
    }
}

/// The stored answer, to the same question only.
pub(super) fn replay(call: &ChargeCall, row: &ChargeRow) -> AttemptOutcome {
    let same = row.order_id == call.order_id.0
        && row.amount_cents == call.amount.0
        && row.currency == call.currency
        && row.payment_method == call.payment_method.expose();
    if !same {
        error!(payment_id = %call.payment_id, "a charge came with the key of another charge: refused");
        return AttemptOutcome::Unknown;
    }
    if row.outcome == CAPTURED {
        AttemptOutcome::Captured
    } else {
        AttemptOutcome::Declined {
            reason: row.reason.clone().unwrap_or_default(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refunding {
    /// Answered before, or refused without a trace because the call itself is wrong.
    Replay(RefundOutcome),
    /// A new answer.
    Store(RefundOutcome),
}

fn refused(reason: &str) -> RefundOutcome {
    RefundOutcome::Refused {
        reason: reason.to_owned(),
    }
}

pub(super) fn decide_refund(
    call: &RefundCall,
    charges: &[ChargeRow],
    known: &[RefundRow],
) -> Refunding {
    let key = call.payment_id.0;
    let captured = charges
        .iter()
        .find(|charge| charge.idempotency_key == key && charge.outcome == CAPTURED);
    let Some(charge) = captured else {
        return Refunding::Replay(refused("not_charged"));
    };
    let of_charge = || known.iter().filter(|refund| refund.charge_key == key);
    if let Some(refund) = of_charge().find(|refund| refund.idempotency_key == call.refund_id) {
        let same = refund.amount_cents == call.amount.0 && refund.currency == call.currency;
        return Refunding::Replay(match (same, refund.outcome.as_str()) {
            (false, _) => refused("parameters_differ"),
            (true, REFUNDED) => RefundOutcome::Refunded,
            (true, _) => refused(refund.reason.as_deref().unwrap_or("refused")),
        });
    }
    if charge.amount_cents != call.amount.0 || charge.currency != call.currency {
        return Refunding::Replay(refused("parameters_differ"));
    }
    if of_charge().any(|refund| refund.outcome == REFUNDED) {
        return Refunding::Store(refused("already_refunded"));
    }
    let refusals = of_charge().count();
    Refunding::Store(
        if refusals < script::refund_refusals(&charge.payment_method) {
            refused("refund_refused")
        } else {
            RefundOutcome::Refunded
        },
    )
}
