//! A private NATS server with JetStream on loopback. A secured one lets in only who has a certificate of the stack's authority, and
//! lets each do only what `deploy/nats/permissions.conf` says, the text that every deployment uses.
//!
//! **After a crash** its streams are what was on disk; the services make what is missing, so a wiped store is a
//! supported state.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::child::{self, Launch, Signal};
use crate::error::{Error, tail};
use crate::pki::Pki;
use crate::ports::{ensure_free, loopback};
use crate::state::make_dir;

const NAME: &str = "NATS";
const READY_DEADLINE: Duration = Duration::from_secs(15);
const STOP_DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);
const PERMISSIONS: &str = include_str!("../../../../deploy/nats/permissions.conf");

/// A NATS server.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    monitor_port: Option<u16>,
    log: PathBuf,
    pki: Option<Pki>,
    child: Option<Child>,
}

impl Nats {
    /// Describes a server that keeps its streams in `dir`. With `monitor_port` it also serves its status over HTTP.
    #[must_use]
    pub fn new(
        program: PathBuf,
        dir: PathBuf,
        port: u16,
        monitor_port: Option<u16>,
        log: PathBuf,
    ) -> Self {
        Self {
            program,
            dir,
            port,
            monitor_port,
            log,
            pki: None,
            child: None,
        }
    }

    /// The same with TLS and permissions.
    #[must_use]
    pub fn secured(mut self, pki: &Pki) -> Self {
        self.pki = Some(pki.clone());
        self
    }

    /// Presents the certificate that is in the set at present to new connections, and believes its bundle.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn reload_identity(&self) -> Result<(), Error> {
        self.signal(Signal::Hup)
    }

    /// Lets the server's own identity do everything until the next start: what no deployment lets anybody do, for tests of accidents.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Io`].
    pub fn admit_administrator(&self) -> Result<(), Error> {
        let administered = self.config().replacen(
            "users = [",
            "users = [\n    { user: \"spiffe://shopapi/svc/nats\" }",
            1,
        );
        std::fs::write(self.dir.join("nats.conf"), administered)
            .map_err(Error::io("writing the configuration of NATS"))?;
        self.signal(Signal::Hup)
    }

    /// Starts it and waits until JetStream answers. Does nothing when it runs.
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::Ended`], [`Error::NotReady`], [`Error::Io`].
    pub async fn start(&mut self) -> Result<(), Error> {
        if self.is_running() {
            return Ok(());
        }
        ensure_free(self.port, NAME, "--port-base")?;
        make_dir(&self.dir, 0o700)?;
        if let Some(dir) = self.log.parent() {
            make_dir(dir, 0o755)?;
        }
        let config = self.dir.join("nats.conf");
        std::fs::write(&config, self.config())
            .map_err(Error::io("writing the configuration of NATS"))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::io(format!("opening {}", self.log.display())))?;
        let stderr = log.try_clone().map_err(Error::io("sharing the log"))?;
        let mut child = child::launch(Launch {
            program: &self.program,
            args: vec!["--config".into(), config.into()],
            env: Vec::new(),
            identity: None,
            on_our_death: Signal::Term,
            stdout: log.into(),
            stderr: stderr.into(),
        })
        .await?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(Error::io("waiting for NATS"))? {
                return Err(Error::Ended {
                    name: NAME.to_owned(),
                    status: status.to_string(),
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            if self.has_jetstream().await {
                self.child = Some(child);
                return Ok(());
            }
            if started.elapsed() > READY_DEADLINE {
                return Err(Error::NotReady {
                    name: NAME.to_owned(),
                    waited: started.elapsed(),
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn config(&self) -> String {
        let store = self.dir.join("jetstream");
        let mut text = format!(
            "listen: \"{}\"\njetstream {{ store_dir: \"{}\" }}\n",
            loopback(self.port),
            store.display()
        );
        if let Some(port) = self.monitor_port {
            text += &format!("http: \"{}\"\n", loopback(port));
        }
        if let Some(pki) = &self.pki {
            let file = |name: &str| pki.dir_of("nats").join(name).display().to_string();
            text += &format!(
                "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify_and_map: true, min_version: \"1.3\" }}\n{PERMISSIONS}",
                file("tls.crt"),
                file("tls.key"),
                file("ca.crt")
            );
        }
        text
    }

    /// The server greets each connection with what it can do.
    async fn has_jetstream(&self) -> bool {
        let greeting = async {
            let stream = TcpStream::connect(loopback(self.port)).await.ok()?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).await.ok()?;
            Some(line.starts_with("INFO ") && line.contains("\"jetstream\":true"))
        };
        matches!(
            tokio::time::timeout(Duration::from_secs(1), greeting).await,
            Ok(Some(true))
        )
    }

    /// Stops it gracefully; waits for its end.
    ///
    /// # Errors
    /// [`Error::Io`] when its end cannot be observed.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let _ = child::signal(&child, NAME, Signal::Term);
        if tokio::time::timeout(STOP_DEADLINE, child.wait())
            .await
            .is_err()
        {
            let _ = child::signal(&child, NAME, Signal::Kill);
        }
        child
            .wait()
            .await
            .map(drop)
            .map_err(Error::io("waiting for NATS"))
    }

    /// Kills it with SIGKILL; waits for its end.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Io`].
    pub async fn kill(&mut self) -> Result<(), Error> {
        let Some(mut child) = self.child.take() else {
            return Err(Error::NotRunning {
                name: NAME.to_owned(),
            });
        };
        child::signal(&child, NAME, Signal::Kill)?;
        child
            .wait()
            .await
            .map(drop)
            .map_err(Error::io("waiting for NATS"))
    }

    /// Stops and starts again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.stop().await?;
        self.start().await
    }

    /// Kills it, removes every stream and consumer from disk, and starts it empty.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Io`] when the store cannot be removed.
    pub async fn wipe(&mut self) -> Result<(), Error> {
        if self.is_running() {
            self.kill().await?;
        }
        let store = self.dir.join("jetstream");
        if store.exists() {
            std::fs::remove_dir_all(&store)
                .map_err(Error::io(format!("removing {}", store.display())))?;
        }
        self.start().await
    }

    /// Freezes it (SIGSTOP) or lets it go on (SIGCONT).
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        let child = self.child.as_ref().ok_or_else(|| Error::NotRunning {
            name: NAME.to_owned(),
        })?;
        child::signal(child, NAME, signal)
    }

    /// Is the process alive?
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", loopback(self.port))
    }
}
