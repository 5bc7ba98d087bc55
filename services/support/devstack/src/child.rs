//! Child processes that cannot outlive us.
//!
//! Three nets, because each has a hole: the handle kills on drop (not when we are killed with SIGKILL);
//! `setpriv --pdeathsig` makes the kernel signal the child when we die in any way (Linux with util-linux);
//! and a process group of its own keeps the terminal's Ctrl-C from reaching the child before we stop it in order.
//!
//! The kernel's parent-death signal fires when the *thread* that forked ends, and runtime threads come and go.
//! So one thread that never ends does all the forking.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::error::Error;
use crate::identity::Identity;

/// The signals the stack sends to its own children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: stop gracefully.
    Term,
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
    /// SIGQUIT: PostgreSQL's immediate shutdown, recovered from at the next start.
    Quit,
    /// SIGHUP: reads its configuration again.
    Hup,
    /// SIGKILL: gone at once.
    Kill,
    /// SIGSTOP: frozen, as a machine that hangs.
    Stop,
    /// SIGCONT: goes on after a stop.
    Cont,
}

impl Signal {
    fn raw(self) -> rustix::process::Signal {
        match self {
            Self::Term => rustix::process::Signal::TERM,
            Self::Int => rustix::process::Signal::INT,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::Hup => rustix::process::Signal::HUP,
            Self::Kill => rustix::process::Signal::KILL,
            Self::Stop => rustix::process::Signal::STOP,
            Self::Cont => rustix::process::Signal::CONT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Quit => "QUIT",
            Self::Hup => "HUP",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// What to run and how.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(String, String)>,
    /// Dropped to before the program starts.
    pub(crate) identity: Option<Identity>,
    /// What the kernel sends the child when we die.
    pub(crate) on_our_death: Signal,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

/// Starts a child process.
pub(crate) async fn launch(launch: Launch<'_>) -> Result<Child, Error> {
    let shown = launch.program.display().to_string();
    let mut command = wrapped(launch.program, launch.identity, launch.on_our_death);
    command
        .args(launch.args)
        .stdin(Stdio::null())
        .stdout(launch.stdout)
        .stderr(launch.stderr)
        .process_group(0)
        .kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        // Configuration meant for somebody else's services must not leak into ours.
        if name.to_string_lossy().starts_with("SHOPAPI_") {
            command.env_remove(name);
        }
    }
    command.envs(launch.env);
    fork(command)
        .await
        .map_err(Error::io(format!("starting {shown}")))
}

fn wrapped(program: &Path, identity: Option<Identity>, on_our_death: Signal) -> Command {
    let Some(setpriv) = setpriv() else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    if let Some(Identity { uid, gid }) = identity {
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .arg("--clear-groups");
    }
    command
        .arg(format!("--pdeathsig={}", on_our_death.name()))
        .arg("--")
        .arg(program);
    command
}

/// The `setpriv` of this machine, when it has one that knows `--pdeathsig`.
pub(crate) fn setpriv() -> Option<&'static Path> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    SETPRIV
        .get_or_init(|| {
            let path = on_path("setpriv")?;
            let works = std::process::Command::new(&path)
                .args(["--pdeathsig=KILL", "--", "true"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            works.then_some(path)
        })
        .as_deref()
}

/// Looks a program up on `PATH` and where administrators' programs are.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
}

/// Signals a child that has not been reaped, so its process id cannot belong to anybody else.
pub(crate) fn signal(child: &Child, name: &str, signal: Signal) -> Result<(), Error> {
    let not_running = || Error::NotRunning {
        name: name.to_owned(),
    };
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw)
        .ok_or_else(not_running)?;
    rustix::process::kill_process(pid, signal.raw()).map_err(|_| not_running())
}

/// Kills a child and its own children: as if the machine under it lost power.
///
/// The parent is frozen first, so it cannot reap, and the process ids of its children stay theirs.
pub(crate) fn kill_family(child: &Child, name: &str) -> Result<(), Error> {
    signal(child, name, Signal::Stop)?;
    for grandchild in child.id().map(children_of).unwrap_or_default() {
        // It may just have ended by itself.
        let _ = rustix::process::kill_process(grandchild, Signal::Kill.raw());
    }
    signal(child, name, Signal::Kill)
}

fn children_of(pid: u32) -> Vec<rustix::process::Pid> {
    std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?))
        .collect()
}

/// Starts waiting for the forking thread: each takes a millisecond, and a stack has half a dozen.
const JOBS_MAX: usize = 16;

struct Job {
    command: Command,
    runtime: tokio::runtime::Handle,
    reply: tokio::sync::oneshot::Sender<std::io::Result<Child>>,
}

async fn fork(command: Command) -> std::io::Result<Child> {
    let gone = || std::io::Error::other("the forking thread is gone");
    let (reply, answer) = tokio::sync::oneshot::channel();
    let job = Job {
        command,
        runtime: tokio::runtime::Handle::current(),
        reply,
    };
    forker()?.send(job).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn forker() -> std::io::Result<&'static mpsc::Sender<Job>> {
    static FORKER: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();
    FORKER
        .get_or_init(|| {
            let (jobs, mut queue) = mpsc::channel::<Job>(JOBS_MAX);
            std::thread::Builder::new()
                .name("devstack-fork".to_owned())
                .spawn(move || {
                    while let Some(mut job) = queue.blocking_recv() {
                        let _entered = job.runtime.enter();
                        // A caller that stopped waiting drops the child, and dropping kills it.
                        let _ = job.reply.send(job.command.spawn());
                    }
                })
                .ok()
                .map(|_| jobs)
        })
        .as_ref()
        .ok_or_else(|| std::io::Error::other("no thread to fork from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Launch<'static> {
        Launch {
            program: Path::new("/bin/sleep"),
            args: vec!["600".into()],
            env: Vec::new(),
            identity: None,
            on_our_death: Signal::Kill,
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        }
    }

    #[tokio::test]
    async fn a_child_has_its_own_process_group() {
        let child = launch(sleeper()).await.unwrap();
        let pid = child.id().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let group: u32 = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .nth(2)
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(group, pid);
    }

    #[tokio::test]
    async fn a_reaped_child_is_not_signalled() {
        let mut child = launch(sleeper()).await.unwrap();
        signal(&child, "sleep", Signal::Kill).unwrap();
        child.wait().await.unwrap();
        let error = signal(&child, "sleep", Signal::Kill).unwrap_err();
        assert!(matches!(error, Error::NotRunning { .. }), "{error}");
    }
}
