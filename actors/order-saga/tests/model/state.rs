//! What is where: the rows of three databases, the provider's books, the bus, and what replicas keep in memory. All small numbers.

use std::hash::{Hash, Hasher};

use crate::payments::{NO_ROW, RowId};
use crate::sagas::{EventNo, NO_SAGA, SagaId};
use crate::stocks::BooksId;

/// The most orders of a configuration.
pub(crate) const ORDERS_MAX: usize = 2;

/// The most replicas of a configuration.
pub(crate) const REPLICAS_MAX: usize = 3;

/// A cache that holds what is stored.
pub(crate) const FRESH: SagaId = SagaId::MAX;

/// The most answers under way, for one order.
pub(crate) const ANSWERS_MAX: usize = 2;

/// No answer is under way.
pub(crate) const NO_ANSWER: EventNo = EventNo::MAX;

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) orders: [OrderState; ORDERS_MAX],
    /// Inventory's tables.
    pub(crate) books: BooksId,
    /// What has gone wrong on the way here.
    pub(crate) wrong: Option<Wrong>,
}

/// What is wrong with a transition, rather than with a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Wrong {
    /// A freshly loaded saga, or a payment, met an event that no correct sender produces.
    Illegal,
    /// An event was acknowledged and still has something to say to the stored saga.
    AcknowledgedUnheard,
    /// The same event was published twice.
    ToldTwice,
    /// A constraint of the tables refused a write, or a command met an id with another meaning.
    Refused,
    /// Money was given back twice.
    RefundedTwice,
}

/// One order, everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OrderState {
    /// Orders: the stored saga.
    pub(crate) saga: SagaId,
    /// Orders: whether it has a deadline.
    pub(crate) wake: bool,
    /// Orders: the outbox, which is also the bus. What is in it is delivered any number of times, or never.
    pub(crate) told: u8,
    /// Orders: what each replica has in memory.
    pub(crate) replicas: [Replica; REPLICAS_MAX],
    /// The network: commands that were sent. Executed any number of times, or never.
    pub(crate) sent: u8,
    /// The network: answers under way.
    pub(crate) answers: [EventNo; ANSWERS_MAX],
    /// Customer: the order was cancelled, said the answer.
    pub(crate) cancel_promised: bool,
    /// Customer: the money comes back, said the answer.
    pub(crate) refund_promised: bool,
    /// Payments: the row.
    pub(crate) row: RowId,
    /// Payments: the outbox, as `told`.
    pub(crate) facts: u8,
    /// Payments: attempts that were looked up in vain, a bit each; the finding may be written at any time.
    pub(crate) nothing_found: u8,
    /// Provider: what it decided about the charge.
    pub(crate) charge: Charge,
    /// Provider: charge calls that it answered with "did nothing and will not", a bit each.
    pub(crate) not_charged: u8,
    /// Provider: refunds made, a bit for each refund id.
    pub(crate) refunded: u8,
    /// Provider: refunds refused, a bit for each refund id.
    pub(crate) refund_refused: u8,
}

/// The provider's books about one idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub(crate) enum Charge {
    Undecided,
    Captured,
    Declined,
}

/// The coordinator of an order on one replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Replica {
    /// [`FRESH`], or the class of the stored saga that it last saw.
    pub(crate) cache: SagaId,
    /// Commands of a step that is committed and whose effects have not run.
    pub(crate) pending: u8,
}

impl OrderState {
    /// Not accepted yet.
    pub(crate) const UNBORN: Self = Self {
        saga: NO_SAGA,
        wake: false,
        told: 0,
        replicas: [Replica {
            cache: FRESH,
            pending: 0,
        }; REPLICAS_MAX],
        sent: 0,
        answers: [NO_ANSWER; ANSWERS_MAX],
        cancel_promised: false,
        refund_promised: false,
        row: NO_ROW,
        facts: 0,
        nothing_found: 0,
        charge: Charge::Undecided,
        not_charged: 0,
        refunded: 0,
        refund_refused: 0,
    };

    fn words(&self) -> [u64; 3] {
        let bytes = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
        let replica = |n: usize| {
            let Replica { cache, pending } = self.replicas[n];
            let [low, high] = cache.to_le_bytes();
            [low, high, pending]
        };
        let [a, b, c] = [replica(0), replica(1), replica(2)];
        let [saga_low, saga_high] = self.saga.to_le_bytes();
        let [row_low, row_high] = self.row.to_le_bytes();
        let flags = u8::from(self.wake)
            | u8::from(self.cancel_promised) << 1
            | u8::from(self.refund_promised) << 2
            | (self.charge as u8) << 3;
        [
            bytes([
                saga_low,
                saga_high,
                row_low,
                row_high,
                self.told,
                self.sent,
                self.answers[0],
                flags,
            ]),
            bytes([
                self.facts,
                self.nothing_found,
                self.not_charged,
                self.refunded,
                self.refund_refused,
                a[0],
                a[1],
                a[2],
            ]),
            bytes([b[0], b[1], b[2], c[0], c[1], c[2], self.answers[1], 0]),
        ]
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for order in &self.orders {
            let [a, b, c] = order.words();
            hasher.write_u64(a);
            hasher.write_u64(b);
            hasher.write_u64(c);
        }
        hasher.write_u16(self.books);
        let wrong = self.wrong.map_or(0, |wrong| wrong as u8 + 1);
        hasher.write_u8(wrong);
    }
}
