//! The gRPC adapter: network call → message → answer → response. It decides nothing.
//!
//! ```text
//!   server   which services, with which limits
//!   commands InventoryService: one answer per item, each on its own
//!   catalog  CatalogService: reads
//!   wire     protobuf ↔ stock's words
//!   status   the one file that knows gRPC's codes
//! ```

mod catalog;
mod commands;
mod server;
mod status;
mod wire;

use actor_kit::Mailbox;
use stock::KeeperMsg;

use crate::catalogue::Catalogue;
use crate::config::Limits;
use crate::telemetry::Counters;

pub(crate) use server::serve;

/// What the services of this adapter stand on. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    keeper: Mailbox<KeeperMsg>,
    catalogue: Catalogue,
    counters: Counters,
    limits: Limits,
}

impl Api {
    pub(crate) fn new(
        keeper: Mailbox<KeeperMsg>,
        catalogue: Catalogue,
        counters: Counters,
        limits: Limits,
    ) -> Self {
        Self {
            keeper,
            catalogue,
            counters,
            limits,
        }
    }
}
