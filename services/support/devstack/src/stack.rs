//! PostgreSQL, NATS and the four services together, in the order they need each other.
//!
//! ```text
//! start: PostgreSQL → databases and roles → NATS → migrations → inventory, payments, orders, gateway → all ready
//!        (each replica of the first three)
//! stop:  the reverse
//! ```
//!
//! What each service is told is in `environment.rs`, where each listens in `portmap.rs`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::child::{self, Launch, Signal};
use crate::cluster::{Cluster, ClusterConfig, Durability};
use crate::environment::{migrate_env, service_env};
use crate::error::Error;
use crate::nats::Nats;
use crate::pki::Pki;
use crate::portmap::{PORTS_FILE, PortMap, service_of};
use crate::ports::{ensure_free, loopback};
use crate::progress::Progress;
use crate::secrets::Secrets;
use crate::service::{Console, Restart, Service, ServiceSpec};
use crate::state::StateDir;
use crate::tools::Tools;
use crate::user_keys::UserKeyFiles;

/// The services in the order they start; they stop in reverse.
pub const SERVICES: [&str; 4] = ["inventory", "payments", "orders", "gateway"];
/// A service that is not ready after this long has a fault that its log names.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Every replica of four services, its pools, the audit and a person with psql.
const CONNECTIONS_MAX: u32 = 200;

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
    pki: Pki,
    user_keys: UserKeyFiles,
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
        let pki = Pki::load_or_create(&state.pki())?;
        let user_keys = UserKeyFiles::open_or_create(&state.user_keys())?;
        std::fs::write(state.path().join(PORTS_FILE), options.ports.to_text())
            .map_err(Error::io("writing down the ports"))?;
        progress.step("starting PostgreSQL");
        let config = ClusterConfig {
            bin: options.tools.pg_bin.clone(),
            dir: state.postgres(),
            port: options.ports.postgres,
            durability: options.durability,
            connections_max: CONNECTIONS_MAX,
            log: state.log("postgres"),
            pki: pki.clone(),
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
        )
        .secured(&pki);
        nats.start().await?;
        Ok(Self {
            services: Vec::new(),
            nats,
            cluster,
            options,
            pki,
            user_keys,
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

    /// Starts every replica of the four services and waits until they are ready.
    ///
    /// # Errors
    /// [`Error::Ended`], [`Error::NotReady`].
    pub async fn start_services(&mut self, progress: &dyn Progress) -> Result<(), Error> {
        for service in SERVICES {
            progress.step(&format!("starting {service}"));
            for process in self.options.ports.processes_of(service) {
                let spec = self.spec(&process);
                self.services.push(Service::spawn(spec).await?);
            }
        }
        for service in &self.services {
            progress.step(&format!("waiting for {}", service.name()));
            service.ready(READY_DEADLINE).await?;
        }
        Ok(())
    }

    fn spec(&self, name: &str) -> ServiceSpec {
        let mut env = service_env(
            name,
            &self.options.ports,
            &self.pki,
            &self.user_keys,
            &self.cluster,
            &self.nats,
        );
        env.extend(self.options.env.iter().cloned());
        ServiceSpec {
            name: name.to_owned(),
            program: self.options.shopapi.clone(),
            args: vec![service_of(name).0.to_owned()],
            env,
            health: self.options.ports.health_of(name),
            log: self.state.log(name),
            restart: self.options.restart,
            console: self.options.console.clone(),
        }
    }

    /// Starts one more process of a service, told what the stack's own is told, with `env` on top. It is the caller's:
    /// [`stop`](Self::stop) does not know it. Fault tests run a replica on ports of its own, or one that reaches a
    /// server through a [`Proxy`](crate::Proxy). `label` names its log.
    ///
    /// # Errors
    /// As [`Service::spawn`]; [`Error::NotReady`], [`Error::Ended`].
    pub async fn spawn_beside(
        &self,
        name: &str,
        label: &str,
        health: SocketAddr,
        env: &[(&str, String)],
    ) -> Result<Service, Error> {
        let mut spec = self.spec(name);
        label.clone_into(&mut spec.name);
        spec.health = health;
        spec.log = self.state.log(label);
        let more = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        spec.env.extend(more);
        let service = Service::spawn(spec).await?;
        service.ready(READY_DEADLINE).await?;
        Ok(service)
    }

    /// A process by name: `gateway`, `orders`, or `orders-2` where there are several replicas.
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

    /// Starts PostgreSQL or NATS again when one of them died. The services look after themselves.
    ///
    /// Returns the names of what was started.
    ///
    /// # Errors
    /// As [`Cluster::start`] and [`Nats::start`].
    pub async fn heal(&mut self) -> Result<Vec<&'static str>, Error> {
        let mut healed = Vec::new();
        if !self.cluster.is_running() {
            self.cluster.start().await?;
            healed.push("PostgreSQL");
        }
        if !self.nats.is_running() {
            self.nats.start().await?;
            healed.push("NATS");
        }
        Ok(healed)
    }

    /// The keys and certificates of everybody.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// The secrets that sign users' tokens.
    #[must_use]
    pub fn user_keys(&self) -> &UserKeyFiles {
        &self.user_keys
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
        self.stop_services(progress).await;
        progress.step("stopping NATS and PostgreSQL");
        self.nats.stop().await?;
        self.cluster.stop().await
    }

    /// Stops the services in reverse order, then ends the servers without the work that only a next start would
    /// need: a checkpoint of a fresh cluster takes seconds on a slow disk.
    pub async fn discard(mut self, progress: &dyn Progress) {
        self.stop_services(progress).await;
    }

    async fn stop_services(&mut self, progress: &dyn Progress) {
        while let Some(service) = self.services.pop() {
            progress.step(&format!("stopping {}", service.name()));
            service.stop().await;
        }
    }
}
