//! PostgreSQL, NATS and the four services together, in the order they need each other.
//!
//! ```text
//! start: PostgreSQL → databases and roles → NATS → migrations → inventory, payments, orders, gateway → all ready
//! stop:  the reverse
//! ```
//!
//! This file alone knows which environment variables a service is started with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::child::{self, Launch, Signal};
use crate::cluster::{Cluster, ClusterConfig, Durability};
use crate::error::Error;
use crate::nats::Nats;
use crate::ports::{PortLease, ensure_free, lease, loopback};
use crate::progress::Progress;
use crate::roles::DATABASES;
use crate::secrets::Secrets;
use crate::service::{Console, Restart, Service, ServiceSpec};
use crate::state::StateDir;
use crate::tools::Tools;

/// The services in the order they start; they stop in reverse.
pub const SERVICES: [&str; 4] = ["inventory", "payments", "orders", "gateway"];
/// Users who may log in on a development stack: `email:password:customer_id`.
pub const DEMO_USERS: &str = "ada@example.com:correct-horse:00000000-0000-7000-8000-000000000001,\
grace@example.com:battery-staple:00000000-0000-7000-8000-000000000002";
/// A service that is not ready after this long has a fault that its log names.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Every replica of four services, its pools, the audit and a person with psql.
const CONNECTIONS_MAX: u32 = 200;

/// Where everything listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMap {
    /// The public HTTP API, and the gateway's health.
    pub gateway: u16,
    /// gRPC of orders, inventory, payments.
    pub grpc: [u16; 3],
    /// Health of orders, inventory, payments.
    pub health: [u16; 3],
    /// PostgreSQL.
    pub postgres: u16,
    /// NATS.
    pub nats: u16,
    /// NATS' status page.
    pub nats_monitor: u16,
}

/// The callees, in the order of [`PortMap::grpc`].
const CALLEES: [&str; 3] = ["orders", "inventory", "payments"];

impl PortMap {
    /// The ports the system promises. PostgreSQL's is not its usual one, which a server of the machine may hold.
    pub const STANDARD: Self = Self {
        gateway: 8080,
        grpc: [9001, 9002, 9003],
        health: [9101, 9102, 9103],
        postgres: 15432,
        nats: 4222,
        nats_monitor: 8222,
    };

    /// A block of ports from `base` on: the gateway at `base`, gRPC at +1, +2, +3, health at +101, +102, +103,
    /// NATS at +22 and +23, PostgreSQL at +32. `None` when the block does not fit.
    #[must_use]
    pub fn from_base(base: u16) -> Option<Self> {
        base.checked_add(103)?;
        Some(Self {
            gateway: base,
            grpc: [base + 1, base + 2, base + 3],
            health: [base + 101, base + 102, base + 103],
            postgres: base + 32,
            nats: base + 22,
            nats_monitor: base + 23,
        })
    }

    /// Free ports; nobody else takes them while the leases live.
    ///
    /// # Errors
    /// [`Error::Io`] when none are free.
    pub fn leased() -> Result<(Self, Vec<PortLease>), Error> {
        let leases = (0..10).map(|_| lease()).collect::<Result<Vec<_>, _>>()?;
        let port = |index: usize| leases[index].port();
        let map = Self {
            gateway: port(0),
            grpc: [port(1), port(2), port(3)],
            health: [port(4), port(5), port(6)],
            postgres: port(7),
            nats: port(8),
            nats_monitor: port(9),
        };
        Ok((map, leases))
    }

    fn named(&self) -> [(u16, String); 10] {
        let grpc = |index: usize| (self.grpc[index], format!("gRPC of {}", CALLEES[index]));
        let health = |index: usize| (self.health[index], format!("health of {}", CALLEES[index]));
        [
            (self.gateway, "gateway".to_owned()),
            grpc(0),
            grpc(1),
            grpc(2),
            health(0),
            health(1),
            health(2),
            (self.postgres, "PostgreSQL".to_owned()),
            (self.nats, "NATS".to_owned()),
            (self.nats_monitor, "status of NATS".to_owned()),
        ]
    }

    /// The gRPC address of orders, inventory or payments.
    #[must_use]
    pub fn grpc_of(&self, service: &str) -> Option<SocketAddr> {
        let index = CALLEES.iter().position(|callee| *callee == service)?;
        Some(loopback(self.grpc[index]))
    }

    /// Where a service's `/readyz` answers.
    #[must_use]
    pub fn health_of(&self, service: &str) -> SocketAddr {
        let index = CALLEES.iter().position(|callee| *callee == service);
        loopback(index.map_or(self.gateway, |index| self.health[index]))
    }
}

/// How to run the stack.
pub struct StackOptions {
    /// The binaries of PostgreSQL and NATS.
    pub tools: Tools,
    /// The `shopapi` binary.
    pub shopapi: PathBuf,
    /// Where everything listens.
    pub ports: PortMap,
    /// What a power cut may cost.
    pub durability: Durability,
    /// What happens to a service that dies.
    pub restart: Restart,
    /// Where the services' lines are shown besides their logs.
    pub console: Option<Console>,
    /// More environment for every service, such as `RUST_LOG`. Later entries win.
    pub env: Vec<(String, String)>,
}

/// A running stack.
pub struct Stack {
    // Fields drop in this order: services first, their files last.
    services: Vec<Service>,
    /// NATS, to be stopped and started by fault tests.
    pub nats: Nats,
    /// PostgreSQL, to be stopped and started by fault tests.
    pub cluster: Cluster,
    options: StackOptions,
    state: StateDir,
}

impl Stack {
    /// Starts everything and waits until all services are ready.
    ///
    /// # Errors
    /// [`Error::PortInUse`] before anything is started; else what failed, with the end of its log.
    pub async fn start(
        state: StateDir,
        options: StackOptions,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut stack = Self::start_servers(state, options, progress).await?;
        progress.step("migrating the databases");
        stack.migrate().await?;
        stack.start_services(progress).await?;
        Ok(stack)
    }

    /// Starts PostgreSQL and NATS and creates databases and roles; no migrations, no services.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_servers(
        state: StateDir,
        options: StackOptions,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        for (port, purpose) in options.ports.named() {
            ensure_free(port, &purpose, "--port-base")?;
        }
        let secrets = Secrets::load_or_create(&state.secrets())?;
        progress.step("starting PostgreSQL");
        let config = ClusterConfig {
            bin: options.tools.pg_bin.clone(),
            dir: state.postgres(),
            port: options.ports.postgres,
            durability: options.durability,
            connections_max: CONNECTIONS_MAX,
            log: state.log("postgres"),
        };
        let mut cluster = Cluster::open(config, secrets).await?;
        cluster.start().await?;
        cluster.provision().await?;
        progress.step("starting NATS");
        let mut nats = Nats::new(
            options.tools.nats_server.clone(),
            state.nats(),
            options.ports.nats,
            Some(options.ports.nats_monitor),
            state.log("nats"),
        );
        nats.start().await?;
        Ok(Self {
            services: Vec::new(),
            nats,
            cluster,
            options,
            state,
        })
    }

    /// Runs `shopapi migrate` on every database, as the owners.
    ///
    /// # Errors
    /// [`Error::Command`] with what it printed.
    pub async fn migrate(&self) -> Result<(), Error> {
        let child = child::launch(Launch {
            program: &self.options.shopapi,
            args: vec!["migrate".into()],
            env: migrate_env(&self.cluster),
            identity: None,
            on_our_death: Signal::Kill,
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
        })
        .await?;
        let output = child
            .wait_with_output()
            .await
            .map_err(Error::io("running shopapi migrate"))?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stdout, output.stderr].concat();
        Err(Error::Command {
            program: format!("{} migrate", self.options.shopapi.display()),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&text).trim_end().to_owned(),
        })
    }

    /// Starts the four services and waits until they are ready.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::NotReady`].
    pub async fn start_services(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        for name in SERVICES {
            progress.step(&format!("starting {name}"));
            self.services.push(Service::spawn(self.spec(name)).await?);
        }
        for service in &self.services {
            progress.step(&format!("waiting for {}", service.name()));
            service.ready(READY_DEADLINE).await?;
        }
        Ok(())
    }

    fn spec(&self, name: &str) -> ServiceSpec {
        let mut env = service_env(name, &self.options.ports, &self.cluster, &self.nats);
        env.extend(self.options.env.iter().cloned());
        ServiceSpec {
            name: name.to_owned(),
            program: self.options.shopapi.clone(),
            args: vec![name.to_owned()],
            env,
            health: self.options.ports.health_of(name),
            log: self.state.log(name),
            restart: self.options.restart,
            console: self.options.console.clone(),
        }
    }

    /// A service by name.
    ///
    /// # Errors
    /// [`Error::NotRunning`] when it was not started.
    pub fn service(&self, name: &str) -> Result<&Service, Error> {
        self.services
            .iter()
            .find(|service| service.name() == name)
            .ok_or_else(|| Error::NotRunning {
                name: name.to_owned(),
            })
    }

    /// All services, in the order they were started.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Waits until every service is ready again.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::NotReady`].
    pub async fn all_ready(&self) -> Result<(), Error> {
        for service in &self.services {
            service.ready(READY_DEADLINE).await?;
        }
        Ok(())
    }

    /// Where everything listens.
    #[must_use]
    pub fn ports(&self) -> &PortMap {
        &self.options.ports
    }

    /// The public API.
    #[must_use]
    pub fn gateway_addr(&self) -> SocketAddr {
        loopback(self.options.ports.gateway)
    }

    /// Where the files are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.state.path()
    }

    /// Stops the services in reverse order, then NATS and PostgreSQL, and waits for all.
    ///
    /// # Errors
    /// [`Error::Io`] when a server's end cannot be observed.
    pub async fn stop(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        while let Some(service) = self.services.pop() {
            progress.step(&format!("stopping {}", service.name()));
            service.stop().await;
        }
        progress.step("stopping NATS and PostgreSQL");
        self.nats.stop().await?;
        self.cluster.stop().await
    }
}

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The owners' URLs: `SHOPAPI_MIGRATE_<SERVICE>_URL`.
fn migrate_env(cluster: &Cluster) -> Vec<(String, String)> {
    DATABASES
        .iter()
        .map(|spec| {
            let name = format!("SHOPAPI_MIGRATE_{}_URL", spec.service.to_uppercase());
            (name, cluster.url(spec.owner, spec.database))
        })
        .collect()
}

fn service_env(
    name: &str,
    ports: &PortMap,
    cluster: &Cluster,
    nats: &Nats,
) -> Vec<(String, String)> {
    let url = |callee: usize| format!("http://{}", loopback(ports.grpc[callee]));
    let mut env = pairs([
        ("SHOPAPI_MODE", "dev".to_owned()),
        ("SHOPAPI_LOG_FORMAT", "text".to_owned()),
    ]);
    if let Some(grpc) = ports.grpc_of(name) {
        env.extend(pairs([
            ("SHOPAPI_GRPC_ADDR", grpc.to_string()),
            ("SHOPAPI_HEALTH_ADDR", ports.health_of(name).to_string()),
            (
                "SHOPAPI_DATABASE_URL",
                cluster.url(name, &format!("{name}db")),
            ),
        ]));
    }
    env.extend(match name {
        "gateway" => pairs([
            ("SHOPAPI_HTTP_ADDR", loopback(ports.gateway).to_string()),
            ("SHOPAPI_ORDERS_URL", url(0)),
            ("SHOPAPI_INVENTORY_URL", url(1)),
            (
                "SHOPAPI_USER_JWT_SECRET",
                cluster.secrets().user_jwt_secret().to_owned(),
            ),
            ("SHOPAPI_DEMO_USERS", DEMO_USERS.to_owned()),
        ]),
        "orders" => pairs([
            ("SHOPAPI_NATS_URL", nats.url()),
            ("SHOPAPI_INVENTORY_URL", url(1)),
            ("SHOPAPI_PAYMENTS_URL", url(2)),
        ]),
        "payments" => pairs([
            ("SHOPAPI_NATS_URL", nats.url()),
            (
                "SHOPAPI_PROVIDER_DATABASE_URL",
                cluster.url("provider", "providerdb"),
            ),
        ]),
        _ => Vec::new(),
    });
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_block_has_no_port_twice() {
        let map = PortMap::from_base(20_000).unwrap();
        let mut ports: Vec<u16> = map.named().iter().map(|(port, _)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 10);
        assert_eq!(PortMap::from_base(65_500), None);
    }

    #[test]
    fn the_standard_ports_are_the_promised_ones() {
        let map = PortMap::STANDARD;
        assert_eq!(map.grpc_of("payments"), Some(loopback(9003)));
        assert_eq!(map.health_of("inventory"), loopback(9102));
        assert_eq!(map.health_of("gateway"), loopback(8080));
    }
}
