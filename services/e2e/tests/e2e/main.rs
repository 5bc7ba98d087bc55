//! Tests over whole services and over the house. One binary, so that it links once.
//!
//! Every test but those of `house` runs a stack of its own: private PostgreSQL and NATS, the four services as processes of the `shopapi`
//! binary, on leased ports; nothing outlives the test. Each ends with the audit of the books.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests fail by panicking and say what they see"
)]

mod bad_input;
mod broker;
mod bus;
mod canary;
mod faults;
mod house;
mod journeys;
mod load;
mod locks;
mod metrics;
mod operators;
mod overload;
mod poison;
mod raw;
mod replicas;
mod rotation;
mod rows;
mod telemetry_down;
mod traced;
mod traces;
mod trust;
mod unknown_commit;
mod wall;
mod world;
