//! Stock: what is there, what is held for whom, and the one actor through which both change.
//!
//! ```text
//!   Reserve │ Release │ Commit ──▶ StockKeeper (group-commit writer of actor-kit)
//!                                    │ 1  StockStore::lock    lock and read reservations, then stock, both sorted
//!                                    │ 2  decide_batch        pure, in order of arrival
//!                                    │ 3  StockStore::write   new rows, new states, one delta per stock row; commit
//!                                    ▼
//!                                 one answer per command
//! ```
//!
//! - [`decide`]: the rules, one command against one reservation and the stock under it. Pure.
//! - [`decide_batch`]: many commands against one locked [`Snapshot`]; comes to the same rows however a batch is cut.
//! - [`StockKeeper`]: the actor; [`StockStore`]: its port to a database.
//! - [`Books`]: the tables in memory, for tests and models.
//!
//! **Invariants.** `0 ≤ reserved ≤ on_hand` for every SKU; `reserved` is the sum of the HELD lines. A reservation that has ended stays
//! as it ended. Every command is idempotent by its reservation: a repeat answers the same and changes nothing. A refusal is a row and an
//! answer, never an error. Stock is given back only by a command: no clock runs here.
//!
//! **Crash.** Nothing is kept in memory between batches. Callers that got no answer repeat the command.
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

mod batch;
mod books;
mod keeper;
mod messages;
mod pricing;
mod rules;
mod types;

pub use batch::{Changes, ProcessedRelease, Snapshot, Verdict, Wanted, decide_batch};
pub use books::{Books, BooksError};
pub use keeper::{KeeperMsg, KeeperStore, StockEntry, StockKeeper, StockStore, keeper};
pub use messages::{Answer, Command, CommitAnswer, ReleaseAnswer, ReleaseEffect, ReserveAnswer};
pub use rules::{Change, Decision, Stock, decide};
pub use types::{
    Cents, Content, Currency, Hold, LINES_MAX, OrderId, PricedLine, QUANTITY_MAX, Refusal,
    ReleaseId, RequestedLine, Reservation, ReservationId, ReservationState, SKU_BYTES_MAX,
    Shortage, Sku, StockDelta, StockRow,
};
