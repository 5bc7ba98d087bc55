//! What must hold: after every commit, and in the books when the order has ended.

use order_saga::saga::{Goods, LateMoney, SagaStep, StuckReason, resume};
use payment::{PaymentState, RefundState};
use stock::ReservationState;

use crate::cases::Kind;
use crate::glue;
use crate::journeys::{End, Journey};
use crate::world::{Stored, World};

/// After every commit: versions without a gap, one timeline row and at most one event each, a deadline exactly while somebody is asked.
pub(crate) fn assert_row(journey: &Journey, stored: &Stored) {
    let saga = &stored.saga;
    let name = journey.name;
    let versions: Vec<i64> = stored.timeline.iter().map(|version| version.0).collect();
    let expected: Vec<i64> = (1..=saga.version.0).collect();
    assert_eq!(versions, expected, "{name}: the timeline");
    let waits = !resume(saga).is_empty();
    assert_eq!(stored.deadline, waits, "{name}: {:?}", saga.step);
    assert_eq!(stored.quoted, u32::from(saga.quote.is_some()), "{name}");
    let (seqs, names): (Vec<_>, Vec<_>) = stored.published.iter().copied().unzip();
    assert!(
        seqs.is_sorted_by(|one, next| one < next),
        "{name}: {seqs:?}"
    );
    for (at, event) in names.iter().enumerate() {
        assert!(!names[..at].contains(event), "{name}: {event} twice");
    }
}

pub(crate) fn end_of(step: &SagaStep) -> End {
    match step {
        SagaStep::Completed => End::Completed,
        SagaStep::Rejected { .. } => End::Rejected,
        SagaStep::Cancelled { reason } => End::Cancelled(*reason),
        SagaStep::Refunded { goods: Goods::Sold } => End::RefundedSold,
        SagaStep::Refunded {
            goods: Goods::Released { .. },
        } => End::RefundedReleased,
        SagaStep::Stuck {
            at,
            reason: StuckReason::RefundRefused,
        } if **at == (SagaStep::Refunding { goods: Goods::Sold }) => End::RefundStuck,
        other => panic!("no end: {other:?}"),
    }
}

/// What each end leaves behind: events, the reservation, the money that is kept.
fn left_by(end: End, quoted: bool) -> (Vec<&'static str>, ReservationState, i64) {
    use ReservationState::{Committed, Refused, Released};
    match end {
        End::Completed => (vec!["created", "paid"], Committed, 1),
        End::Rejected => (vec!["rejected"], Refused, 0),
        End::Cancelled(_) if quoted => (vec!["created", "cancelled"], Released, 0),
        End::Cancelled(_) => (vec!["cancelled"], Released, 0),
        End::RefundedSold => (vec!["created", "paid", "refunded"], Committed, 0),
        End::RefundedReleased => (vec!["created", "refunded"], Released, 0),
        End::RefundStuck => (vec!["created", "paid"], Committed, 1),
    }
}

/// At the end: goods, money and events as the end demands, on all sides.
pub(crate) fn assert_books(world: &World<'_>) {
    let stored = world.stored.as_ref().unwrap();
    let end = end_of(&stored.saga.step);
    let at = format!("{}: {end:?}", world.journey.name);
    let (events, reservation, kept) = left_by(end, stored.saga.quote.is_some());
    let published: Vec<_> = stored.published.iter().map(|(_, name)| *name).collect();
    assert_eq!(published, events, "{at}");

    let harmless = |(name, kind): &(&str, Kind)| *name != "Alert" || *kind == Kind::Repeat;
    if end == End::RefundStuck && world.injected.keys().all(harmless) {
        assert!(world.alerts > 0, "{at}: nobody is told");
    }

    let sku = glue::sku();
    let row = &world.books.reservations[&glue::reservation_id(&world.order)];
    assert_eq!(row.state, reservation, "{at}");
    let stock = &world.books.stock[&sku];
    let held = world.books.pieces(&sku, ReservationState::Held);
    let sold = world.books.pieces(&sku, ReservationState::Committed);
    assert_eq!((stock.reserved, held), (0, 0), "{at}: nothing stays held");
    assert_eq!(sold, i64::from(reservation == ReservationState::Committed));
    assert_eq!(stock.on_hand, world.journey.on_hand - sold, "{at}");

    assert_eq!(world.money.kept(), kept, "{at}: captures less refunds");
    if let Some(row) = &world.money.row {
        let back = row.refund == RefundState::Refunded;
        let taken = row.money_was_taken();
        let books = i64::from(taken) - i64::from(back);
        assert_eq!(books, kept, "{at}: payments and provider disagree");
        let noted = stored.saga.late_money == LateMoney::Refunded;
        assert_eq!(noted, row.late_capture, "{at}: late money");
        assert_ne!(row.state, PaymentState::Requested, "{at}");
        assert_ne!(row.state, PaymentState::Unknown, "{at}");
    }
}
