//! A private PostgreSQL: one data directory, one port on loopback, passwords for everybody.
//!
//! ```text
//! open ── initdb when empty ──► start ──► running ──► stop (fast shutdown)
//!                                 ▲          │
//!                                 └──────────┴── kill: the postmaster and all its children at once
//! ```
//!
//! **Invariants.** Settings come on the command line at each start, so old data works with a new port. No unix
//! socket: its path would be too long in a deep checkout, and loopback serves every client. TLS 1.3 with SCRAM is the only way in
//! (`datadir.rs`).
//!
//! **After a crash**, of it or of us, the next start replays the log and goes on; a `postmaster.pid` left behind
//! is no obstacle.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::process::Child;

use crate::child::{self, Launch, Signal};
use crate::datadir::{DataDir, PREDECESSOR_DEADLINE};
use crate::error::{Error, tail};
use crate::identity;
use crate::pki::Pki;
use crate::ports::{ensure_free, loopback};
use crate::roles::{self, SUPERUSER};
use crate::secrets::Secrets;
use crate::state::make_dir;

const NAME: &str = "PostgreSQL";
/// Recovery after a crash under load replays at most a few hundred megabytes.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// A fast shutdown writes one checkpoint.
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// How often the start looks whether the server is ready.
const POLL: Duration = Duration::from_millis(15);

/// What the server promises to keep over a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything committed: PostgreSQL's defaults.
    Full,
    /// Nothing: no fsync. For tests that never pull the plug of the machine; kill -9 loses nothing.
    Off,
}

/// How to run a cluster.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The directory with `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Where the data directory is, or is made.
    pub dir: PathBuf,
    /// The loopback port.
    pub port: u16,
    /// What a power cut may cost.
    pub durability: Durability,
    /// Sessions at once.
    pub connections_max: u32,
    /// The server's log; appended to.
    pub log: PathBuf,
    /// The server's identity and what its clients verify it with.
    pub pki: Pki,
}

/// A PostgreSQL server with its databases and roles.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    secrets: Secrets,
    data: DataDir,
    child: Option<Child>,
}

impl Cluster {
    /// Prepares the data directory (`initdb` when it is empty) without starting the server.
    ///
    /// # Errors
    /// [`Error::Command`] when `initdb` fails, [`Error::DataVersion`] when the data is another version's.
    pub async fn open(config: ClusterConfig, secrets: Secrets) -> Result<Self, Error> {
        if let Some(dir) = config.log.parent() {
            make_dir(dir, 0o755)?;
        }
        let data = DataDir::new(
            config.bin.clone(),
            config.dir.clone(),
            identity::for_postgres()?,
        );
        data.prepare(secrets.password(SUPERUSER), config.durability)
            .await?;
        Ok(Self {
            config,
            secrets,
            data,
            child: None,
        })
    }

    /// Starts the server and waits until it takes connections. Does nothing when it runs.
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::Ended`] with the end of the log, [`Error::NotReady`].
    pub async fn start(&mut self) -> Result<(), Error> {
        if self.is_running() {
            return Ok(());
        }
        self.data.wait_for_predecessor().await?;
        ensure_free(self.config.port, NAME, "--port-base")?;
        self.data.take_identity(&self.config.pki)?;
        let deadline = Instant::now() + PREDECESSOR_DEADLINE;
        loop {
            let log_before = std::fs::metadata(&self.config.log).map_or(0, |meta| meta.len());
            match self.start_once().await {
                // Backends of a postmaster that was killed hold its shared memory until they notice.
                Err(Error::Ended { .. })
                    if self
                        .log_since(log_before)
                        .contains("pre-existing shared memory block")
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(POLL * 10).await;
                }
                other => return other,
            }
        }
    }

    async fn start_once(&mut self) -> Result<(), Error> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.config.log)
            .map_err(Error::io(format!("opening {}", self.config.log.display())))?;
        let stderr = log.try_clone().map_err(Error::io("sharing the log"))?;
        let on_our_death = match self.config.durability {
            Durability::Full => Signal::Int,
            Durability::Off => Signal::Quit,
        };
        let mut child = child::launch(Launch {
            program: &self.config.bin.join("postgres"),
            args: self.arguments(),
            env: vec![("PGTZ".to_owned(), "UTC".to_owned())],
            identity: self.data.identity(),
            on_our_death,
            stdout: log.into(),
            stderr: stderr.into(),
        })
        .await?;
        let started = Instant::now();
        loop {
            if let Some(status) = child
                .try_wait()
                .map_err(Error::io("waiting for PostgreSQL"))?
            {
                return Err(Error::Ended {
                    name: NAME.to_owned(),
                    status: status.to_string(),
                    log: self.config.log.clone(),
                    tail: tail(&self.config.log),
                });
            }
            if self.data.is_ready(child.id()) {
                self.child = Some(child);
                return Ok(());
            }
            if started.elapsed() > READY_DEADLINE {
                return Err(Error::NotReady {
                    name: NAME.to_owned(),
                    waited: started.elapsed(),
                    log: self.config.log.clone(),
                    tail: tail(&self.config.log),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut settings = vec![
            format!("port={}", self.config.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={}", self.config.connections_max),
            "log_timezone=UTC".to_owned(),
            "log_line_prefix=%m [%p] %u@%d ".to_owned(),
        ];
        settings.extend(self.data.wire_settings());
        if self.config.durability == Durability::Off {
            settings.extend(
                [
                    "fsync=off",
                    "full_page_writes=off",
                    "shared_buffers=32MB",
                    "max_wal_size=64MB",
                ]
                .map(str::to_owned),
            );
        }
        let mut args: Vec<OsString> = vec!["-D".into(), self.data.path().into()];
        for setting in settings {
            args.extend(["-c".into(), setting.into()]);
        }
        args
    }

    fn log_since(&self, offset: u64) -> String {
        let bytes = std::fs::read(&self.config.log).unwrap_or_default();
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        String::from_utf8_lossy(&bytes[from..]).into_owned()
    }

    /// Creates the databases and roles that are missing.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::SecretsMismatch`] when the passwords on disk are not those of the data.
    pub async fn provision(&self) -> Result<(), Error> {
        roles::provision(self).await
    }

    /// Stops the server the way an administrator does, with a checkpoint; waits for its end.
    ///
    /// # Errors
    /// [`Error::Io`] when its end cannot be observed.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        // It may have ended by itself; waiting tells.
        let _ = child::signal(&child, NAME, Signal::Int);
        if tokio::time::timeout(STOP_DEADLINE, child.wait())
            .await
            .is_err()
        {
            let _ = child::kill_family(&child, NAME);
        }
        child
            .wait()
            .await
            .map(drop)
            .map_err(Error::io("waiting for PostgreSQL"))
    }

    /// Kills the server and all its processes at once, as a power cut does; waits for its end.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Io`].
    pub async fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Err(Error::NotRunning {
                name: NAME.to_owned(),
            });
        };
        child::kill_family(&child, NAME)?;
        child
            .wait()
            .await
            .map(drop)
            .map_err(Error::io("waiting for PostgreSQL"))
    }

    /// Stops and starts again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        self.start().await
    }

    /// Is the server's process alive?
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The postmaster's process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// The passwords.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.config.port
    }

    /// The server's identity and its authority.
    #[must_use]
    pub fn pki(&self) -> &Pki {
        &self.config.pki
    }

    /// What a power cut may cost.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.config.durability
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        loopback(self.config.port)
    }

    /// Presents the certificate that is in the set at present to new connections.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Io`].
    pub fn reload_identity(&self) -> Result<(), Error> {
        self.data.take_identity(&self.config.pki)?;
        let child = self.child.as_ref().ok_or_else(|| Error::NotRunning {
            name: NAME.to_owned(),
        })?;
        child::signal(child, NAME, Signal::Hup)
    }

    /// A connection URL with the role's password in it; the server is verified.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        roles::url(self.addr(), role, database, &self.secrets, &self.config.pki)
    }

    /// Opens a connection as a role.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn connect(
        &self,
        role: &str,
        database: &str,
    ) -> Result<tokio_postgres::Client, Error> {
        roles::connect(self, role, database).await
    }
}

impl Drop for Cluster {
    /// An immediate shutdown, waited for: PostgreSQL then frees its shared memory, which a SIGKILL would leave.
    #[expect(
        clippy::disallowed_methods,
        reason = "drop cannot await, and lasts milliseconds at the end of a stack"
    )]
    fn drop(&mut self) {
        const DROP_DEADLINE: Duration = Duration::from_secs(3);
        let Some(mut child) = self.child.take() else {
            return;
        };
        let _ = child::signal(&child, NAME, Signal::Quit);
        let deadline = Instant::now() + DROP_DEADLINE;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = child::kill_family(&child, NAME);
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
