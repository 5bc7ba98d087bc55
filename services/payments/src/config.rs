//! What payments is told, and its numbers. Nothing here reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use jetstream::BusOptions;
use payment::{Policy, ProcessorLimits};
use shopapi_postgres::PgConfig;
use shopapi_rpc::Trust;

/// The configuration, already validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where `/livez` and `/readyz` are served.
    pub health_addr: SocketAddr,
    /// Who this is, and whom it believes.
    pub trust: Trust,
    /// Our books, as the run-time role `payments`.
    pub database: PgConfig,
    /// The simulated provider's books, as its own role `provider`.
    pub provider_database: PgConfig,
    /// The bus.
    pub bus: BusOptions,
    /// The rules' numbers.
    pub policy: Policy,
    /// Everything that is bounded.
    pub limits: Limits,
}

/// Every bound of the service, each with the reason for its default.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What the processor works on at once.
    pub processor: ProcessorLimits,
    /// Places of the ledger's mailbox: a full prefetch of the consumer twice over, every call of the processor, and the items of some RPCs.
    pub ledger_mailbox: usize,
    /// Places of the processor's mailbox: hand-overs wait here while all charges are taken; what does not fit waits in its row.
    pub processor_mailbox: usize,
    /// Places of the drainer's mailbox; a message is one batch's events, and what does not fit is claimed from the table.
    pub drainer_mailbox: usize,
    /// One write of the ledger, its wait in the queue included: longer than a database restart, shorter than orders' patience.
    pub write_deadline: Duration,
    /// Connections for reads; reads are rare and short here.
    pub read_connections: usize,
    /// Items in one request: the largest batch orders sends.
    pub items_max: usize,
    /// Largest gRPC message in and out: `items_max` payments take about 64 KiB.
    pub message_bytes_max: usize,
    /// Requests at once on one connection; orders holds a handful of connections.
    pub streams_max: u32,
    /// Time for one RPC, above `write_deadline`, so that the answer that knows more comes first.
    pub call_deadline: Duration,
    /// Age at which published events are forgotten: the age of the streams, so that a replay never finds less than the bus had.
    pub outbox_retention: Duration,
    /// Age at which dead letters are forgotten: time for a person to come back from a holiday.
    pub dead_letter_retention: Duration,
    /// Age at which the simulated provider forgets how often a flaky charge was tried.
    pub provider_calls_retention: Duration,
    /// Pause between prunings.
    pub prune_every: Duration,
    /// Rows per pruning statement: milliseconds of work.
    pub prune_rows_max: i64,
    /// How long the tree may take to stop; the platform kills at 10 s.
    pub stop_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            processor: ProcessorLimits::default(),
            ledger_mailbox: 2_048,
            processor_mailbox: 1_024,
            drainer_mailbox: 256,
            write_deadline: Duration::from_secs(5),
            read_connections: 4,
            items_max: 256,
            message_bytes_max: 256 * 1024,
            streams_max: 256,
            call_deadline: Duration::from_secs(8),
            outbox_retention: DAY * 7,
            dead_letter_retention: DAY * 30,
            provider_calls_retention: DAY * 7,
            prune_every: Duration::from_secs(60),
            prune_rows_max: 1_000,
            stop_deadline: Duration::from_secs(9),
        }
    }
}
