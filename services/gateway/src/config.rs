//! What the gateway is told, and its numbers. Nothing here reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use shopapi_auth::{DemoUser, PasswordPool, UserKeys};
use shopapi_postgres::PgConfig;
use shopapi_rpc::{Endpoints, Trust};
use shopapi_tls::ServerCertificate;

use crate::proxies::TrustedProxies;

/// The gateway's configuration, already validated.
#[derive(Debug)]
pub struct Config {
    /// Where HTTP is served.
    pub http_addr: SocketAddr,
    /// Where gRPC is served: health, and what operators look at.
    pub grpc_addr: SocketAddr,
    /// Who this is, and whom it believes.
    pub trust: Trust,
    /// The replicas of orders.
    pub orders_url: Endpoints,
    /// The replicas of inventory, for the catalogue.
    pub inventory_url: Endpoints,
    /// `gatewaydb`, as the run-time role: accounts and refresh tokens.
    pub database: PgConfig,
    /// Sign and verify users' tokens.
    pub user_keys: UserKeys,
    /// Hashes and checks passwords.
    pub passwords: PasswordPool,
    /// Accounts that are there from the start; none outside development.
    pub demo_users: Vec<DemoUser>,
    /// With a certificate HTTP is served over TLS.
    pub http_tls: Option<ServerCertificate>,
    /// Whose `X-Forwarded-For` is believed, and whose `traceparent` is continued.
    pub trusted_proxies: TrustedProxies,
    /// The numbers.
    pub limits: Limits,
}

/// Every bound of the gateway, each with the reason for its default.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest request body. An order of 100 lines with long SKUs takes about 10 KiB.
    pub body_bytes_max: usize,
    /// Time for a body to arrive: 64 KiB over a bad mobile connection.
    pub body_deadline: Duration,
    /// Time for a request's head to arrive, also the longest idle time of a kept-alive connection.
    pub head_deadline: Duration,
    /// How long an answer may get nowhere because nobody reads it: a phone in a tunnel comes back sooner, and whoever comes later asks again.
    pub write_deadline: Duration,
    /// Largest request head; a token takes 2 KiB at most.
    pub head_bytes_max: usize,
    /// Headers in a request; browsers send about 20.
    pub headers_max: usize,
    /// Connections at once: each costs a few tens of KiB, and one gateway's cores are busy long before.
    pub connections_max: usize,
    /// Lines in an order: what a person puts into a basket, and what one stock transaction holds locked.
    pub lines_max: usize,
    /// Items of one line; with 100 lines and prices in cents, totals stay far inside an i64.
    pub quantity_max: i64,
    /// Longest SKU.
    pub sku_bytes_max: usize,
    /// Longest `Prefer: wait`: below the idle timeout of common proxies (60 s).
    pub wait_max: Duration,
    /// Time for orders to answer a new order: above its own deadline for stock, so that its 202 wins.
    pub create_deadline: Duration,
    /// Time for any other answer.
    pub call_deadline: Duration,
    /// Calls in flight to each service. Past it the answer is 503 at once; orders admits fewer new orders than this.
    pub calls_max: usize,
    /// Event streams at once; each keeps a gRPC stream open.
    pub streams_max: usize,
    /// Event streams of one customer: a few devices with a few orders each.
    pub streams_per_customer_max: usize,
    /// How long one event stream lives: as long as a token, so that nobody watches on under one that has expired, and a client that vanished
    /// without a word gives its place back. Who still watches comes back with `Last-Event-ID` and misses nothing.
    pub stream_lifetime: Duration,
    /// Comment on a silent event stream, so that proxies keep it open.
    pub stream_heartbeat: Duration,
    /// How long a user's token is good for.
    pub token_lifetime: Duration,
    /// Time for the database to answer about an account.
    pub account_deadline: Duration,
    /// Connections for accounts: each statement takes a millisecond, and password hashing takes fewer logins than that.
    pub account_connections_max: usize,
    /// How long a login is kept after it has expired or was ended: a token of it that comes back is told from one that never was.
    pub login_retention: Duration,
    /// Pause between two rounds of pruning when nothing is left to prune.
    pub prune_interval: Duration,
    /// Rows that one pruning statement deletes at most: a few milliseconds of locks.
    pub prune_rows_max: u32,
    /// How long the tree may take to stop.
    pub stop_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 * 1024,
            body_deadline: Duration::from_secs(10),
            head_deadline: Duration::from_secs(30),
            write_deadline: Duration::from_secs(30),
            head_bytes_max: 16 * 1024,
            headers_max: 64,
            connections_max: 4096,
            lines_max: 100,
            quantity_max: 10_000,
            sku_bytes_max: 64,
            wait_max: Duration::from_secs(30),
            create_deadline: Duration::from_secs(8),
            call_deadline: Duration::from_secs(5),
            calls_max: 2048,
            streams_max: 512,
            streams_per_customer_max: 8,
            stream_lifetime: Duration::from_secs(15 * 60),
            stream_heartbeat: Duration::from_secs(15),
            token_lifetime: Duration::from_secs(15 * 60),
            account_deadline: Duration::from_secs(2),
            account_connections_max: 4,
            login_retention: Duration::from_secs(24 * 3600),
            prune_interval: Duration::from_secs(60),
            prune_rows_max: 1_000,
            stop_deadline: Duration::from_secs(10),
        }
    }
}

/// How much longer an asker waits than the call it asked for may take: a call that times out answers for itself, and better.
const ASK_SLACK: Duration = Duration::from_millis(500);

impl Limits {
    /// How long a handler waits for the answer to a usual call.
    pub(crate) fn answer_deadline(&self) -> Duration {
        self.call_deadline + ASK_SLACK
    }

    /// How long a handler waits for the answer to a new order.
    pub(crate) fn create_answer_deadline(&self, wait: Duration) -> Duration {
        self.create_deadline + wait + ASK_SLACK
    }
}
