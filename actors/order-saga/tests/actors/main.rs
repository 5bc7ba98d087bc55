//! Ring 2: the saga's actors among probe mailboxes, with time paused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

mod orders;
mod registry;
mod support;
mod sweeper_and_tail;
