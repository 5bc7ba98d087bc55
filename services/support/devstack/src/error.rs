//! What can go wrong while starting or steering the stack. The texts are for the person at the terminal:
//! each says what to do next.

use std::path::PathBuf;
use std::time::Duration;

/// An error of the development stack.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is missing on this machine.
    #[error("{what} is missing. Install it with:\n    {install}")]
    Missing {
        /// What is missing, and what for.
        what: String,
        /// The command that installs it on Debian or Ubuntu.
        install: String,
    },
    /// Another process listens on a port that is needed.
    #[error(
        "port {port} ({purpose}) is in use. See who holds it with `ss -ltnp 'sport = :{port}'`, \
         or choose other ports ({hint})"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// What would listen there.
        purpose: String,
        /// How to choose another.
        hint: String,
    },
    /// A helper program failed.
    #[error("`{program}` failed ({status}):\n{output}")]
    Command {
        /// The program and its arguments.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A server ended while it was needed.
    #[error("{name} ended ({status}). The end of its log, {log}:\n{tail}")]
    Ended {
        /// Which server.
        name: String,
        /// Its exit status.
        status: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// A server did not become ready in time.
    #[error("{name} is not ready after {waited:.1?}. The end of its log, {log}:\n{tail}")]
    NotReady {
        /// Which server.
        name: String,
        /// How long it was waited for.
        waited: Duration,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Another process runs a stack on the same files.
    #[error("another stack already runs on {dir}; stop it first, or choose another directory")]
    Busy {
        /// The state directory.
        dir: PathBuf,
    },
    /// The passwords kept on disk are not those of the data.
    #[error(
        "the passwords in {file} do not fit the data beside them; wipe both with `shopctl dev-reset`"
    )]
    SecretsMismatch {
        /// The file with the passwords.
        file: PathBuf,
    },
    /// The data was written by another major version of PostgreSQL.
    #[error(
        "{dir} was written by PostgreSQL {found}, this is {wanted}; wipe it with `shopctl dev-reset`"
    )]
    DataVersion {
        /// The data directory.
        dir: PathBuf,
        /// The major version that wrote it.
        found: String,
        /// The major version of the binaries.
        wanted: String,
    },
    /// A file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The database refused something.
    #[error("{doing}: {detail}")]
    Database {
        /// What was being done.
        doing: String,
        /// The server's message.
        detail: String,
    },
    /// The process asked for is not running.
    #[error("{name} is not running")]
    NotRunning {
        /// Which process.
        name: String,
    },
    /// Anything a caller's own step reported, such as a migration.
    #[error("{0}")]
    Step(String),
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn database(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let doing = doing.into();
        move |error| {
            // tokio_postgres prints only "db error"; the message is in the wrapped server error.
            let detail = match error.as_db_error() {
                Some(db) => format!("{} ({})", db.message(), db.code().code()),
                None => error.to_string(),
            };
            Self::Database { doing, detail }
        }
    }
}

/// The last lines of a log file, for error messages.
pub(crate) fn tail(path: &std::path::Path) -> String {
    const LINES: usize = 15;
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("    (no log: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines[from..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
