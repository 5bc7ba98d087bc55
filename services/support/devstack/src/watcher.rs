//! The task behind a service's handle: it owns the child, starts it again when it dies and stops it when asked.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};

use crate::child::{self, Launch, Signal};
use crate::error::Error;
use crate::service::{Console, Restart, ServiceSpec, ServiceState};

/// The first pause before a restart; it doubles with each death in a row.
const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The longest pause: a person who repaired the cause should not have to wait.
const BACKOFF_CAP: Duration = Duration::from_secs(5);
/// A process that lived this long died of something new: the backoff begins again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// Longer than the services' own draining time, so that SIGKILL is the exception.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// What a handle asks of the task that watches.
pub(crate) enum Command {
    Signal {
        signal: Signal,
        hold: bool,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    Start {
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// Why the watcher stopped looking at a running child.
enum Woke {
    Died(String),
    Command(Option<Command>),
}

/// Owns the child and follows the restart policy.
pub(crate) struct Watcher {
    spec: ServiceSpec,
    publish: watch::Sender<ServiceState>,
    inbox: mpsc::Receiver<Command>,
    /// Stays down until told to start.
    held: bool,
    /// Deaths in a row.
    deaths: u32,
}

impl Watcher {
    pub(crate) fn new(
        spec: ServiceSpec,
        publish: watch::Sender<ServiceState>,
        inbox: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            spec,
            publish,
            inbox,
            held: false,
            deaths: 0,
        }
    }

    pub(crate) async fn run(mut self, first: Child) {
        let mut running = Some((first, Instant::now()));
        loop {
            running = match running {
                Some((child, since)) => self.watch(child, since).await,
                None => self.rest().await,
            };
            if running.is_none() && self.inbox.is_closed() && self.inbox.is_empty() {
                return;
            }
        }
    }

    /// Looks after a running child until it is gone; `Some` when it still runs.
    async fn watch(&mut self, mut child: Child, since: Instant) -> Option<(Child, Instant)> {
        let woke = tokio::select! {
            status = child.wait() => Woke::Died(match status {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            }),
            command = self.inbox.recv() => Woke::Command(command),
        };
        match woke {
            Woke::Died(status) => {
                self.deaths = if since.elapsed() > HEALTHY_AFTER {
                    1
                } else {
                    self.deaths + 1
                };
                self.note_end(status);
                None
            }
            Woke::Command(None) => {
                // The handle is gone. Dropping the child kills it.
                None
            }
            Woke::Command(Some(Command::Signal {
                signal,
                hold,
                reply,
            })) => {
                self.held |= hold;
                let _ = reply.send(child::signal(&child, &self.spec.name, signal));
                Some((child, since))
            }
            Woke::Command(Some(Command::Start { reply })) => {
                let _ = reply.send(());
                Some((child, since))
            }
            Woke::Command(Some(Command::Stop { reply })) => {
                self.held = true;
                let status = stop(child, &self.spec.name).await;
                self.note_end(status);
                let _ = reply.send(());
                None
            }
        }
    }

    /// Nothing runs: waits for the backoff or a command; `Some` when it runs again.
    async fn rest(&mut self) -> Option<(Child, Instant)> {
        let restarts = self.spec.restart == Restart::Always && !self.held;
        let pause = backoff(self.deaths);
        tokio::select! {
            () = tokio::time::sleep(pause), if restarts => self.launch().await,
            command = self.inbox.recv() => match command {
                Some(Command::Start { reply }) => {
                    self.held = false;
                    let running = self.launch().await;
                    let _ = reply.send(());
                    running
                }
                Some(Command::Signal { hold, reply, .. }) => {
                    self.held |= hold;
                    let _ = reply.send(Err(Error::NotRunning { name: self.spec.name.clone() }));
                    None
                }
                Some(Command::Stop { reply }) => {
                    self.held = true;
                    let _ = reply.send(());
                    None
                }
                None => None,
            },
        }
    }

    async fn launch(&mut self) -> Option<(Child, Instant)> {
        match launch(&self.spec).await {
            Ok(child) => {
                let pid = child.id();
                self.publish.send_modify(|state| {
                    state.pid = pid;
                    state.starts += 1;
                });
                Some((child, Instant::now()))
            }
            Err(error) => {
                self.deaths += 1;
                self.note_end(error.to_string());
                None
            }
        }
    }

    fn note_end(&self, status: String) {
        if let Some(console) = &self.spec.console {
            let next = if self.held || self.spec.restart == Restart::Never {
                String::new()
            } else {
                format!("; starting it again in {:?}", backoff(self.deaths))
            };
            console(&self.spec.name, &format!("ended ({status}){next}"));
        }
        self.publish.send_modify(|state| {
            state.pid = None;
            state.last_exit = Some(status);
        });
    }
}

fn backoff(deaths: u32) -> Duration {
    BACKOFF_BASE
        .saturating_mul(2_u32.saturating_pow(deaths.saturating_sub(1)))
        .min(BACKOFF_CAP)
}

async fn stop(mut child: Child, name: &str) -> String {
    let _ = child::signal(&child, name, Signal::Term);
    // A frozen process cannot react to SIGTERM.
    let _ = child::signal(&child, name, Signal::Cont);
    let ended = tokio::time::timeout(STOP_DEADLINE, child.wait()).await;
    let status = match ended {
        Ok(status) => status,
        Err(_) => {
            let _ = child::signal(&child, name, Signal::Kill);
            child.wait().await
        }
    };
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

pub(crate) async fn launch(spec: &ServiceSpec) -> Result<Child, Error> {
    let doing = || format!("opening {}", spec.log.display());
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&spec.log)
        .map_err(Error::io(doing()))?;
    let (stdout, stderr): (Stdio, Stdio) = match spec.console {
        Some(_) => (Stdio::piped(), Stdio::piped()),
        None => (
            log.try_clone().map_err(Error::io(doing()))?.into(),
            log.try_clone().map_err(Error::io(doing()))?.into(),
        ),
    };
    let mut child = child::launch(Launch {
        program: &spec.program,
        args: spec.args.iter().map(OsString::from).collect(),
        env: spec.env.clone(),
        identity: None,
        on_our_death: Signal::Kill,
        stdout,
        stderr,
    })
    .await?;
    if let Some(console) = &spec.console {
        let log = Arc::new(Mutex::new(log));
        if let Some(out) = child.stdout.take() {
            tokio::spawn(copy_lines(
                out,
                spec.name.clone(),
                Arc::clone(&log),
                Arc::clone(console),
            ));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(copy_lines(err, spec.name.clone(), log, Arc::clone(console)));
        }
    }
    Ok(child)
}

/// Copies a stream to the log and the console, line by line, until the process closes it.
async fn copy_lines(
    stream: impl AsyncRead + Unpin,
    name: String,
    log: Arc<Mutex<File>>,
    console: Console,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(mut log) = log.lock() {
            // A full disk must not stop the service: its line still goes to the terminal.
            let _ = writeln!(log, "{line}");
        }
        console(&name, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_cap() {
        assert_eq!(backoff(1), Duration::from_millis(200));
        assert_eq!(backoff(3), Duration::from_millis(800));
        assert_eq!(backoff(60), BACKOFF_CAP);
    }
}
