//! Short ways to say stock, lines and commands.

use stock::{
    Cents, Command, Content, Currency, Hold, OrderId, PricedLine, Refusal, ReleaseId,
    RequestedLine, Reservation, ReservationId, ReservationState, Shortage, Sku, Stock, StockRow,
};
use uuid::Uuid;

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

pub(crate) fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

pub(crate) fn id(n: u128) -> ReservationId {
    ReservationId(Uuid::from_u128(n))
}

/// The release that orders would send for reservation `n`.
pub(crate) fn release_id(n: u128) -> ReleaseId {
    ReleaseId(Uuid::from_u128(n | 1 << 100))
}

pub(crate) fn order(n: u128) -> OrderId {
    OrderId(i64::try_from(n).unwrap())
}

pub(crate) fn row(on_hand: i64, reserved: i64, unit_price: i64, currency: &str) -> StockRow {
    StockRow {
        on_hand,
        reserved,
        unit_price: Cents(unit_price),
        currency: Currency::new(currency).unwrap(),
    }
}

/// `A` (10 pieces at 250) and `B` (4 pieces at 1000), nothing held.
pub(crate) fn two_products() -> Stock {
    Stock::from([
        (sku("A"), row(10, 0, 250, "EUR")),
        (sku("B"), row(4, 0, 1_000, "EUR")),
    ])
}

pub(crate) fn lines(wanted: &[(&str, i64)]) -> Vec<RequestedLine> {
    wanted
        .iter()
        .map(|(sku, quantity)| RequestedLine {
            sku: (*sku).to_owned(),
            quantity: *quantity,
        })
        .collect()
}

pub(crate) fn reserve(n: u128, wanted: &[(&str, i64)]) -> Command {
    Command::Reserve {
        reservation_id: id(n),
        order_id: order(n),
        lines: lines(wanted),
    }
}

pub(crate) fn release(n: u128) -> Command {
    Command::Release {
        reservation_id: id(n),
        release_id: release_id(n),
        order_id: order(n),
    }
}

pub(crate) fn commit(n: u128) -> Command {
    Command::Commit {
        reservation_id: id(n),
        order_id: order(n),
    }
}

/// 2 × A and 1 × B, 1500 in all.
pub(crate) fn usual_hold() -> Hold {
    let line = |name, quantity, price| PricedLine {
        sku: sku(name),
        quantity,
        unit_price: Cents(price),
    };
    Hold {
        lines: vec![line("A", 2, 250), line("B", 1, 1_000)],
        total: Cents(1_500),
        currency: eur(),
    }
}

pub(crate) const USUAL_LINES: &[(&str, i64)] = &[("A", 2), ("B", 1)];

pub(crate) fn short(name: &str, requested: i64, available: i64) -> Shortage {
    Shortage {
        sku: sku(name),
        requested,
        available,
    }
}

pub(crate) fn usual_refusal() -> Refusal {
    Refusal::OutOfStock(vec![short("A", 2, 1)])
}

pub(crate) fn reservation(n: u128, state: ReservationState, content: Content) -> Reservation {
    Reservation {
        id: id(n),
        order_id: order(n),
        state,
        content,
    }
}
