//! Every row an event can meet against every event: the whole of the rules on one page.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::fmt::Write as _;

use payment::{
    AttemptOutcome, Base, Cents, Change, Decision, Event, Found, OrderId, Payment, PaymentEvent,
    PaymentId, PaymentMethod, PaymentRequest, PaymentState, Policy, RefundOutcome, RefundState,
    Wake, decide, resume,
};
use uuid::Uuid;

fn request() -> PaymentRequest {
    PaymentRequest {
        payment_id: PaymentId(Uuid::from_u128(7)),
        order_id: OrderId(42),
        amount: Cents(1_999),
        currency: "EUR".to_owned(),
        payment_method: PaymentMethod::new("tok_ok".to_owned()),
        traceparent: None,
    }
}

fn payment(state: PaymentState, attempt: i32, attempts_left: i32) -> Payment {
    Payment {
        request: request(),
        state,
        reason: None,
        void_requested: false,
        version: 10,
        attempt,
        attempts_left,
        look_ups: 0,
        late_capture: false,
        refund: RefundState::None,
        refund_attempt: 0,
        refund_tries: 0,
    }
}

fn with_refund(mut payment: Payment, refund: RefundState, attempt: i32) -> Payment {
    payment.late_capture = payment.state != PaymentState::Captured;
    payment.refund = refund;
    payment.refund_attempt = attempt;
    payment
}

/// Every kind of row, by name.
fn rows() -> Vec<(&'static str, Option<Payment>)> {
    use PaymentState::{Captured, Declined, Requested, Unknown, Voided};
    let mut unknown_void = payment(Unknown, 2, 3);
    unknown_void.void_requested = true;
    let mut watched_out = payment(Voided, 2, 0);
    watched_out.look_ups = 6;
    vec![
        ("absent", None),
        ("requested, new", Some(payment(Requested, 0, 5))),
        ("requested, tried", Some(payment(Requested, 2, 3))),
        ("requested, spent", Some(payment(Requested, 5, 0))),
        ("unknown", Some(payment(Unknown, 2, 3))),
        ("unknown, last of the round", Some(payment(Unknown, 5, 0))),
        ("unknown, void requested", Some(unknown_void)),
        ("captured", Some(payment(Captured, 2, 3))),
        (
            "captured, refund requested",
            Some(with_refund(
                payment(Captured, 2, 3),
                RefundState::Requested,
                2,
            )),
        ),
        (
            "captured, refund open",
            Some(with_refund(payment(Captured, 2, 3), RefundState::Open, 2)),
        ),
        (
            "captured, last refund open",
            Some(with_refund(payment(Captured, 2, 3), RefundState::Open, 5)),
        ),
        (
            "captured, refunded",
            Some(with_refund(
                payment(Captured, 2, 3),
                RefundState::Refunded,
                2,
            )),
        ),
        (
            "captured, refund stuck",
            Some(with_refund(payment(Captured, 2, 3), RefundState::Stuck, 5)),
        ),
        ("declined", Some(payment(Declined, 2, 3))),
        (
            "declined, late capture, refund open",
            Some(with_refund(payment(Declined, 2, 3), RefundState::Open, 2)),
        ),
        ("voided, never tried", Some(payment(Voided, 0, 0))),
        ("voided, watched", Some(payment(Voided, 2, 0))),
        ("voided, watch over", Some(watched_out)),
        (
            "voided, late capture, refund requested",
            Some(with_refund(
                payment(Voided, 2, 0),
                RefundState::Requested,
                1,
            )),
        ),
        (
            "voided, late capture, last refund open",
            Some(with_refund(payment(Voided, 2, 0), RefundState::Open, 5)),
        ),
        (
            "voided, late capture, refund stuck",
            Some(with_refund(payment(Voided, 2, 0), RefundState::Stuck, 5)),
        ),
        (
            "voided, late capture, refunded",
            Some(with_refund(payment(Voided, 2, 0), RefundState::Refunded, 1)),
        ),
    ]
}

/// Every kind of event, by name. The numbers are the row's own.
#[expect(clippy::too_many_lines, reason = "a table")]
fn events(attempt: i32, look_ups: i32, refund: i32) -> Vec<(&'static str, Event)> {
    let other = PaymentRequest {
        amount: Cents(1),
        ..request()
    };
    let ended = |attempt, outcome| Event::AttemptEnded { attempt, outcome };
    let declined = || AttemptOutcome::Declined {
        reason: "insufficient_funds".to_owned(),
    };
    let looked_up = |attempt, found| Event::LookedUp {
        attempt,
        look_up: look_ups,
        found,
    };
    let refund_ended = |attempt, outcome| Event::RefundEnded { attempt, outcome };
    let refused = || RefundOutcome::Refused {
        reason: "closed_account".to_owned(),
    };
    vec![
        ("Request", Event::Request(request())),
        ("Request, other parameters", Event::Request(other.clone())),
        ("Void", Event::Void(request())),
        ("Void, other parameters", Event::Void(other)),
        ("Refund", Event::Refund),
        ("AttemptStarted", Event::AttemptStarted),
        (
            "AttemptEnded captured",
            ended(attempt, AttemptOutcome::Captured),
        ),
        ("AttemptEnded declined", ended(attempt, declined())),
        (
            "AttemptEnded not charged",
            ended(attempt, AttemptOutcome::NotCharged),
        ),
        (
            "AttemptEnded unknown",
            ended(attempt, AttemptOutcome::Unknown),
        ),
        (
            "older AttemptEnded captured",
            ended(attempt - 1, AttemptOutcome::Captured),
        ),
        (
            "older AttemptEnded declined",
            ended(attempt - 1, declined()),
        ),
        (
            "older AttemptEnded not charged",
            ended(attempt - 1, AttemptOutcome::NotCharged),
        ),
        (
            "older AttemptEnded unknown",
            ended(attempt - 1, AttemptOutcome::Unknown),
        ),
        ("LookedUp charged", looked_up(attempt, Found::Charged)),
        (
            "LookedUp not charged",
            looked_up(attempt, Found::NotCharged),
        ),
        (
            "older LookedUp charged",
            looked_up(attempt - 1, Found::Charged),
        ),
        (
            "older LookedUp not charged",
            looked_up(attempt - 1, Found::NotCharged),
        ),
        (
            "repeated LookedUp not charged",
            Event::LookedUp {
                attempt,
                look_up: look_ups - 1,
                found: Found::NotCharged,
            },
        ),
        ("RefundInsisted", Event::RefundInsisted { version: 10 }),
        (
            "RefundInsisted, moved",
            Event::RefundInsisted { version: 9 },
        ),
        ("RefundStarted", Event::RefundStarted),
        (
            "RefundEnded refunded",
            refund_ended(refund, RefundOutcome::Refunded),
        ),
        ("RefundEnded refused", refund_ended(refund, refused())),
        (
            "RefundEnded unknown",
            refund_ended(refund, RefundOutcome::Unknown),
        ),
        (
            "older RefundEnded refused",
            refund_ended(refund - 1, refused()),
        ),
    ]
}

fn describe(change: &Change) -> String {
    let payment = &change.payment;
    let mut text = payment.state.as_str().to_owned();
    if payment.void_requested && payment.state != PaymentState::Voided {
        text.push_str(" void_requested");
    }
    if let Some(attempt) = &change.attempt {
        let _ = write!(
            text,
            ", attempt {} {}",
            attempt.attempt,
            attempt.state.as_str()
        );
    }
    if payment.late_capture {
        text.push_str(", late capture");
    }
    if payment.refund != RefundState::None {
        let _ = write!(text, ", refund {}", payment.refund.as_str());
    }
    for refund in &change.refunds {
        let _ = write!(
            text,
            ", refund {} {}",
            refund.attempt,
            refund.state.as_str()
        );
    }
    match &change.event {
        None => {}
        Some(PaymentEvent::Succeeded) => text.push_str(", tells succeeded"),
        Some(PaymentEvent::Failed { .. }) => text.push_str(", tells failed"),
        Some(PaymentEvent::Refunded { late_capture, .. }) => {
            let _ = write!(text, ", tells refunded(late_capture {late_capture})");
        }
        Some(PaymentEvent::RefundFailed { late_capture, .. }) => {
            let _ = write!(text, ", tells refund_failed(late_capture {late_capture})");
        }
    }
    match change.wake {
        Wake::Never => text.push_str(", sleeps"),
        Wake::In(after) => {
            let _ = write!(text, ", wakes in {after:?}");
        }
        Wake::AtLeast(after) => {
            let _ = write!(text, ", wakes not before {after:?}");
        }
    }
    if let Some(follow_up) = change.follow_up {
        let _ = write!(
            text,
            ", then {:?} after {:?}",
            follow_up.work, follow_up.after
        );
    }
    if let Some(tally) = change.tally {
        let _ = write!(text, ", counts {}", tally.as_str());
    }
    text
}

#[test]
fn every_row_and_event_has_its_decision() {
    let policy = Policy::default();
    let mut table = String::new();
    for (row_name, row) in rows() {
        let attempt = row.as_ref().map_or(1, |row| row.attempt);
        let refund = row.as_ref().map_or(1, |row| row.refund_attempt);
        let look_ups = row.as_ref().map_or(0, |row| row.look_ups);
        let _ = writeln!(table, "{row_name}");
        for (event_name, event) in events(attempt, look_ups, refund) {
            let decision = match decide(row.as_ref(), &event, &policy, 1.0) {
                Decision::Write(change) => describe(&change),
                Decision::Ignore(reason) => format!("ignored: {reason:?}"),
                Decision::Refuse(refusal) => format!("refused: {refusal:?}"),
                Decision::Illegal(illegal) => format!("ILLEGAL: {illegal:?}"),
            };
            let _ = writeln!(table, "    {event_name:<32} {decision}");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn every_write_is_the_next_version_and_wakes_exactly_when_work_is_left() {
    let policy = Policy::default();
    for (row_name, row) in rows() {
        let attempt = row.as_ref().map_or(1, |row| row.attempt);
        let refund = row.as_ref().map_or(1, |row| row.refund_attempt);
        let look_ups = row.as_ref().map_or(0, |row| row.look_ups);
        for (event_name, event) in events(attempt, look_ups, refund) {
            let Decision::Write(change) = decide(row.as_ref(), &event, &policy, 0.5) else {
                continue;
            };
            let cell = format!("{row_name} × {event_name}");
            let before = row.as_ref().map_or(0, |row| row.version);
            assert_eq!(change.payment.version, before + 1, "{cell}");
            let base = row
                .as_ref()
                .map_or(Base::Absent, |row| Base::Version(row.version));
            assert_eq!(change.base, base, "{cell}");
            let work = resume(&change.payment, &policy);
            assert_eq!(work.is_none(), change.wake == Wake::Never, "{cell}");
            if let Some(follow_up) = change.follow_up {
                assert_eq!(Some(follow_up.work), work, "{cell}");
                match change.wake {
                    Wake::In(after) => assert!(after >= follow_up.after + policy.grace, "{cell}"),
                    Wake::Never | Wake::AtLeast(_) => panic!("{cell}: a follow-up without its net"),
                }
            }
        }
    }
}

#[test]
fn a_fresh_request_keeps_its_wake_time_when_its_attempt_starts_at_once() {
    let policy = Policy::default();
    let Decision::Write(opened) = decide(None, &Event::Request(request()), &policy, 0.0) else {
        panic!("a first request is written");
    };
    let Wake::In(fresh) = opened.wake else {
        panic!("a request wakes the sweep");
    };
    let Decision::Write(started) =
        decide(Some(&opened.payment), &Event::AttemptStarted, &policy, 0.0)
    else {
        panic!("an attempt starts");
    };
    let Wake::AtLeast(least) = started.wake else {
        panic!("an attempt keeps a later wake time");
    };
    assert!(least < fresh, "the update would leave its page");
}

#[test]
fn a_voided_payment_with_an_attempt_is_watched_for_a_day() {
    let policy = Policy::default();
    let day = std::time::Duration::from_secs(24 * 3600);
    let mut row = payment(PaymentState::Unknown, 1, 4);
    row.void_requested = true;
    let mut watched = std::time::Duration::ZERO;
    let mut now = row;
    loop {
        let event = Event::LookedUp {
            attempt: 1,
            look_up: now.look_ups,
            found: Found::NotCharged,
        };
        let Decision::Write(change) = decide(Some(&now), &event, &policy, 0.0) else {
            panic!("the watch goes on");
        };
        assert_eq!(change.payment.state, PaymentState::Voided);
        now = change.payment;
        match change.wake {
            Wake::In(after) => watched += after,
            Wake::Never => break,
            Wake::AtLeast(_) => panic!("a watch has times of its own"),
        }
    }
    assert!(watched >= day, "watched for {watched:?} only");
}

#[test]
fn the_payment_method_is_never_printed() {
    let printed = format!("{:?}", Event::Request(request()));
    assert!(!printed.contains("tok_ok"), "{printed}");
}

#[test]
fn what_no_door_may_let_in_is_named() {
    use payment::InvalidRequest as Bad;
    let check = |change: fn(&mut PaymentRequest)| {
        let mut request = request();
        change(&mut request);
        request.validate()
    };
    assert_eq!(check(|_| ()), Ok(()));
    assert_eq!(check(|r| r.order_id = OrderId(0)), Err(Bad::OrderId));
    assert_eq!(check(|r| r.amount = Cents(0)), Err(Bad::Amount));
    assert_eq!(check(|r| r.amount = Cents(i64::MIN)), Err(Bad::Amount));
    assert_eq!(check(|r| r.currency = "eur".to_owned()), Err(Bad::Currency));
    assert_eq!(
        check(|r| r.currency = "EURO".to_owned()),
        Err(Bad::Currency)
    );
    let method = |text: String| {
        let mut request = request();
        request.payment_method = PaymentMethod::new(text);
        request.validate()
    };
    assert_eq!(method(String::new()), Err(Bad::PaymentMethod));
    assert_eq!(method("a b".to_owned()), Err(Bad::PaymentMethod));
    assert_eq!(method("x".repeat(129)), Err(Bad::PaymentMethod));
    assert_eq!(method("x".repeat(128)), Ok(()));
}
