//! What the service needs to be told. Read from the environment elsewhere; here only types and numbers.

use std::net::SocketAddr;
use std::time::Duration;

use shopapi_postgres::PgConfig;
use shopapi_rpc::Trust;

/// Configuration of the inventory service.
#[derive(Clone, Debug)]
pub struct Config {
    /// `inventorydb`, as the run-time role.
    pub database: PgConfig,
    /// Who this is, and whom it believes.
    pub trust: Trust,
    /// Where gRPC listens; 9002 by convention.
    pub grpc: SocketAddr,
    /// Where `/livez` and `/readyz` listen; 9102 by convention.
    pub health: SocketAddr,
    /// Bounds.
    pub limits: Limits,
}

/// The numbers of the service, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands that may wait at the stock keeper: admission happens once, at the door of orders, so this holds all it lets in.
    pub keeper_capacity: usize,
    /// Items in one request: one full batch of the stock keeper.
    pub items_max: usize,
    /// Bytes of one gRPC message, each way: `items_max` orders of 100 lines of about 100 bytes, and as much again.
    pub message_bytes_max: usize,
    /// Requests at once on one connection; a callee has a handful of connections.
    pub streams_max: u32,
    /// How long a command may wait for its commit. The keeper repeats a batch in doubt for five seconds; callers repeat after that.
    pub command_deadline: Duration,
    /// How long a read of the catalogue may take before it is better answered "unavailable".
    pub read_deadline: Duration,
    /// Connections for reads: each read takes about a millisecond, so four serve thousands a second.
    pub read_connections_max: usize,
    /// Age at which connections are asked to reconnect, so that new replicas get their share.
    pub connection_age_max: Duration,
    /// How long refusals and tombstones are kept. Longer than any command can arrive late: the stream's maximum age (7 days) plus the
    /// longest retry.
    pub tombstone_retention: Duration,
    /// Pause between two rounds of pruning when nothing is left to prune.
    pub prune_interval: Duration,
    /// Rows one pruning statement deletes at most: a few milliseconds of locks.
    pub prune_rows_max: u32,
    /// How long a stop may take in all; the platform kills after ten seconds.
    pub stop_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keeper_capacity: 4_096,
            items_max: 256,
            message_bytes_max: 4 * 1024 * 1024,
            streams_max: 256,
            command_deadline: Duration::from_secs(6),
            read_deadline: Duration::from_secs(2),
            read_connections_max: 4,
            connection_age_max: Duration::from_secs(600),
            tombstone_retention: Duration::from_secs(14 * 24 * 3_600),
            prune_interval: Duration::from_secs(60),
            prune_rows_max: 1_000,
            stop_deadline: Duration::from_secs(9),
        }
    }
}
