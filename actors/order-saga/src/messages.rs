//! What adapters and consumers tell the registry, and what comes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actor_kit::{Reply, TraceContext};

use crate::ids::{CustomerId, OrderId, Version};
use crate::journal::IdempotencyKey;
use crate::model::Order;
use crate::ports::{OrderMoved, Snapshot};
use crate::registry::Own;
use crate::saga::{Ignored, SagaEvent};

/// What the registry is told.
#[derive(Debug)]
pub enum RegistryMsg {
    /// A new order. From the gRPC adapter.
    Create(Box<Create>),
    /// Events for sagas; those that are not active are loaded together. From the payments consumer (a fetched batch) and the gRPC
    /// adapter (one). Each delivery gets its own outcome.
    Deliver(Vec<Delivery>),
    /// Tell me when the order has come so far. From the gRPC adapter.
    Await(Await),
    /// Sagas whose deadline passed, claimed for this replica. From the sweeper, which learns how many orders are active.
    Resume {
        /// As the claim read them.
        due: Vec<Snapshot>,
        /// How many coordinators live, these included.
        reply: Reply<usize>,
    },
    /// Orders that another replica has moved. From the tail.
    Moved(Vec<OrderMoved>),
    /// How busy it is. From metrics.
    Inspect {
        /// The numbers.
        reply: Reply<RegistryView>,
    },
    /// The registry, or one of its coordinators, to itself.
    Own(Own),
}

/// A new order.
pub struct Create {
    /// What is ordered; its id is fresh.
    pub order: Arc<Order>,
    /// The caller's idempotency key.
    pub key: Option<IdempotencyKey>,
    /// How long the caller waits for the order's end. Zero: it wants the stock's answer, for which every caller waits.
    pub wait: Duration,
    /// What became of it.
    pub reply: Reply<Created>,
}

impl fmt::Debug for Create {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create")
            .field("order_id", &self.order.order_id)
            .finish_non_exhaustive()
    }
}

/// What became of a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is accepted, and this is how far it has come: PENDING when the stock has not answered in time.
    Order {
        /// The order.
        snapshot: Snapshot,
        /// The key was used before for the same request: this is that order.
        replayed: bool,
    },
    /// The key was used before for another request; nothing was accepted.
    KeyReused {
        /// For this order.
        order_id: OrderId,
    },
    /// The database refused the order's rows; nothing was accepted.
    Poisoned,
    /// The database did not answer: the order may have been accepted. A repetition with the same key tells.
    Unavailable,
}

/// An event for one saga.
#[derive(Debug)]
pub struct Delivery {
    /// Which saga.
    pub order_id: OrderId,
    /// For requests of customers: the order must be theirs, else the outcome is [`Outcome::NotFound`].
    pub customer_id: Option<CustomerId>,
    /// For operators: what they looked at. At another version the outcome is [`Outcome::Superseded`].
    pub expected: Option<Version>,
    /// What happened.
    pub event: SagaEvent,
    /// The trace of its cause.
    pub trace: TraceContext,
    /// What became of it. A dropped port means the same as [`Outcome::Unavailable`].
    pub reply: Reply<Outcome>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A transition, committed.
    Moved(Snapshot),
    /// Nothing to do.
    Ignored(Ignored, Snapshot),
    /// It contradicts the freshly loaded saga. Never acceptable later.
    Illegal(Snapshot),
    /// The freshly loaded saga is not at the version that the delivery expects; nothing was decided.
    Superseded(Snapshot),
    /// There is no such order (for this customer).
    NotFound,
    /// The database refuses what the event leads to. Never acceptable later.
    Poisoned,
    /// Not decided: the database or a place in a mailbox is missing. Deliver it again.
    Unavailable,
}

/// A wish to be told.
#[derive(Debug)]
pub struct Await {
    /// Which order.
    pub order_id: OrderId,
    /// For customers: the order must be theirs, else [`Awaited::NotFound`].
    pub customer_id: Option<CustomerId>,
    /// How far it must have come.
    pub until: Until,
    /// After this time the answer is how far it has come.
    pub at_most: Duration,
    /// The order.
    pub reply: Reply<Awaited>,
}

/// How far an order must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The stock has answered: no longer PENDING in its first step.
    Answered,
    /// PAID, REJECTED, CANCELLED, REFUNDED, or set aside.
    Settled,
    /// Beyond this version.
    After(Version),
}

/// The answer to [`Await`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// How far it has come: as asked for, or when the time was up.
    Order(Snapshot),
    /// There is no such order (for this customer).
    NotFound,
    /// The database did not answer, or too many wait for this order.
    Unavailable,
}

/// How busy the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryView {
    /// Coordinators alive.
    pub active: usize,
    /// Orders being loaded.
    pub loading: usize,
}
