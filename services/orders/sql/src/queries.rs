// This file was generated with `clorinde`. Do not modify.

pub mod admin;
pub mod bus;
pub mod journal;
pub mod maintenance;
pub mod reads;
pub mod sagas;
pub mod telemetry;
