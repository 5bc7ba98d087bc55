//! The model check: every interleaving of the whole protocol in small configurations, against what the books promise.
//!
//! The decisions are the shipped ones ([`order_saga::saga::step`], [`stock::decide_batch`], [`payment::decide`],
//! [`jetstream::disposition`]), tabulated once in `sagas`, `stocks` and `payments`; `world` says who may act when, what is lost and what
//! comes late; `properties` and `healing` say what must hold. `stateright` searches breadth first, so that a counter-example is a
//! shortest one.
//!
//! - `cargo nextest run -p order-saga --test model` checks the small configurations and finds the planted bugs, in about a minute.
//! - `MODEL_LONG=1 cargo nextest run -p order-saga --test model larger --no-capture` checks the larger ones; minutes, and gigabytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod bugs;
mod check;
mod glue;
mod healing;
mod payments;
mod properties;
mod sagas;
mod state;
mod stocks;
mod story;
mod world;

use bugs::Bug;
use check::{check, first_violation, larger, one_order_two_replicas, two_orders_one_replica};

#[test]
fn one_order_on_two_replicas_keeps_every_promise() {
    check(one_order_two_replicas());
}

#[test]
fn two_orders_that_compete_for_stock_keep_every_promise() {
    check(two_orders_one_replica());
}

#[test]
fn larger_configurations_keep_every_promise() {
    if std::env::var_os("MODEL_LONG").is_none() {
        println!("only with MODEL_LONG=1");
        return;
    }
    larger().into_iter().for_each(check);
}

/// What finds each planted bug.
#[test]
fn every_planted_bug_is_found() {
    let mut found = 0;
    for bug in Bug::ALL {
        match first_violation(bug) {
            Some((property, story)) => {
                found += 1;
                println!("{}: breaks \"{property}\"\n{story}", bug.says());
            }
            None => println!("{}: NOT FOUND", bug.says()),
        }
    }
    println!("{found}/{} planted bugs found", Bug::ALL.len());
    assert_eq!(found, Bug::ALL.len());
}
