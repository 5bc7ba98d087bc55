//! One service process: started, watched, restarted with backoff when it dies, signalled by name for fault tests.
//!
//! ```text
//!              ┌────── died ──► backoff ──┐
//!   started ──►│ running ◄────────────────┘
//!              └────── stop / kill_and_hold ──► held ── start ──► running
//! ```
//!
//! A task of its own (`watcher.rs`) owns the child; the handle sends it commands. Dropping the handle ends the child.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use crate::child::Signal;
use crate::error::{Error, tail};
use crate::health::get_status;
use crate::state::make_dir;
use crate::watcher::{Command, Watcher, launch};

/// How often a start asks whether the service is ready.
const READY_POLL: Duration = Duration::from_millis(20);
/// Commands waiting for the watching task: people and tests send one at a time.
const COMMANDS_MAX: usize = 16;

/// What to do when the process dies by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Start it again after a backoff, as a platform does.
    Always,
    /// Leave it down until [`Service::start`].
    Never,
}

/// Copies every line of a service to the terminal, with its name in front.
pub type Console = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// How to run a service.
#[derive(Clone)]
pub struct ServiceSpec {
    /// Its name, also of its log file.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its configuration.
    pub env: Vec<(String, String)>,
    /// Where `/readyz` answers.
    pub health: SocketAddr,
    /// Its log; appended to.
    pub log: PathBuf,
    /// What to do when it dies.
    pub restart: Restart,
    /// Where its lines are shown besides the log.
    pub console: Option<Console>,
}

/// What is known about the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceState {
    /// The process id while it runs.
    pub pid: Option<u32>,
    /// How often it was started.
    pub starts: u32,
    /// How it ended the last time.
    pub last_exit: Option<String>,
}

/// A handle on a watched process.
pub struct Service {
    name: String,
    health: SocketAddr,
    log: PathBuf,
    state: watch::Receiver<ServiceState>,
    commands: mpsc::Sender<Command>,
}

impl Service {
    /// Starts the process and the task that watches it.
    ///
    /// # Errors
    /// [`Error::Io`] when the program cannot be started at all.
    pub async fn spawn(spec: ServiceSpec) -> Result<Self, Error> {
        if let Some(dir) = spec.log.parent() {
            make_dir(dir, 0o755)?;
        }
        let child = launch(&spec).await?;
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let first = ServiceState {
            pid: child.id(),
            starts: 1,
            last_exit: None,
        };
        let (publish, state) = watch::channel(first);
        let service = Self {
            name: spec.name.clone(),
            health: spec.health,
            log: spec.log.clone(),
            state,
            commands,
        };
        tokio::spawn(Watcher::new(spec, publish, inbox).run(child));
        Ok(service)
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where `/readyz` answers.
    #[must_use]
    pub fn health(&self) -> SocketAddr {
        self.health
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &std::path::Path {
        &self.log
    }

    /// What is known about the process now.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        self.state.borrow().clone()
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.state.borrow().pid
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `deadline`; [`Error::Ended`] when it died and stays down.
    pub async fn ready(&self, deadline: Duration) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            let state = self.state();
            if state.pid.is_some() && get_status(self.health, "/readyz").await == Some(200) {
                return Ok(());
            }
            // Dying again and again at the start is a configuration fault; the log says which.
            const STARTS_MAX: u32 = 5;
            let gave_up = state.starts >= STARTS_MAX && state.last_exit.is_some();
            if state.pid.is_none() && gave_up {
                return Err(Error::Ended {
                    name: self.name.clone(),
                    status: state.last_exit.unwrap_or_default(),
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            if started.elapsed() > deadline {
                return Err(Error::NotReady {
                    name: self.name.clone(),
                    waited: started.elapsed(),
                    log: self.log.clone(),
                    tail: tail(&self.log),
                });
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Waits until the process was started at least `starts` times and runs.
    pub async fn started(&self, starts: u32) {
        let mut state = self.state.clone();
        // The watching task lives as long as the handle, so the channel cannot be closed.
        let _ = state
            .wait_for(|state| state.starts >= starts && state.pid.is_some())
            .await;
    }

    /// Sends a signal; the restart policy deals with what follows.
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        self.send_signal(signal, false).await
    }

    /// Kills it with SIGKILL and leaves it down until [`start`](Self::start).
    ///
    /// # Errors
    /// [`Error::NotRunning`].
    pub async fn kill_and_hold(&self) -> Result<(), Error> {
        self.send_signal(Signal::Kill, true).await?;
        let mut state = self.state.clone();
        let _ = state.wait_for(|state| state.pid.is_none()).await;
        Ok(())
    }

    async fn send_signal(&self, signal: Signal, hold: bool) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::NotRunning {
            name: self.name.clone(),
        };
        let command = Command::Signal {
            signal,
            hold,
            reply,
        };
        self.commands.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Starts it when it is down.
    pub async fn start(&self) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Start { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Stops it gracefully (SIGTERM, after a while SIGKILL) and leaves it down; waits for its end.
    pub async fn stop(&self) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Stop { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(dir: &std::path::Path, script: &str, restart: Restart) -> ServiceSpec {
        ServiceSpec {
            name: "sample".to_owned(),
            program: "/bin/sh".into(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: Vec::new(),
            health: SocketAddr::from(([127, 0, 0, 1], 1)),
            log: dir.join("sample.log"),
            restart,
            console: None,
        }
    }

    #[tokio::test]
    async fn a_killed_service_is_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let service = Service::spawn(spec(dir.path(), "exec sleep 600", Restart::Always))
            .await
            .unwrap();
        let first = service.pid().unwrap();
        service.signal(Signal::Kill).await.unwrap();
        service.started(2).await;
        assert_ne!(service.pid().unwrap(), first);
    }

    #[tokio::test]
    async fn a_held_service_stays_down_until_started() {
        let dir = tempfile::tempdir().unwrap();
        let service = Service::spawn(spec(dir.path(), "exec sleep 600", Restart::Always))
            .await
            .unwrap();
        service.kill_and_hold().await.unwrap();
        assert!(matches!(
            service.signal(Signal::Term).await,
            Err(Error::NotRunning { .. })
        ));
        service.start().await;
        assert_eq!(service.state().starts, 2);
        service.stop().await;
        assert_eq!(service.pid(), None);
    }

    #[tokio::test]
    async fn a_service_that_cannot_start_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let service = Service::spawn(spec(
            dir.path(),
            "echo SHOPAPI_X is unknown; exit 3",
            Restart::Always,
        ))
        .await
        .unwrap();
        let error = service.ready(Duration::from_secs(60)).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Ended { .. }), "{text}");
        assert!(text.contains("SHOPAPI_X is unknown"), "{text}");
    }

    #[tokio::test]
    async fn dropping_the_handle_ends_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let service = Service::spawn(spec(dir.path(), "exec sleep 600", Restart::Always))
            .await
            .unwrap();
        let pid = service.pid().unwrap();
        drop(service);
        let gone = async {
            // A killed child may stay a zombie until it is reaped; it runs no more in either case.
            while std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone)
            .await
            .unwrap();
    }
}
