//! `shopctl pki`: keys, certificates and passwords for a cluster.
//!
//! ```text
//! plan.json (which Secret holds what) ─┐
//! Secrets as they are ─────────────────┼─► fill ─► what is missing or near its end ─► the same Secrets
//! devstack::Pki in a directory ────────┘
//! ```
//!
//! **Invariants.** What is there and good is never changed, so that it can run at any time and as often as one likes. Secrets are filled,
//! never created or removed: the role that it runs under needs `get` and `patch` on the named ones, and nothing else. No value is printed.
//!
//! **After a crash** half-way the next run makes what is missing. Two at once do no harm: whoever writes second is refused by the version of
//! the Secret that it read, and begins again.

mod cluster;
mod fill;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::ui::Ui;
use cluster::Cluster;
use plan::Plan;

/// Arguments of `shopctl pki`.
#[derive(Debug, Args)]
pub struct PkiArgs {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Debug, Subcommand)]
enum PkiCommand {
    /// Put what is missing into the Secrets of a release; runs as a Job in its namespace
    FillSecrets {
        /// What belongs into which Secret
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// What kept it from doing its work.
pub async fn run(args: &PkiArgs, ui: &Ui) -> Result<ExitCode> {
    let PkiCommand::FillSecrets { plan } = &args.command;
    let text =
        std::fs::read_to_string(plan).with_context(|| format!("cannot read {}", plan.display()))?;
    let plan: Plan =
        serde_json::from_str(&text).with_context(|| format!("{} is not a plan", plan.display()))?;
    let mut cluster = Cluster::of_this_pod().await?;
    let mut secrets = fill::Secrets::new();
    for name in plan.secrets() {
        secrets.insert(name.to_owned(), cluster.read_secret(name).await?);
    }
    let changes = fill::changes(&plan, &secrets)?;
    for (name, texts) in &changes {
        let version = secrets
            .get(name)
            .map_or("", |secret| secret.version.as_str());
        cluster.write_secret(name, version, texts).await?;
        let keys: Vec<&str> = texts.keys().map(String::as_str).collect();
        ui.line(format!("{name}: {}", keys.join(", ")));
    }
    if changes.is_empty() {
        ui.line("every Secret is complete");
    }
    Ok(ExitCode::SUCCESS)
}
