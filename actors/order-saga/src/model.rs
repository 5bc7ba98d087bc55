//! What an order is made of.

use std::fmt;
use std::sync::Arc;

use actor_kit::TraceContext;
use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, Installation, OrderId, SagaIds};

/// An amount in the smallest unit of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cents(pub i64);

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A currency code that is not three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters")]
pub struct CurrencyInvalid;

impl Currency {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Three ASCII letters by construction.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::str::FromStr for Currency {
    type Err = CurrencyInvalid;

    fn from_str(text: &str) -> Result<Self, CurrencyInvalid> {
        <[u8; 3]>::try_from(text.as_bytes())
            .ok()
            .filter(|code| code.iter().all(u8::is_ascii_uppercase))
            .map(Self)
            .ok_or(CurrencyInvalid)
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyInvalid;

    fn try_from(text: String) -> Result<Self, CurrencyInvalid> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is sold. 1 to 64 printable ASCII characters without spaces; checked where lines are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sku(pub Arc<str>);

impl Sku {
    /// A SKU with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// How many; 1 to [`QUANTITY_MAX`].
    pub quantity: i64,
}

/// The most lines of one order: a reservation locks one stock row per line, and 100 is beyond any basket.
pub const LINES_MAX: usize = 100;

/// The most pieces in one line: keeps every total far from the edge of `i64`.
pub const QUANTITY_MAX: i64 = 10_000;

/// The longest SKU in characters.
pub const SKU_LENGTH_MAX: usize = 64;

/// Why lines are not an order. The text says what to do and may be shown to the customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinesInvalid {
    /// There are none.
    #[error("an order needs at least one line")]
    Empty,
    /// More than [`LINES_MAX`].
    #[error("an order has at most {LINES_MAX} lines, this one has {0}: split it")]
    TooMany(usize),
    /// A SKU that no product can have.
    #[error("line {0}: a SKU is 1 to {SKU_LENGTH_MAX} printable ASCII characters without spaces")]
    SkuMalformed(usize),
    /// Outside 1 to [`QUANTITY_MAX`].
    #[error("line {line} ({sku}): a quantity is 1 to {QUANTITY_MAX}, not {quantity}")]
    QuantityOutOfRange {
        /// Which line, counted from 1.
        line: usize,
        /// Its SKU.
        sku: Sku,
        /// What was asked for.
        quantity: i64,
    },
    /// The same SKU twice.
    #[error("{0} appears in more than one line: add the quantities up")]
    SkuRepeated(Sku),
}

/// Checks the lines of a new order.
///
/// # Errors
/// The first thing wrong with them.
pub fn check_lines(lines: &[Line]) -> Result<(), LinesInvalid> {
    if lines.is_empty() {
        return Err(LinesInvalid::Empty);
    }
    if lines.len() > LINES_MAX {
        return Err(LinesInvalid::TooMany(lines.len()));
    }
    for (index, Line { sku, quantity }) in lines.iter().enumerate() {
        let line = index + 1;
        let printable = sku.0.bytes().all(|byte| byte.is_ascii_graphic());
        if sku.0.is_empty() || sku.0.len() > SKU_LENGTH_MAX || !printable {
            return Err(LinesInvalid::SkuMalformed(line));
        }
        if !(1..=QUANTITY_MAX).contains(quantity) {
            return Err(LinesInvalid::QuantityOutOfRange {
                line,
                sku: sku.clone(),
                quantity: *quantity,
            });
        }
        if lines[..index].iter().any(|earlier| earlier.sku == *sku) {
            return Err(LinesInvalid::SkuRepeated(sku.clone()));
        }
    }
    Ok(())
}

/// How the customer pays: a token of the payment provider. Never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PaymentMethod(Arc<str>);

impl PaymentMethod {
    /// Wraps a provider's token.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Arc::from(token))
    }

    /// The token, for the one who charges it and for storage.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentMethod(…)")
    }
}

/// The part of an order that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id, and its saga's.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// What was asked for, as the customer ordered it.
    pub lines: Arc<[Line]>,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// Under which ids the other services know it.
    pub ids: SagaIds,
    /// The trace of the request that created it; work that nobody's request causes belongs to this trace.
    pub trace: TraceContext,
}

impl Order {
    /// A new order.
    ///
    /// # Errors
    /// [`LinesInvalid`] when the lines are not an order.
    pub fn new(
        installation: Installation,
        order_id: OrderId,
        customer_id: CustomerId,
        lines: Arc<[Line]>,
        payment_method: PaymentMethod,
        trace: TraceContext,
    ) -> Result<Self, LinesInvalid> {
        check_lines(&lines)?;
        Ok(Self {
            order_id,
            customer_id,
            lines,
            payment_method,
            ids: SagaIds::derive(installation, order_id),
            trace,
        })
    }
}

/// A line with the price that the reservation froze.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PricedLine {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: i64,
    /// For one piece.
    pub unit_price: Cents,
}

/// What held stock costs, frozen by inventory with the reservation; a repeated Reserve answers the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quote {
    /// The sum over the lines; positive.
    pub total: Cents,
    /// One currency for the whole order.
    pub currency: Currency,
    /// The lines with their prices.
    pub lines: Vec<PricedLine>,
}

impl Quote {
    /// The total as people read it: `19.90 EUR`.
    #[must_use]
    pub fn total_text(&self) -> String {
        let Cents(cents) = self.total;
        format!("{}.{:02} {}", cents / 100, cents % 100, self.currency)
    }
}

/// A line that stock could not cover.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: i64,
    /// How many were there; 0 for an unknown SKU.
    pub available: i64,
}

/// Why inventory refused, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// At least one line is short.
    OutOfStock,
    /// At least one SKU is not in the catalogue.
    UnknownSku,
    /// The lines are priced in more than one currency.
    MixedCurrency,
    /// The total overflows or is not positive.
    TotalOutOfRange,
    /// Inventory does not take such lines.
    InvalidLines,
}

/// Why inventory refused to hold an order's stock; final for that order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// In a word.
    pub reason: RefusalReason,
    /// The lines at fault, for [`RefusalReason::OutOfStock`] and [`RefusalReason::UnknownSku`].
    pub shortages: Vec<Shortage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: i64) -> Line {
        Line {
            sku: Sku::new(sku),
            quantity,
        }
    }

    #[test]
    fn lines_that_are_no_order_are_named() {
        let cases: [(Vec<Line>, LinesInvalid); 8] = [
            (vec![], LinesInvalid::Empty),
            (
                (0..101).map(|n| line(&format!("A{n}"), 1)).collect(),
                LinesInvalid::TooMany(101),
            ),
            (vec![line("", 1)], LinesInvalid::SkuMalformed(1)),
            (
                vec![line("A", 1), line("B C", 1)],
                LinesInvalid::SkuMalformed(2),
            ),
            (
                vec![line(&"A".repeat(65), 1)],
                LinesInvalid::SkuMalformed(1),
            ),
            (vec![line("A", 0)], out_of_range(0)),
            (vec![line("A", 10_001)], out_of_range(10_001)),
            (
                vec![line("A", 1), line("B", 1), line("A", 1)],
                LinesInvalid::SkuRepeated(Sku::new("A")),
            ),
        ];
        for (lines, wrong) in cases {
            assert_eq!(check_lines(&lines), Err(wrong));
        }
    }

    fn out_of_range(quantity: i64) -> LinesInvalid {
        LinesInvalid::QuantityOutOfRange {
            line: 1,
            sku: Sku::new("A"),
            quantity,
        }
    }

    #[test]
    fn lines_at_the_limits_are_an_order() {
        let longest = "A".repeat(SKU_LENGTH_MAX);
        assert_eq!(check_lines(&[line(&longest, QUANTITY_MAX)]), Ok(()));
        let most: Vec<Line> = (0..LINES_MAX).map(|n| line(&format!("A{n}"), 1)).collect();
        assert_eq!(check_lines(&most), Ok(()));
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!("EUR".parse::<Currency>().unwrap().as_str(), "EUR");
        for bad in ["", "EU", "eur", "EURO", "E R", "ÄU"] {
            assert_eq!(bad.parse::<Currency>(), Err(CurrencyInvalid), "{bad}");
        }
    }

    #[test]
    fn a_payment_method_is_never_printed() {
        let printed = format!("{:?}", PaymentMethod::new("tok_secret"));
        assert!(!printed.contains("tok_secret"));
    }

    #[test]
    fn totals_are_readable() {
        let quote = Quote {
            total: Cents(1905),
            currency: "EUR".parse().unwrap(),
            lines: vec![],
        };
        assert_eq!(quote.total_text(), "19.05 EUR");
    }
}
