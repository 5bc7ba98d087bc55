//! Payments: what is decided, and the actors that carry it out.
//!
//! ```text
//!   RequestPayment, orders.created ─┐
//!   VoidPayment, RefundPayment ─────┴─► PaymentDesk ──┐  decide → write → stale? decide again
//!                                                     ▼
//!                     PaymentLedger (batch::BatchWriter over a LedgerStore) ──► the books
//!                                                     ▲        │ fresh rows, in memory
//!   rows due by wake_at (the net) ──► PaymentProcessor ◄───────┘
//!                                      │ charges │ look-ups │ refunds: a lane each, bounded in number and time
//!                                      ▼
//!                                   PaymentProvider (port)
//! ```
//!
//! - [`rules`] is the pure core: [`decide`] over (state, event), [`resume`] from a row alone. It takes time, jitter and ids as values.
//! - [`ledger`] says what one write is; a service implements the store with SQL.
//! - [`desk`] answers commands, [`processor`] works off what is due through [`errand`]s, [`provider`] is the port to the money.
//!
//! **Invariants.** At most one capture per payment and one payment per order. Every provider call is preceded by a committed record.
//! Whatever was captured and is not wanted is given back, by payments itself. Every write is versioned, so that any replica may act;
//! a crash at any point leaves a row whose wake time brings it back. A payment method is never printed.
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

mod change;
mod charge;
pub mod desk;
pub mod errand;
mod event;
mod lanes;
pub mod ledger;
mod metrics;
mod payment;
mod policy;
pub mod processor;
pub mod provider;
mod refund;
pub mod rules;

pub use change::{
    AttemptRecord, AttemptState, Base, Change, FollowUp, PaymentEvent, RefundRecord,
    RefundRecordState, Tally, Wake, Work,
};
pub use desk::{Answered, DeskError, PaymentDesk};
pub use event::{AttemptOutcome, Event, Found, RefundOutcome};
pub use payment::{
    Cents, InvalidRequest, OrderId, PAYMENT_METHOD_BYTES_MAX, Payment, PaymentId, PaymentMethod,
    PaymentRequest, PaymentState, RefundState,
};
pub use policy::Policy;
pub use processor::{PaymentProcessor, ProcessorLimits, ProcessorMsg};
pub use provider::{ChargeCall, PaymentProvider, ProviderUnavailable, RefundCall};
pub use rules::{Decision, Ignored, Illegal, Refusal, decide, resume};
