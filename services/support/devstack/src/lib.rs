//! A private PostgreSQL, a private NATS and the four services, run from one process and gone with it.
//!
//! ```text
//!                      Stack (stack.rs)
//!        ┌────────────────┼─────────────────────┐
//!   Cluster           Nats                 Service × 4 or more   one child process per replica
//!  (cluster.rs)     (nats.rs)            (service.rs)
//!        └────────────────┴─────────────────────┘
//!                     child.rs      own process group, dies with us
//!   Tools (tools.rs): where the binaries are      Secrets (secrets.rs): the passwords
//!   StateDir (state.rs): where files are kept     ports.rs: which ports are free
//!   TestStack (testing.rs): the same for tests, from a copy of a migrated cluster
//!   Proxy (proxy.rs): a network that fails on command
//! ```
//!
//! Used by `shopctl` and by tests; services never depend on it.
//!
//! **Invariants.** No child outlives this process, however it ends (`child.rs` says how). Only processes started
//! here are ever signalled, by process id, and only while they are not reaped. Servers listen on loopback only.
//! PostgreSQL never runs as root. Durability is on unless a caller asks for [`Durability::Off`] by name.
//!
//! **After a crash** of this process everything on disk is as after a power cut, and the next start recovers it.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod blocking;
mod child;
mod cluster;
mod datadir;
mod environment;
mod error;
mod health;
mod identity;
mod nats;
mod pki;
mod portmap;
mod ports;
mod progress;
mod proxy;
mod roles;
mod secrets;
mod service;
mod stack;
mod state;
mod testing;
mod tools;
mod user_keys;
mod watcher;

pub use child::Signal;
pub use cluster::{Cluster, ClusterConfig, Durability};
pub use environment::DEMO_USERS;
pub use error::Error;
pub use health::get_status;
pub use nats::Nats;
pub use pki::{ClusterNames, IDENTITIES, JWT_SERVICES, Pki, spiffe_id};
pub use portmap::{PortMap, REPLICAS_MAX, ReplicaPorts, TelemetryPorts};
pub use ports::{PortLease, ensure_free, lease};
pub use progress::{Progress, Silent};
pub use proxy::{Cut, Proxy};
pub use roles::{AUDIT_ROLE, DATABASES, DatabaseSpec, SUPERUSER, provision_with};
pub use secrets::Secrets;
pub use service::{Console, Restart, Service, ServiceSpec, ServiceState};
pub use stack::{SERVICES, Stack, StackOptions};
pub use state::StateDir;
pub use testing::{Migrate, TestStack, with_migrated_databases, workspace_root};
pub use tools::{ToolOptions, Tools};
pub use user_keys::UserKeyFiles;
