//! The bus: NATS JetStream behind actors. The only crate that knows `async-nats`.
//!
//! ```text
//!                    Connection  (one per process: connects in the background, for ever; Connected | Stalled | Disconnected)
//!                   /          \
//!  Publish ─► JetStreamPublisher   JetStreamConsumer ─ Vec<Incoming> ─► EventHandler ─► commit ─► Reply<Outcome>
//!              ≤ 64 in flight,      durable pull consumer                                           │
//!              acks beside it       envelope ─► disposition ─► ack | nak(delay) | dead letter ◄─────┘
//!                                                               (committed before Term)
//! ```
//!
//! - **At least once, in no order.** JetStream acknowledges before it fsyncs; acknowledged events can vanish and sequences
//!   can be reused. Nothing here keys anything on a stream sequence, and no order or payment depends on an event arriving.
//! - **NATS away is a state, not an error.** At start, for a second or for a day: publishes answer
//!   [`PublishFailure::Unavailable`], consumers wait. Streams and consumers are created whenever they are missing.
//! - **An event is acknowledged only after its own answer**, and a dead letter is terminated only after it is committed.
//! - A crash anywhere loses nothing: unanswered events are delivered again after `ack_wait`, unacknowledged publishes are
//!   repeated by the outbox.

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

mod connection;
mod consumer;
mod delivery;
pub mod disposition;
mod envelope;
mod event;
pub mod headers;
mod hints;
mod intake;
mod ports;
mod publish;
mod publisher;
mod session;
mod spec;
mod suspects;
mod topology;

pub use connection::{BadBusOptions, BusCredentials, BusOptions, BusState, BusTls, Connection};
pub use consumer::{ConsumerMsg, ConsumerStatus, JetStreamConsumer};
pub use event::{InboundEvent, Incoming, OutboundEvent, Outcome};
pub use hints::{Hints, HintsUnavailable};
pub use ports::{
    BatchTo, DeadLetter, DeadLetterReason, DeadLetterStore, DeadLetterUnavailable, Each,
    EventHandler,
};
pub use publish::{PublishFailure, Published};
pub use publisher::{JetStreamPublisher, PUBLISH_WINDOW, PublisherMsg};
pub use spec::{ConsumerSpec, StreamSpec, replay_subject};
