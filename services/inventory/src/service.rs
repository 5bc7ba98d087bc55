//! The life of the service: ports, tree, readiness, orderly stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use actor_kit::SpawnError;
use actor_kit::tree::{RunningTree, TreeView};
use shopapi_health::Readiness;
use shopapi_postgres::migrate::Schema;
use shopapi_postgres::{Disconnected, KnownSchema, ReadPool};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::tree::{Parts, tree};

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
    /// What the readiness check looks through; gone with the service.
    _view: Arc<TreeView>,
    _watching: DropGuard,
    readiness: Readiness,
    grpc: Port,
    health: Port,
    stop_deadline: Duration,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

impl Service {
    /// Takes the ports and starts the tree. The database may be down: the service is then up and not ready.
    ///
    /// # Errors
    /// [`RunError`]: a port is taken, or a child did not start.
    pub async fn start(config: Config) -> Result<Self, RunError> {
        let grpc = Port::bind("gRPC", config.grpc).await?;
        let health = Port::bind("health", config.health).await?;
        let pool = ReadPool::new(
            &config.database.named("inventory-reads"),
            config.limits.read_connections_max,
        )?;
        let readiness = Readiness::new();
        let started = readiness.gate("started");
        check_database(&readiness, pool.clone());
        let watching = CancellationToken::new();
        let watch = shopapi_postgres::watch_connected(pool.clone());
        tokio::spawn(watching.clone().run_until_cancelled_owned(watch));
        let parts = Parts {
            readiness: readiness.clone(),
            catalogue: Catalogue::new(pool, config.limits.read_deadline),
            grpc: grpc.clone(),
            health: health.clone(),
        };
        let tree = tree(&config, parts).start().await?;
        let view = Arc::new(tree.view());
        // Weak, because the tree's health server holds the readiness that would hold the tree.
        let children = Arc::downgrade(&view);
        readiness.check("tree", move || {
            let all_running = children
                .upgrade()
                .is_some_and(|children| children.all_running());
            std::future::ready(all_running)
        });
        started.open();
        let service = Self {
            tree,
            _view: view,
            _watching: watching.drop_guard(),
            readiness,
            grpc,
            health,
            stop_deadline: config.limits.stop_deadline,
        };
        info!(grpc = ?service.grpc_addr().ok(), health = ?service.health_addr().ok(), "inventory is up");
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
            info!("inventory stops");
            service.stop().await;
            Ok(())
        }
        reason = service.failed() => Err(RunError::GaveUp(reason)),
    }
}

/// Ready needs a database that answers and has the schema this program knows.
fn check_database(readiness: &Readiness, pool: ReadPool) {
    let database = KnownSchema::new(pool, Schema::Inventory);
    readiness.check("database", move || {
        let database = database.clone();
        async move { database.is_ready().await }
    });
}
