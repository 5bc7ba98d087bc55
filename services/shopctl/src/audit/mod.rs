//! `shopctl audit`: do the books of all databases agree?
//!
//! ```text
//! read.rs (one snapshot per database) → books.rs (rows joined per order) → invariants.rs (pure) → judge.rs → show.rs, report.rs (a metric)
//!    ▲                                                                                               │
//!    └────────────────── again, only what was found, until it is confirmed or gone ──────────────────┘
//! ```
//!
//! Reads as `shopapi_audit`, writes nothing, and may run beside a system under load.

pub mod books;
mod checks;
pub mod invariants;
pub mod judge;
mod read;
mod report;
mod show;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use devstack::{PortMap, Progress};
use shopapi_proto::admin::v1::Act;

use crate::checkout::StackArgs;
use crate::dev::STATE;
use crate::operate::{Services, settle_open_attempts};
use crate::ui::Ui;

use judge::{Kind, Listed, Violation, confirm};
use read::Reader;

pub use show::show;
pub use target::Target;

/// Between two reads: longer than a hand-over between services takes under load.
const BETWEEN_READS: Duration = Duration::from_secs(1);
/// A subject that is different at each read is busy, and busy is no violation.
const READS_MAX: usize = 6;
/// How long `settled_verdict` waits for the last orders to come to rest.
const SETTLE_DEADLINE: Duration = Duration::from_secs(20);
/// How long `--final` waits: longer than payments' slowest look-up.
const FINAL_DEADLINE: Duration = Duration::from_secs(120);
const SETTLE_POLL: Duration = Duration::from_millis(250);

/// `shopctl audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Wait until nothing is under way, and fail when something stays open
    #[arg(long = "final")]
    last: bool,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
    /// The server, as postgres://shopapi_audit:password@host:port; without it the stack of `shopctl dev`
    #[arg(
        long,
        value_name = "URL",
        env = "SHOPCTL_AUDIT_URL",
        hide_env_values = true
    )]
    url: Option<String>,
    /// A server for each database: a folder with their URLs in orders-url, inventory-url, payments-url, provider-url
    #[arg(long, value_name = "DIR", env = "SHOPCTL_AUDIT_URLS")]
    urls: Option<PathBuf>,
    /// The identity of shopctl; with --urls its ca.crt vouches for the servers
    #[arg(long, value_name = "DIR", env = "SHOPCTL_TLS_DIR")]
    tls_dir: Option<PathBuf>,
    /// With --final: where payments serves gRPC, to look up open attempts first; without it the stack of `shopctl dev`
    #[arg(long, value_name = "URL", env = "SHOPCTL_PAYMENTS_URL")]
    payments: Option<String>,
    /// With --final: who asks for it
    #[arg(
        long,
        value_name = "NAME",
        env = "USER",
        default_value = "audit",
        hide_env_values = true
    )]
    who: String,
    /// Where the collector takes OTLP over gRPC; the verdict goes there as the metric audit_violations
    #[arg(long, value_name = "URL", env = report::ENDPOINT)]
    otlp: Option<String>,
    /// Where the files of stacks are kept
    #[arg(long, value_name = "DIR", env = "SHOPCTL_HOME")]
    home: Option<PathBuf>,
}

/// What the audit found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Rows held against each invariant.
    pub looked_at: BTreeMap<&'static str, u64>,
    /// Confirmed violations.
    pub violations: Vec<Violation>,
    /// Findings whose subject changed at every read.
    pub undecided: Vec<Violation>,
    /// What is listed without being a violation.
    pub listed: Vec<Listed>,
    /// Orders seen.
    pub orders: u64,
    /// Stock rows seen.
    pub stock_rows: u64,
}

impl Verdict {
    /// Every invariant holds.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// Nothing is under way and nothing is undecided.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let under_way = self
            .listed
            .iter()
            .any(|listed| matches!(listed.kind, Kind::Unsettled | Kind::NotLookedUp));
        !under_way && self.undecided.is_empty()
    }
}

/// Audits: exit code 1 on a violation, or with `--final` when something is unsettled.
///
/// # Errors
/// When the books cannot be read.
pub async fn run(args: &AuditArgs, ui: &Ui) -> Result<ExitCode> {
    let target = target(args)?;
    if !args.json {
        ui.step("reading the books of all databases");
    }
    if args.last {
        look_up_open_attempts(args, ui).await;
    }
    let verdict = if args.last {
        settled_within(&target, FINAL_DEADLINE).await?
    } else {
        verdict(&target).await?
    };
    if args.json {
        ui.line(show::json(&verdict));
    } else {
        show(ui, &verdict);
    }
    let collector = args.otlp.as_deref().filter(|url| !url.is_empty());
    if let Some(url) = collector
        && let Err(error) = report::push(url, &verdict).await
    {
        ui.failure(&format!("the verdict is not pushed as a metric: {error:#}"));
    }
    let good = verdict.is_clean() && (!args.last || verdict.is_settled());
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What payments would look up later it looks up now, where it can be asked. Without that the verdict is as right and comes later.
async fn look_up_open_attempts(args: &AuditArgs, ui: &Ui) {
    if (args.url.is_some() || args.urls.is_some()) && args.payments.is_none() {
        return;
    }
    let services = Services {
        payments: args.payments.clone(),
        tls_dir: args.tls_dir.clone(),
        home: args.home.clone(),
        ..Services::default()
    };
    let act = Act {
        who: args.who.clone(),
        why: "audit --final".to_owned(),
    };
    if let Err(error) = settle_open_attempts(&services, act).await {
        ui.failure(&format!(
            "open attempts are not looked up ahead of time: {error:#}"
        ));
    }
}

fn target(args: &AuditArgs) -> Result<Target> {
    if let Some(url) = &args.url {
        return Target::parse(url);
    }
    if let Some(urls) = &args.urls {
        let ca = args
            .tls_dir
            .as_deref()
            .context("--urls needs --tls-dir: its ca.crt vouches for the database servers")?;
        return Target::of_files(urls, &ca.join("ca.crt"));
    }
    let home = StackArgs {
        home: args.home.clone(),
        ..StackArgs::default()
    }
    .home()?;
    let state = home.join(STATE);
    let ports = PortMap::of_stack(&state)
        .context("`shopctl dev` has never run here; start it, or name a server with --url")?;
    Target::of_state(&state, &ports)
}

/// Reads the books until every finding is confirmed or gone.
///
/// # Errors
/// When the books cannot be read.
pub async fn verdict(target: &Target) -> Result<Verdict> {
    let mut reader = Reader::connect(target).await?;
    let first = reader.read(None).await?;
    let mut verdict = Verdict {
        looked_at: first.looked_at,
        listed: first.listed,
        orders: first.orders,
        stock_rows: first.stock_rows,
        ..Verdict::default()
    };
    verdict.listed.sort_by_key(|listed| listed.kind);
    let mut open = first.violations;
    for _ in 1..READS_MAX {
        if open.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN_READS).await;
        let ids: Vec<i64> = open
            .iter()
            .filter_map(|violation| violation.order_id)
            .collect();
        let again = reader.read(Some(&ids)).await?;
        let confirmed = confirm(&open, again.violations);
        verdict.violations.extend(confirmed.violations);
        open = confirmed.moving;
    }
    verdict.undecided = open;
    Ok(verdict)
}

/// The verdict once everything has come to rest, or the last one when it does not within a while.
///
/// # Errors
/// When the books cannot be read.
pub async fn settled_verdict(target: &Target) -> Result<Verdict> {
    settled_within(target, SETTLE_DEADLINE).await
}

/// The verdict once everything has come to rest, or the last one after `deadline`.
pub(crate) async fn settled_within(target: &Target, deadline: Duration) -> Result<Verdict> {
    let until = Instant::now() + deadline;
    loop {
        let verdict = verdict(target).await?;
        if !verdict.is_clean() || verdict.is_settled() || Instant::now() > until {
            return Ok(verdict);
        }
        tokio::time::sleep(SETTLE_POLL).await;
    }
}
