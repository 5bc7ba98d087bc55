//! The life of the service: ports, tree, readiness, orderly stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use actor_kit::SpawnError;
use actor_kit::tree::RunningTree;
use jetstream::{BadBusOptions, BusState, Connection};
use shopapi_health::{Gate, Readiness};
use shopapi_postgres::migrate::Schema;
use shopapi_postgres::{Disconnected, KnownSchema, ReadPool};
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::config::Config;
use crate::store::{OrderStore, PLAN_SETTINGS};
use crate::telemetry;
use crate::tree::{Parts, tree};

/// How often readiness looks at the bus; a person who reads "degraded" does not mind a second.
const BUS_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the service ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A port cannot be listened on.
    #[error("cannot listen on {addr} for {purpose}: {cause}")]
    Port {
        /// `gRPC` or `health`.
        purpose: &'static str,
        /// The address as configured.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The read pool could not be set up.
    #[error("the database pool cannot be set up: {0}")]
    Pool(#[from] Disconnected),
    /// The bus cannot be reached by these options, ever.
    #[error(transparent)]
    Bus(#[from] BadBusOptions),
    /// A child did not start.
    #[error(transparent)]
    Start(#[from] SpawnError),
    /// More crashes than the tree puts up with.
    #[error("the tree gave up: {0}")]
    GaveUp(String),
}

/// A listening port that outlives the servers on it: a restarted server goes on with the same one.
#[derive(Clone, Debug)]
pub(crate) struct Port(Arc<std::net::TcpListener>);

impl Port {
    async fn bind(purpose: &'static str, addr: SocketAddr) -> Result<Self, RunError> {
        let port = async { TcpListener::bind(addr).await?.into_std() };
        let listener = port.await.map_err(|cause| RunError::Port {
            purpose,
            addr,
            cause,
        })?;
        Ok(Self(Arc::new(listener)))
    }

    /// A listener for one run of a server.
    pub(crate) fn listener(&self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.0.try_clone()?)
    }

    fn addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The running service.
pub struct Service {
    tree: RunningTree,
    readiness: Readiness,
    grpc: Port,
    health: Port,
    stop_deadline: Duration,
    _bus_watch: DropGuard,
    _telemetry: DropGuard,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Takes the ports and starts the tree. Database and bus may be down: without the database the service is up and not ready, without
    /// the bus it is degraded.
    ///
    /// # Errors
    /// [`RunError`]: a port is taken, or a child did not start.
    pub async fn start(mut config: Config) -> Result<Self, RunError> {
        config.database = config.database.with_settings(PLAN_SETTINGS);
        let grpc = Port::bind("gRPC", config.grpc).await?;
        let health = Port::bind("health", config.health).await?;
        let pool = ReadPool::new(
            &config.database.named("orders-reads"),
            config.limits.read_connections_max,
        )?;
        let bus = Connection::open(&config.bus).await?;
        let readiness = Readiness::new();
        let tree_runs = readiness.gate("tree");
        check_database(&readiness, pool.clone());
        let bus_watch = watch_bus(bus.clone(), readiness.advisory_gate("bus"));
        let store = OrderStore::new(pool, config.limits.read_deadline);
        let telemetry = telemetry::watch(store.clone(), bus.clone());
        let parts = Parts {
            readiness: readiness.clone(),
            store,
            bus,
            grpc: grpc.clone(),
            health: health.clone(),
        };
        let tree = tree(&config, parts).start().await?;
        let children = tree.view();
        readiness.check("children", move || {
            std::future::ready(children.all_running())
        });
        tree_runs.open();
        let service = Self {
            tree,
            readiness,
            grpc,
            health,
            stop_deadline: config.limits.stop_deadline,
            _bus_watch: bus_watch,
            _telemetry: telemetry,
        };
        info!(grpc = ?service.grpc_addr().ok(), health = ?service.health_addr().ok(), "orders is up");
        Ok(service)
    }

    /// Where gRPC listens; tells the port that 0 became.
    ///
    /// # Errors
    /// What the system says.
    pub fn grpc_addr(&self) -> io::Result<SocketAddr> {
        self.grpc.addr()
    }

    /// Where health listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn health_addr(&self) -> io::Result<SocketAddr> {
        self.health.addr()
    }

    /// The tree as it runs, drawn.
    #[must_use]
    pub fn render(&self) -> String {
        self.tree.render()
    }

    /// Waits until the tree has given up, and tells why. Pending as long as it runs.
    pub async fn failed(&self) -> String {
        self.tree.failed().await
    }

    /// Stops taking work, finishes what was taken, stops.
    pub async fn stop(self) {
        self.readiness.drain();
        self.tree.stop(self.stop_deadline).await;
    }
}

/// Runs the service until `shutdown`, then stops it in good order.
///
/// # Errors
/// [`RunError`]: it could not start, or its tree gave up.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), RunError> {
    let service = Service::start(config).await?;
    tokio::select! {
        () = shutdown.cancelled() => {
            info!("orders stops");
            service.stop().await;
            Ok(())
        }
        reason = service.failed() => Err(RunError::GaveUp(reason)),
    }
}

/// Keeps the gate as the bus is, until the guard is dropped.
fn watch_bus(bus: Connection, connected: Gate) -> DropGuard {
    let stop = CancellationToken::new();
    let look = async move {
        let mut look = tokio::time::interval(BUS_LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            connected.set(bus.state() == BusState::Connected);
        }
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(look));
    stop.drop_guard()
}

/// Ready needs a database that answers and has the schema this program knows.
fn check_database(readiness: &Readiness, pool: ReadPool) {
    let database = KnownSchema::new(pool, Schema::Orders);
    readiness.check("database", move || {
        let database = database.clone();
        async move { database.is_ready().await }
    });
}
