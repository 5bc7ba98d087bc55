//! The order saga: what happens to an order between its acceptance and its end, and who makes it happen.
//!
//! ```text
//!            adapters, consumers                      sweeper (due sagas)   tail (moved elsewhere)
//!                    │  Create, Deliver, Await               │                    │
//!                    ▼                                       ▼                    ▼
//!              ┌─ SagaRegistry ── one load for all misses ── SagaStore (port) ────┘
//!              │     │ one child per active order
//!              │     ▼
//!              │  SagaCoordinator ── step(&saga, event) ── pure
//!              │     │ 1 journal write (durable effects)      → BatchWriter of the service
//!              │     │ 2 volatile effects, after the commit   → inventory client, payments client
//!              └─────┘ 3 answers to whoever waits
//! ```
//!
//! - [`saga`]: the state machine. Pure: time, randomness and ids come in as values.
//! - [`journal`]: what a coordinator has written, entry by entry, and what comes back.
//! - [`ports`]: what the crate needs from its service: stock, payments, reads.
//! - `coordinator`, `registry`, `sweeper`, `tail`: the actors.
//! - [`limits`]: every number, with its reason.
//!
//! **Invariants.** An order is committed before anything acts on it. Every transition is one journal write, guarded by the version, and
//! effects that leave the process run only after its commit. A crash at any point is healed by [`saga::resume`] from the stored step.
//! Nothing here depends on a message arriving: each waiting saga has a deadline in the database.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::allow_attributes,
        reason = "tests fail by panicking"
    )
)]

mod coordinator;
pub mod ids;
pub mod journal;
pub mod limits;
mod links;
mod messages;
mod metrics;
pub mod model;
pub mod ports;
mod registry;
pub mod saga;
mod sweeper;
mod tail;

pub use ids::{
    CustomerId, EventId, Installation, OrderId, PaymentId, ReleaseId, ReservationId, SagaIds,
    Version, WriteId,
};
pub use journal::{
    Accept, IdempotencyKey, JournalEntry, JournalMsg, Journaled, OutboxRow, Transition,
};
pub use limits::SagaLimits;
pub use links::{Jitter, Links, random_jitter};
pub use messages::{
    Await, Awaited, Create, Created, Delivery, Outcome, RegistryMsg, RegistryView, Until,
};
pub use model::{
    Cents, Currency, Line, LinesInvalid, Order, PaymentMethod, PricedLine, Quote, Refusal,
    RefusalReason, Shortage, Sku,
};
pub use ports::{
    CallError, Found, InventoryRequest, OrderMoved, PaymentParameters, PaymentsRequest, SagaStore,
    Snapshot, StoreUnavailable,
};
pub use registry::SagaRegistry;
pub use saga::{CancelReason, OrderStatus, Saga, SagaEvent, SagaState, SagaStep};
pub use sweeper::{SagaSweeper, SweeperMsg};
pub use tail::{OrderTail, TailMsg};
