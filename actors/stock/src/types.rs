//! The words of stock: ids, SKUs, money, lines and rows. Values only, valid by construction.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Lines an order may have. Larger requests are refused before any row is read.
pub const LINES_MAX: usize = 100;

/// Pieces one line may ask for.
pub const QUANTITY_MAX: i64 = 10_000;

/// Bytes of the longest SKU.
pub const SKU_BYTES_MAX: usize = 64;

/// Names a reservation: UUIDv5 of (order, step), chosen by orders, so that every repeat of the command carries the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(pub Uuid);

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one release, chosen by orders. The release that moves a reservation is recorded under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId(pub Uuid);

/// The order on whose behalf stock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub i64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stock keeping unit: 1 to [`SKU_BYTES_MAX`] printable ASCII characters without space. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(Arc<str>);

impl Sku {
    /// The SKU, or `None` when the text cannot be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=SKU_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Money in the smallest unit of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(pub i64);

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency, or `None` when the text is not three capital letters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(code))
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII capitals get in, so this is always text.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A line as the caller sent it: nothing is known about it yet. What is wrong with it is a refusal, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestedLine {
    /// The SKU's text.
    pub sku: String,
    /// Pieces asked for.
    pub quantity: i64,
}

/// A line of a reservation, with the price of the moment it was made. It never changes afterwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PricedLine {
    /// What.
    pub sku: Sku,
    /// How many pieces, 1 to [`QUANTITY_MAX`].
    pub quantity: i64,
    /// The price of one piece.
    pub unit_price: Cents,
}

/// What a granted reservation promises.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The lines, in the order they were asked for.
    pub lines: Vec<PricedLine>,
    /// Σ quantity × unit price, always positive.
    pub total: Cents,
    /// The one currency of all lines.
    pub currency: Currency,
}

/// A line that stock could not cover.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// Pieces asked for.
    pub requested: i64,
    /// Pieces there were; 0 for an unknown SKU.
    pub available: i64,
}

/// Why a reservation was refused. The first reason that applies, in this order, is the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No line, more than [`LINES_MAX`], a SKU that cannot exist, a quantity outside 1..=[`QUANTITY_MAX`], or one SKU on two lines.
    InvalidLines,
    /// SKUs that the catalogue does not have.
    UnknownSku(Vec<Shortage>),
    /// Lines priced in different currencies.
    MixedCurrency,
    /// The total does not fit 64 bits, or is not positive.
    TotalOutOfRange,
    /// Lines for which fewer pieces are free than were asked for.
    OutOfStock(Vec<Shortage>),
}

/// Where a reservation stands. The only way is from `Held` to one of the two ends; `Refused` is an end from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservationState {
    /// Stock is set aside.
    Held,
    /// Nothing was, and never will be, held under this id.
    Refused,
    /// The goods are sold.
    Committed,
    /// The stock was given back; or the release came first, and this row keeps a late Reserve from taking any (a tombstone).
    Released,
}

/// What a reservation row contains beside its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// It was granted with this.
    Granted(Hold),
    /// It was refused for this.
    Refused(Refusal),
    /// It was released before it was asked for.
    Tombstone,
}

/// One row of the reservations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reservation {
    /// Its name.
    pub id: ReservationId,
    /// For whom.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: ReservationState,
    /// What it holds or held.
    pub content: Content,
}

impl Reservation {
    /// The lines that move stock when the reservation moves; none for refusals and tombstones.
    #[must_use]
    pub fn lines(&self) -> &[PricedLine] {
        match &self.content {
            Content::Granted(hold) => &hold.lines,
            Content::Refused(_) | Content::Tombstone => &[],
        }
    }
}

/// One row of the stock with the product's price beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StockRow {
    /// Pieces in the house, sold ones excluded.
    pub on_hand: i64,
    /// Pieces of them that are held.
    pub reserved: i64,
    /// Today's price of one piece.
    pub unit_price: Cents,
    /// The price's currency.
    pub currency: Currency,
}

impl StockRow {
    /// Pieces that can still be held.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved)
    }
}

/// What a decision adds to a stock row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StockDelta {
    /// Added to `on_hand`.
    pub on_hand: i64,
    /// Added to `reserved`.
    pub reserved: i64,
}

impl StockDelta {
    /// Sets `quantity` pieces aside.
    #[must_use]
    pub fn hold(quantity: i64) -> Self {
        Self {
            on_hand: 0,
            reserved: quantity,
        }
    }

    /// Gives `quantity` held pieces back.
    #[must_use]
    pub fn give_back(quantity: i64) -> Self {
        Self {
            on_hand: 0,
            reserved: -quantity,
        }
    }

    /// Takes `quantity` held pieces out of the house.
    #[must_use]
    pub fn sell(quantity: i64) -> Self {
        Self {
            on_hand: -quantity,
            reserved: -quantity,
        }
    }

    /// Both deltas, one after the other.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            on_hand: self.on_hand + next.on_hand,
            reserved: self.reserved + next.reserved,
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}
