//! The model check: every interleaving of the whole protocol in small configurations, against what the books promise.
//!
//! The decisions are the shipped ones ([`order_saga::saga::step`], [`stock::decide_batch`], [`payment::decide`],
//! [`jetstream::disposition`]), tabulated once in `sagas`, `stocks` and `payments`; `steps` says who may act when, `take` what is lost and what
//! comes late; `properties` and `healing` say what must hold. `stateright` searches breadth first, so that a counter-example is a
//! shortest one.
//!
//! - `cargo nextest run -p order-saga --test model` checks the small configurations and finds the planted bugs, in about a minute.
//! - `MODEL_STORIES=1` tells the shortest counter-example of every planted bug, not only of two.
//! - `make model-long` checks the larger ones, which `make test` counts as skipped: minutes, and gigabytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    clippy::disallowed_macros,
    reason = "tests fail by panicking, and this one prints what it has seen"
)]

mod bugs;
mod check;
mod events;
mod glue;
mod healing;
mod payments;
mod properties;
mod sagas;
mod state;
mod steps;
mod stocks;
mod story;
mod take;
mod world;

use bugs::Bug;
use check::{
    Violation, check, larger, one_order_two_replicas, one_order_with_operators, shortest_violation,
    two_orders_one_replica,
};

#[test]
fn one_order_on_two_replicas_keeps_every_promise() {
    check(one_order_two_replicas());
}

#[test]
fn two_orders_that_compete_for_stock_keep_every_promise() {
    check(two_orders_one_replica());
}

#[test]
fn operators_at_any_time_keep_every_promise() {
    check(one_order_with_operators());
}

#[test]
#[ignore = "a quarter of an hour and gigabytes: make model-long"]
fn larger_configurations_keep_every_promise() {
    larger().into_iter().for_each(check);
}

/// Each bug is planted at run time, in the glue of the model, and breaks the promise that it is known to break.
#[test]
fn every_planted_bug_is_found() {
    let told = [Bug::ReleaseLeavesNoTombstone, Bug::VoidDoesNotTombstone];
    let tell_all = std::env::var_os("MODEL_STORIES").is_some();
    let mut missed = vec![];
    for bug in Bug::ALL {
        let Some(Violation { steps, story }) = shortest_violation(bug) else {
            missed.push(bug);
            continue;
        };
        println!(
            "{}: breaks \"{}\" in {steps} steps",
            bug.says(),
            bug.breaks()
        );
        if tell_all || told.contains(&bug) {
            println!("{story}");
        }
    }
    let found = Bug::ALL.len() - missed.len();
    println!("{found}/{} planted bugs found", Bug::ALL.len());
    assert_eq!(missed, [], "planted and not found");
}
