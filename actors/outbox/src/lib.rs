//! The outbox drainer: publishes committed events, at least once.
//!
//! ```text
//!  batch writer ── commit, then hand-over in memory (try_send, dropped when full) ──┐
//!                                                                                   ▼
//!  outbox table ── claim: unpublished, older than 2 s, by lease ──────────────► plan ──► ≤ 64 publishes in flight
//!       ▲                                                                           │
//!       └── published_at, lazily, through the batch writer ◄── marks in groups ◄────┘
//! ```
//!
//! - The rows are the truth. The hand-over only makes the usual way fast; whatever it drops, and whatever a crash or a
//!   broker without memory loses, is claimed from the table again.
//! - [`plan`] decides what is published next and is pure; [`OutboxDrainer`] does it.
//! - An event is published only while it is *held*: handed-over events until the claim may find them, claimed ones until the
//!   lease ends. So an outage of any length leaves no stale copies in memory.
//! - Row order is not commit order and nothing here depends on either.

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

mod drainer;
mod event;
mod limits;
pub mod plan;
mod ports;
mod remembered;

pub use drainer::{DrainerMsg, OutboxDrainer, OwnMsg};
pub use event::OutboxEvent;
pub use limits::{PlanDepth, PlanLimits};
pub use ports::{
    Claim, EventPublisher, OutboxStore, PublishOutcome, PublishedMarks, StoreUnavailable,
};
