// This file was generated with `clorinde`. Do not modify.

pub mod admin;
pub mod ledger;
pub mod maintenance;
pub mod outbox;
pub mod provider;
pub mod telemetry;
