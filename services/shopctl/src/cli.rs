//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::audit::{self, AuditArgs};
use crate::bench::{self, BenchArgs};
use crate::chaos::{self, ChaosArgs};
use crate::demo::{self, DemoArgs};
use crate::dev::{self, DevArgs, ResetArgs};
use crate::operate::{self, LetterArgs, OutboxArgs, RefundArgs, SagaArgs};
use crate::pki::{self, PkiArgs};
use crate::provision::{self, OfferArgs, ProvisionArgs};
use crate::smoke::{self, SmokeArgs};
use crate::sql::{self, SqlArgs};
use crate::telemetry::{self, TelemetryArgs};
use crate::ui::Ui;

/// Runs, shows, measures and checks shopapi
#[derive(Debug, Parser)]
#[command(name = "shopctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// The command line as a list of words, without the program's name.
    ///
    /// # Errors
    /// What clap says about them.
    pub fn of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        Ok(Self::try_parse_from(["shopctl"].into_iter().chain(words))?)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run PostgreSQL, NATS and the four services until Ctrl-C
    Dev(DevArgs),
    /// Remove the databases and streams of `dev`
    DevReset(ResetArgs),
    /// Place four orders on a stack of their own and show what becomes of them
    Demo(DemoArgs),
    /// Check the books over all databases
    Audit(AuditArgs),
    /// Measure orders per second, latency and CPU on a stack of its own
    Bench(BenchArgs),
    /// Break a stack of its own under load, let it heal, and check the books
    Chaos(ChaosArgs),
    /// List, show and move sagas by hand
    Saga(SagaArgs),
    /// Refunds that the provider refused: show, insist
    Refund(RefundArgs),
    /// Events that were given up: list, show, replay, discard
    DeadLetter(LetterArgs),
    /// Events on their way to the bus: status, replay
    Outbox(OutboxArgs),
    /// Check that a running system does what it should
    Smoke(SmokeArgs),
    /// Create databases and roles on database servers of your own
    Provision(ProvisionArgs),
    /// Put the small catalogue of the demo on offer
    Offer(OfferArgs),
    /// Collect and show traces, metrics and logs: a stand-in for Collector and Jaeger
    Telemetry(TelemetryArgs),
    /// Keys, certificates and passwords for a cluster
    Pki(PkiArgs),
    /// Generate or check the typed SQL of the services
    Sql(SqlArgs),
}

/// Runs a command; the exit code is what it found.
///
/// # Errors
/// What kept the command from doing its work.
pub async fn run(cli: Cli, ui: &Ui) -> Result<ExitCode> {
    match cli.command {
        Command::Dev(args) => dev::run(&args, ui).await,
        Command::DevReset(args) => dev::reset(&args, ui),
        Command::Demo(args) => demo::run(&args, ui).await,
        Command::Audit(args) => audit::run(&args, ui).await,
        Command::Bench(args) => bench::run(&args, ui).await,
        Command::Chaos(args) => chaos::run(&args, ui).await,
        Command::Saga(args) => Ok(operate::saga(&args, ui).await),
        Command::Refund(args) => Ok(operate::refund(&args, ui).await),
        Command::DeadLetter(args) => Ok(operate::letters(&args, ui).await),
        Command::Outbox(args) => Ok(operate::outbox(&args, ui).await),
        Command::Smoke(args) => smoke::run(&args, ui).await,
        Command::Provision(args) => provision::run(&args, ui).await,
        Command::Offer(args) => provision::offer(&args, ui).await,
        Command::Telemetry(args) => telemetry::run(&args, ui).await,
        Command::Pki(args) => pki::run(&args, ui).await,
        Command::Sql(args) => sql::run(&args, ui).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
