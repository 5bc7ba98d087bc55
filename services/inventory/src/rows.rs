//! Between rows and the words of stock. A row that makes no sense is told by its id; it can only come from a hand in the database.

use std::borrow::Cow;

use inventory_sql::queries::keeper::{LockStockBorrowed, LockedReservationBorrowed};
use serde::{Deserialize, Serialize};
use stock::{
    Cents, Content, Currency, Hold, OrderId, PricedLine, Refusal, Reservation, ReservationId,
    ReservationState, Shortage, Sku, StockRow,
};

/// A row that cannot be read. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{table} {key} cannot be read: {reason}")]
pub(crate) struct CorruptRow {
    table: &'static str,
    key: String,
    reason: &'static str,
}

/// A reservation that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LockedRow {
    /// Somebody else has it.
    Busy(ReservationId),
    /// We have it.
    Ours(Reservation),
}

/// One element of `reservations.lines`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LineJson<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    quantity: i64,
    unit_price_cents: i64,
}

/// One element of `reservations.shortages`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShortageJson<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    requested: i64,
    available: i64,
}

/// The lines as they are stored.
pub(crate) fn lines_json(lines: &[PricedLine]) -> Vec<LineJson<'_>> {
    lines
        .iter()
        .map(|line| LineJson {
            sku: Cow::Borrowed(line.sku.as_str()),
            quantity: line.quantity,
            unit_price_cents: line.unit_price.0,
        })
        .collect()
}

/// The column `refusal_reason` and the shortages beside it.
pub(crate) fn refusal_columns(refusal: &Refusal) -> (&'static str, Vec<ShortageJson<'_>>) {
    match refusal {
        Refusal::InvalidLines => ("INVALID_LINES", Vec::new()),
        Refusal::UnknownSku(unknown) => ("UNKNOWN_SKU", shortages_json(unknown)),
        Refusal::MixedCurrency => ("MIXED_CURRENCY", Vec::new()),
        Refusal::TotalOutOfRange => ("TOTAL_OUT_OF_RANGE", Vec::new()),
        Refusal::OutOfStock(short) => ("OUT_OF_STOCK", shortages_json(short)),
    }
}

fn shortages_json(shortages: &[Shortage]) -> Vec<ShortageJson<'_>> {
    shortages
        .iter()
        .map(|row| ShortageJson {
            sku: Cow::Borrowed(row.sku.as_str()),
            requested: row.requested,
            available: row.available,
        })
        .collect()
}

/// The column `state`.
pub(crate) fn state_column(state: ReservationState) -> &'static str {
    match state {
        ReservationState::Held => "HELD",
        ReservationState::Refused => "REFUSED",
        ReservationState::Committed => "COMMITTED",
        ReservationState::Released => "RELEASED",
    }
}

/// A row of `lock_reservations`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a mapper's signature is clorinde's"
)]
pub(crate) fn reservation(row: LockedReservationBorrowed<'_>) -> Result<LockedRow, CorruptRow> {
    let id = ReservationId(row.reservation_id);
    if row.busy {
        return Ok(LockedRow::Busy(id));
    }
    let corrupt = |reason| CorruptRow {
        table: "reservation",
        key: id.to_string(),
        reason,
    };
    let state = match row.state {
        Some("HELD") => ReservationState::Held,
        Some("REFUSED") => ReservationState::Refused,
        Some("COMMITTED") => ReservationState::Committed,
        Some("RELEASED") => ReservationState::Released,
        _ => return Err(corrupt("its state is unknown")),
    };
    let content = match (row.refusal_reason, row.total_cents) {
        (Some(reason), _) => {
            let json = row.shortages.as_ref().map_or("[]", |json| json.0.get());
            let shortages =
                read_shortages(json).ok_or_else(|| corrupt("its shortages are malformed"))?;
            Content::Refused(
                read_refusal(reason, shortages).ok_or_else(|| corrupt("its refusal is unknown"))?,
            )
        }
        (None, Some(total)) => {
            let json = row.lines.as_ref().map_or("[]", |json| json.0.get());
            Content::Granted(Hold {
                lines: read_lines(json).ok_or_else(|| corrupt("its lines are malformed"))?,
                total: Cents(total),
                currency: row
                    .currency
                    .and_then(Currency::new)
                    .ok_or_else(|| corrupt("its currency is malformed"))?,
            })
        }
        (None, None) => Content::Tombstone,
    };
    Ok(LockedRow::Ours(Reservation {
        id,
        order_id: OrderId(row.order_id),
        state,
        content,
    }))
}

fn read_lines(json: &str) -> Option<Vec<PricedLine>> {
    let lines: Vec<LineJson<'_>> = serde_json::from_str(json).ok()?;
    let line = |line: LineJson<'_>| {
        let unit_price = Cents(line.unit_price_cents);
        Some(PricedLine {
            sku: Sku::new(&line.sku)?,
            quantity: line.quantity,
            unit_price,
        })
    };
    lines.into_iter().map(line).collect()
}

fn read_shortages(json: &str) -> Option<Vec<Shortage>> {
    let shortages: Vec<ShortageJson<'_>> = serde_json::from_str(json).ok()?;
    let shortage = |row: ShortageJson<'_>| {
        Some(Shortage {
            sku: Sku::new(&row.sku)?,
            requested: row.requested,
            available: row.available,
        })
    };
    shortages.into_iter().map(shortage).collect()
}

fn read_refusal(reason: &str, shortages: Vec<Shortage>) -> Option<Refusal> {
    Some(match reason {
        "INVALID_LINES" => Refusal::InvalidLines,
        "UNKNOWN_SKU" => Refusal::UnknownSku(shortages),
        "MIXED_CURRENCY" => Refusal::MixedCurrency,
        "TOTAL_OUT_OF_RANGE" => Refusal::TotalOutOfRange,
        "OUT_OF_STOCK" => Refusal::OutOfStock(shortages),
        _ => return None,
    })
}

/// A row of `lock_stock`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a mapper's signature is clorinde's"
)]
pub(crate) fn stock_row(row: LockStockBorrowed<'_>) -> Result<(Sku, StockRow), CorruptRow> {
    let corrupt = |reason| CorruptRow {
        table: "stock",
        key: row.sku.to_owned(),
        reason,
    };
    let sku = Sku::new(row.sku).ok_or_else(|| corrupt("its SKU is malformed"))?;
    let currency =
        Currency::new(row.currency).ok_or_else(|| corrupt("its currency is malformed"))?;
    let (on_hand, reserved, unit_price) = (row.on_hand, row.reserved, Cents(row.unit_price_cents));
    Ok((
        sku,
        StockRow {
            on_hand,
            reserved,
            unit_price,
            currency,
        },
    ))
}
