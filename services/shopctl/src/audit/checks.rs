//! The check of each invariant. What it says stands beside its name in `invariants.rs`.

use super::books::{OrderCase, PaymentRow, StockRow};
use super::invariants::Finding::{self, Holds, NotApplicable, Violated};

/// An order that nobody looked after for this long will not end by itself.
const OVERDUE_SECS_MAX: f64 = 60.0;

fn verdict(holds: bool, violated: impl FnOnce() -> String) -> Finding {
    if holds { Holds } else { Violated(violated()) }
}

pub(super) fn stock_on_hand(row: &StockRow) -> Finding {
    let should = row.initial + row.adjusted - row.committed;
    verdict(row.on_hand == should, || {
        format!(
            "on_hand is {}, but {} initial + {} adjusted − {} sold = {should}",
            row.on_hand, row.initial, row.adjusted, row.committed
        )
    })
}

pub(super) fn stock_reserved(row: &StockRow) -> Finding {
    verdict(row.reserved == row.held, || {
        format!(
            "reserved is {}, but HELD reservations hold {}",
            row.reserved, row.held
        )
    })
}

pub(super) fn known_order(case: &OrderCase) -> Finding {
    if case.reservations.is_empty() && case.payment.is_none() && case.charges.is_empty() {
        return NotApplicable;
    }
    verdict(case.order.is_some(), || {
        format!(
            "ordersdb does not know it, but there are {} reservations, {} payments, {} charges",
            case.reservations.len(),
            usize::from(case.payment.is_some()),
            case.charges.len()
        )
    })
}

pub(super) fn one_reservation(case: &OrderCase) -> Finding {
    match case.reservations.len() {
        0 => NotApplicable,
        1 => Holds,
        more => Violated(format!("it has {more} reservations")),
    }
}

pub(super) fn one_capture(case: &OrderCase) -> Finding {
    let ours = case.payment.as_ref().map_or(0, |payment| payment.captures);
    let theirs = case
        .charges
        .iter()
        .filter(|charge| charge.is_captured())
        .count();
    if ours == 0 && theirs == 0 {
        return NotApplicable;
    }
    verdict(ours <= 1 && theirs <= 1, || {
        format!("captured {ours} times by our books, {theirs} times by the provider's")
    })
}

pub(super) fn same_price(case: &OrderCase) -> Finding {
    let order = case
        .order
        .as_ref()
        .and_then(|order| order.total_cents.zip(order.currency.clone()));
    let reservations = case
        .reservations
        .iter()
        .filter_map(|reservation| reservation.total_cents.zip(reservation.currency.clone()));
    let payment = case
        .payment
        .as_ref()
        .map(|payment| (payment.amount_cents, payment.currency.clone()));
    let mut prices: Vec<(i64, String)> = order
        .into_iter()
        .chain(reservations)
        .chain(payment)
        .collect();
    if prices.len() < 2 {
        return NotApplicable;
    }
    prices.dedup();
    verdict(prices.len() == 1, || {
        format!("order, reservation, payment say {prices:?}")
    })
}

/// What is left of an ended order that an operator settled: its money rests on that word, but stock that is held for it is lost to
/// everybody else.
fn nothing_held(case: &OrderCase) -> Finding {
    verdict(!case.has_reservation("HELD"), || {
        "settled by hand, but its reservation still holds goods".to_owned()
    })
}

pub(super) fn paid_and_completed(case: &OrderCase) -> Finding {
    let Some(order) = &case.order else {
        return NotApplicable;
    };
    if order.status != "PAID" || order.saga_state != "COMPLETED" {
        return NotApplicable;
    }
    if case.is_settled_by_hand() {
        return nothing_held(case);
    }
    let payment = case.payment.as_ref();
    let captured = payment.is_some_and(|payment| payment.state == "CAPTURED");
    let refunded = payment.is_some_and(|payment| payment.refund_state != "NONE");
    let sold = case.has_reservation("COMMITTED");
    verdict(captured && sold && !refunded, || {
        format!(
            "payment {}, refund {}, reservation {}",
            payment.map_or("missing", |payment| payment.state.as_str()),
            payment.map_or("missing", |payment| payment.refund_state.as_str()),
            case.reservations
                .first()
                .map_or("missing", |reservation| reservation.state.as_str())
        )
    })
}

pub(super) fn captured_and_sold(case: &OrderCase) -> Finding {
    let captured = case
        .payment
        .as_ref()
        .is_some_and(|payment| payment.state == "CAPTURED");
    if !captured || !case.has_reservation("COMMITTED") || case.is_settled_by_hand() {
        return NotApplicable;
    }
    verdict(
        ["PAID", "REFUND_PENDING", "REFUNDED"].contains(&case.status()),
        || format!("the order is {}", case.status()),
    )
}

pub(super) fn refunded(case: &OrderCase) -> Finding {
    if case.status() != "REFUNDED" {
        return NotApplicable;
    }
    if case.is_settled_by_hand() {
        return nothing_held(case);
    }
    let square = case
        .payment
        .as_ref()
        .is_some_and(|payment| payment.is_captured() && payment.net_cents() == 0);
    verdict(square && !case.has_reservation("HELD"), || {
        format!(
            "captured − refunded is {:?} cents, goods held: {}",
            case.payment.as_ref().map(PaymentRow::net_cents),
            case.has_reservation("HELD")
        )
    })
}

pub(super) fn ended_without_trace(case: &OrderCase) -> Finding {
    let stuck = case
        .order
        .as_ref()
        .is_some_and(super::books::OrderRow::is_stuck);
    if stuck || !["CANCELLED", "REJECTED"].contains(&case.status()) {
        return NotApplicable;
    }
    if case.is_settled_by_hand() {
        return nothing_held(case);
    }
    if case.has_reservation("HELD") || case.has_reservation("COMMITTED") {
        return Violated("its reservation still has goods".to_owned());
    }
    let Some(payment) = &case.payment else {
        return Holds;
    };
    // Money that came late is on its way back, or owed: both are listed.
    let on_its_way = payment.late_capture && payment.refund_state != "REFUNDED";
    verdict(on_its_way || payment.net_cents() == 0, || {
        format!(
            "payment {}: {} cents are with us",
            payment.state,
            payment.net_cents()
        )
    })
}

pub(super) fn released_once(case: &OrderCase) -> Finding {
    let mut applies = false;
    for reservation in &case.reservations {
        let should = i64::from(reservation.state == "RELEASED");
        applies |= should > 0 || reservation.releases > 0;
        if reservation.releases != should {
            return Violated(format!(
                "it is {} with {} releases",
                reservation.state, reservation.releases
            ));
        }
    }
    if applies { Holds } else { NotApplicable }
}

pub(super) fn timeline_complete(case: &OrderCase) -> Finding {
    let Some(order) = &case.order else {
        return NotApplicable;
    };
    verdict(
        order.timeline_rows == order.version && order.timeline_version == order.version,
        || {
            format!(
                "version {}, but {} timeline rows up to version {}",
                order.version, order.timeline_rows, order.timeline_version
            )
        },
    )
}

pub(super) fn orders_end(case: &OrderCase) -> Finding {
    let Some(order) = case.order.as_ref().filter(|order| !order.is_at_rest()) else {
        return NotApplicable;
    };
    let overdue = order.overdue_secs.unwrap_or(f64::INFINITY);
    verdict(overdue <= OVERDUE_SECS_MAX, || {
        format!(
            "{} and overdue by {overdue:.0} s, {:.0} s old",
            order.status, order.age_secs
        )
    })
}

/// What is known to be unlearnt yet is listed as unsettled, see `judge.rs`; it is no disagreement.
pub(super) fn provider_ledger(case: &OrderCase) -> Finding {
    let Some(payment) = &case.payment else {
        return match case.charges.len() {
            0 => NotApplicable,
            more => Violated(format!(
                "{more} charges, but payments does not know the order"
            )),
        };
    };
    if let Some(charge) = case
        .charges
        .iter()
        .find(|charge| charge.key != payment.payment_id)
    {
        return Violated(format!("a charge with the foreign key {}", charge.key));
    }
    let charge = case.charges.iter().find(|charge| charge.is_captured());
    match (payment.is_captured(), charge) {
        (false, None) if case.charges.is_empty() => NotApplicable,
        (false, None) => Holds,
        (true, None) => Violated("captured by our books, not by the provider's".to_owned()),
        (false, Some(_)) => verdict(payment.is_open() || is_not_yet_looked_up(payment), || {
            format!("captured by the provider, {} by our books", payment.state)
        }),
        (true, Some(charge)) => {
            if (charge.amount_cents, &charge.currency) != (payment.amount_cents, &payment.currency)
            {
                return Violated(format!(
                    "charged {} {}, our books say {} {}",
                    charge.amount_cents, charge.currency, payment.amount_cents, payment.currency
                ));
            }
            let mut ours = payment.refunded.clone();
            let mut theirs = charge.refunded.clone();
            ours.sort_unstable();
            theirs.sort_unstable();
            verdict(ours == theirs || payment.is_refunding(), || {
                format!("refunds by our books {ours:?}, by the provider's {theirs:?}")
            })
        }
    }
}

/// A voided payment that the sweep still looks after may have a charge that nobody has looked up yet.
pub(super) fn is_not_yet_looked_up(payment: &PaymentRow) -> bool {
    payment.state == "VOIDED" && payment.is_swept && !payment.late_capture
}
