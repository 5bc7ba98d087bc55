//! The one binary that ships: it reads the configuration, runs one service or one chore, and turns the end into an exit code.
//!
//! ```text
//!   environment ─► config.rs ─► Config of one service ─► run(config, shutdown)
//!   SIGTERM, SIGINT ──────────────────────────────────────► shutdown
//! ```
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | stopped when asked to; the chore is done |
//! | 1 | gave up: the platform should start it again |
//! | 2 | the configuration or the command line has to be changed first |
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod config;
mod durability;
mod env;
mod healthcheck;
mod migrate;
mod service;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Fewest worker threads: with one, the end of telemetry can wait for itself.
const WORKERS_MIN: usize = 2;

/// An order backend: takes orders, holds stock, charges, confirms, and gives everything back when anything fails.
#[derive(Debug, Parser)]
#[command(name = "shopapi", version, after_help = config::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// Serve the public HTTP API.
    Gateway,
    /// Run the orders service.
    Orders,
    /// Run the inventory service.
    Inventory,
    /// Run the payments service.
    Payments,
    /// Bring the databases that are configured to the newest schema, then exit.
    Migrate {
        /// A schema newer than this program is left as it is and counts as done: what a rollback of the program wants.
        #[arg(long)]
        allow_newer: bool,
    },
    /// Ask the service on this machine whether it is ready, then exit with 0 or 1.
    Healthcheck,
    /// Do nothing for a while: for platforms that run a command before they stop a service.
    Pause {
        /// How long.
        #[arg(value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(..=600))]
        seconds: u16,
    },
}

/// The whole program: reads the command line and the environment, does what they say, and tells how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let workers = std::thread::available_parallelism().map_or(WORKERS_MIN, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers.max(WORKERS_MIN))
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format_args!("shopapi: cannot start: {error}"));
            return ExitCode::from(1);
        }
    };
    let environment = std::env::vars_os();
    match runtime.block_on(Box::pin(run(command, environment))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Configuration(problems)) => {
            complain(problems);
            ExitCode::from(2)
        }
        Err(Failure::GaveUp(error)) => {
            complain(format_args!("shopapi: {error:#}"));
            ExitCode::from(1)
        }
    }
}

/// Reads `KEY=VALUE` lines as the configuration of every command; whether each would start. For whoever tests that nothing written there
/// brings a process down.
#[doc(hidden)]
#[must_use]
pub fn starts_with(lines: &str) -> [bool; 6] {
    let env = || {
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        env::Env::new(pairs.map(|(key, value)| (key.into(), value.into())))
    };
    [
        config::gateway(env()).is_ok(),
        config::orders(env()).is_ok(),
        config::inventory(env()).is_ok(),
        config::payments(env()).is_ok(),
        config::migrate(env()).is_ok(),
        config::healthcheck(env()).is_ok(),
    ]
}

/// Words for the person who typed the command, on stderr.
#[expect(
    clippy::disallowed_macros,
    reason = "before logging is set up and after its end"
)]
fn complain(words: impl std::fmt::Display) {
    eprintln!("{words}");
}

/// A chore's result, on stdout.
#[expect(clippy::disallowed_macros, reason = "what a chore was typed for")]
fn report(words: impl std::fmt::Display) {
    println!("{words}");
}

/// How a command fails.
#[derive(Debug)]
enum Failure {
    /// Nothing was started.
    Configuration(env::Problems),
    /// It was started and ended.
    GaveUp(anyhow::Error),
}

impl From<env::Problems> for Failure {
    fn from(problems: env::Problems) -> Self {
        Self::Configuration(problems)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::GaveUp(error)
    }
}

impl From<shopapi_telemetry::Error> for Failure {
    fn from(error: shopapi_telemetry::Error) -> Self {
        // Each of them names its variable.
        Self::Configuration(env::Problems(vec![error.to_string()]))
    }
}

async fn run(command: Command, environment: std::env::VarsOs) -> Result<(), Failure> {
    if let Command::Pause { seconds } = command {
        // The images have no shell and no `sleep`.
        tokio::time::sleep(std::time::Duration::from_secs(seconds.into())).await;
        return Ok(());
    }
    let env = env::Env::new(environment);
    match command {
        Command::Gateway => {
            let (telemetry, config) = config::gateway(env)?;
            durability::demand(&[&config.database]).await?;
            service::run(&telemetry, |stop| shopapi_gateway::run(config, stop)).await
        }
        Command::Orders => {
            let (telemetry, config) = config::orders(env)?;
            durability::demand(&[&config.database]).await?;
            service::run(&telemetry, |stop| shopapi_orders::run(config, stop)).await
        }
        Command::Inventory => {
            let (telemetry, config) = config::inventory(env)?;
            durability::demand(&[&config.database]).await?;
            service::run(&telemetry, |stop| shopapi_inventory::run(config, stop)).await
        }
        Command::Payments => {
            let (telemetry, config) = config::payments(env)?;
            durability::demand(&[&config.database, &config.provider_database]).await?;
            service::run(&telemetry, |stop| shopapi_payments::run(config, stop)).await
        }
        Command::Migrate { allow_newer } => {
            let (telemetry, config) = config::migrate(env)?;
            migrate::run(&telemetry, config, allow_newer).await
        }
        Command::Healthcheck => Ok(healthcheck::run(&config::healthcheck(env)?).await?),
        Command::Pause { .. } => Ok(()),
    }
}
