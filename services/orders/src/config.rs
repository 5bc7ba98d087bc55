//! What the service needs to be told. Read from the environment elsewhere; here only types and numbers.

use std::net::SocketAddr;
use std::time::Duration;

use jetstream::BusOptions;
use order_saga::SagaLimits;
use shopapi_postgres::PgConfig;
use shopapi_rpc::{Endpoints, Trust};

/// Configuration of the orders service.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ordersdb`, as the run-time role.
    pub database: PgConfig,
    /// NATS.
    pub bus: BusOptions,
    /// Who this is, and whom it believes.
    pub trust: Trust,
    /// Where inventory's replicas are.
    pub inventory: Endpoints,
    /// Where payments' replicas are.
    pub payments: Endpoints,
    /// Where gRPC listens; 9001 by convention.
    pub grpc: SocketAddr,
    /// Where `/livez` and `/readyz` listen; 9101 by convention.
    pub health: SocketAddr,
    /// The saga's own numbers.
    pub saga: SagaLimits,
    /// Bounds of the service.
    pub limits: Limits,
}

/// The numbers of the service, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// New orders whose callers wait for an answer. The one place that turns work away: a healthy replica answers a few thousand a
    /// second within milliseconds, so more than this at once means that it cannot follow.
    pub creates_in_flight_max: usize,
    /// From this age on a saga on its way forward counts as overdue: past every deadline after which it should have paid, given up or
    /// confirmed.
    pub overdue_age: Duration,
    /// So many overdue sagas turn new orders away. One order that hangs must not close the shop.
    pub overdue_sagas_max: u32,
    /// What a caller that is turned away is told to wait.
    pub retry_after: Duration,
    /// Places in the mailboxes behind the door. They hold all that is let in: creates, a fetched batch of events, a sweep, with room for
    /// what each of them writes.
    pub inner_capacity: usize,
    /// Calls at once to one method of another service; what waits meanwhile becomes the next call. Two keep the callee's writer busy
    /// while answers travel; four bridge one slow call.
    pub calls_in_flight_max: usize,
    /// Items in one call: one full batch of the callee's writer.
    pub call_items_max: usize,
    /// How long one call to inventory may take on the wire; below the saga's own deadline, so that this one decides.
    pub inventory_call: Duration,
    /// The same for payments.
    pub payments_call: Duration,
    /// Bytes of one gRPC message, each way: 256 orders of 100 lines of about 100 bytes, and as much again.
    pub message_bytes_max: usize,
    /// Requests at once on one connection; a gateway holds one per waiting customer, and reads must find room beside all new orders.
    pub streams_max: u32,
    /// Live timelines at once; each costs a few kilobytes and a re-read per transition.
    pub watches_max: usize,
    /// The longest wait that a caller of CreateOrder may ask for.
    pub wait_max: Duration,
    /// How long a customer's cancel or refund may take to be decided.
    pub request_deadline: Duration,
    /// How long a read may take before it is better answered "unavailable".
    pub read_deadline: Duration,
    /// Connections for reads and claims: each takes about a millisecond, so six serve thousands a second.
    pub read_connections_max: usize,
    /// Order ids taken from the database at a time: a round trip for every thousand orders.
    pub order_ids_block: i64,
    /// Age at which connections are asked to reconnect, so that new replicas get their share.
    pub connection_age_max: Duration,
    /// How long published events are kept: for replays after an accident with the bus; as long as its streams keep them.
    pub outbox_retention: Duration,
    /// How long an Idempotency-Key is remembered: a client that repeats after a day repeats by hand.
    pub key_retention: Duration,
    /// How long dead letters are kept for people to look at.
    pub dead_letter_retention: Duration,
    /// Pause between two rounds of pruning when nothing is left to prune.
    pub prune_interval: Duration,
    /// Rows one pruning statement deletes at most: a few milliseconds of locks.
    pub prune_rows_max: i64,
    /// How often the overdue sagas are counted.
    pub overdue_interval: Duration,
    /// How long a stop may take in all; the platform kills after ten seconds.
    pub stop_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            creates_in_flight_max: 2_048,
            overdue_age: Duration::from_secs(180),
            overdue_sagas_max: 16,
            retry_after: Duration::from_secs(2),
            inner_capacity: 8_192,
            calls_in_flight_max: 4,
            call_items_max: 256,
            inventory_call: Duration::from_millis(1_800),
            payments_call: Duration::from_millis(4_500),
            message_bytes_max: 4 * 1024 * 1024,
            streams_max: 4_096,
            watches_max: 1_024,
            wait_max: Duration::from_secs(30),
            request_deadline: Duration::from_secs(5),
            read_deadline: Duration::from_secs(2),
            read_connections_max: 6,
            order_ids_block: 1_000,
            connection_age_max: Duration::from_secs(600),
            outbox_retention: Duration::from_secs(7 * 24 * 3_600),
            key_retention: Duration::from_secs(24 * 3_600),
            dead_letter_retention: Duration::from_secs(90 * 24 * 3_600),
            prune_interval: Duration::from_secs(60),
            prune_rows_max: 1_000,
            overdue_interval: Duration::from_secs(1),
            stop_deadline: Duration::from_secs(9),
        }
    }
}
