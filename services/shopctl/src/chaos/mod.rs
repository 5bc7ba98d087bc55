//! `shopctl chaos`: the system under load while its processes are killed and frozen and its servers lose what they had.
//!
//! ```text
//! seed → schedule.rs (pure) ── acts ──▶ an own stack with replicas ◀── orders ── load.rs
//!                                              │ healed, at rest
//!                                              ▼
//!                              audit, books.rs: lost orders, hand-over times → exit code
//! ```
//!
//! The schedule is printed and repeats with its seed; what the processes make of it does not. The run ends by itself, however it goes.

mod books;
mod load;
mod schedule;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use devstack::{AUDIT_ROLE, DEMO_USERS, PortMap, Progress, SERVICES, Signal, Silent, Stack};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::audit;
use crate::catalogue::{put_on_offer, wide};
use crate::checkout::StackArgs;
use crate::client::Api;
use crate::dev::{private_stack_on, stop_requested};
use crate::ui::{Style, Ui, human};

use load::Outcome;
use schedule::{Act, Planned, schedule};

/// Products on offer: some orders meet on a row, most do not.
const PRODUCTS: usize = 50;
/// How long everything may take to come to rest after the last fault: longer than payments' slowest look-up.
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);
/// Start, healing, settling and the audit together, on a slow machine. A run that is not over by then has failed.
const OVERHEAD_MAX: Duration = Duration::from_secs(420);

/// `shopctl chaos`
#[derive(Debug, Args)]
pub struct ChaosArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Repeat the schedule of this seed; without it a new one is made up and printed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How long faults happen
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(10..=600))]
    duration: u64,
    /// Replicas of orders, inventory and payments
    #[arg(long, value_name = "N", default_value_t = 3)]
    replicas: usize,
}

/// Runs it: exit code 0 when no accepted order was lost, every refusal was clean, everything came to rest and the books are right.
///
/// # Errors
/// What kept the stack from starting or from being broken.
pub async fn run(args: &ChaosArgs, ui: &Ui) -> Result<ExitCode> {
    ensure!(
        (2..=devstack::REPLICAS_MAX).contains(&args.replicas),
        "--replicas {}: from 2 to {}",
        args.replicas,
        devstack::REPLICAS_MAX
    );
    let seed = args
        .seed
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000);
    let lasting = Duration::from_secs(args.duration);
    let work = async {
        let (ports, _leases) = PortMap::leased_for(args.replicas)?;
        let env = vec![
            ("RUST_LOG".to_owned(), "warn".to_owned()),
            ("OTEL_SDK_DISABLED".to_owned(), "true".to_owned()),
        ];
        let mut stack = private_stack_on(ports, &args.stack, env, ui).await?;
        let good = play(&mut stack, seed, lasting, ui).await;
        stack.discard(&Silent).await;
        good
    };
    tokio::select! {
        good = tokio::time::timeout(lasting + OVERHEAD_MAX, Box::pin(work)) => {
            let good = good.context("the run did not end in time")??;
            Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        stopped = stop_requested() => {
            stopped?;
            ui.line("stopped");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn play(stack: &mut Stack, seed: u64, lasting: Duration, ui: &Ui) -> Result<bool> {
    let processes: Vec<String> = SERVICES
        .iter()
        .filter(|service| **service != "gateway")
        .flat_map(|service| stack.ports().processes_of(service))
        .collect();
    let planned = schedule(seed, lasting, &processes);
    ui.line(format!(
        "{} {} acts in {}; again with --seed {seed} --duration {} --replicas {}",
        ui.paint(Style::Cyan, format!("seed {seed}:")),
        planned.len(),
        human(lasting),
        lasting.as_secs(),
        stack.ports().replicas()
    ));
    for Planned { at, act } in &planned {
        ui.line(format!("  {:>6.1} s  {act}", at.as_secs_f64()));
    }
    let products = wide(PRODUCTS);
    put_on_offer(&stack.cluster, &products).await?;
    let mut user = DEMO_USERS.split([',', ':']);
    let (email, password) = user.next().zip(user.next()).context("no demo user")?;
    let api = Api::new(stack.gateway_addr())
        .login(email, password)
        .await?;

    let enough = CancellationToken::new();
    let load = tokio::spawn(load::run(api, products, seed, enough.clone()));
    ui.line("");
    let kills = break_things(stack, &planned, lasting, ui).await?;
    enough.cancel();
    let outcome = load.await.context("the load ended")??;
    ui.step("healing");
    stack.heal().await?;
    stack.all_ready().await?;
    report(stack, &outcome, &kills, ui).await
}

/// A process that was killed, and when.
type Kill = (String, OffsetDateTime);

/// Does what is planned, each act not before its time.
async fn break_things(
    stack: &mut Stack,
    planned: &[Planned],
    lasting: Duration,
    ui: &Ui,
) -> Result<Vec<Kill>> {
    let began = Instant::now();
    let mut kills = Vec::new();
    for Planned { at, act } in planned {
        tokio::time::sleep_until((began + *at).into()).await;
        let now = OffsetDateTime::now_utc();
        let done = match act {
            Act::Kill(process) => signal(stack, process, Signal::Kill).await?,
            Act::Freeze(process) => signal(stack, process, Signal::Stop).await?,
            Act::Thaw(process) => signal(stack, process, Signal::Cont).await?,
            Act::WipeNats => {
                stack.nats.wipe().await?;
                true
            }
            Act::RestartPostgres => {
                stack.cluster.restart().await?;
                true
            }
        };
        let note = if done { "" } else { " (it is just starting)" };
        ui.line(format!(
            "  {:>6.1} s  {act}{note}",
            began.elapsed().as_secs_f64()
        ));
        if let (Act::Kill(process), true) = (act, done) {
            kills.push((process.clone(), now));
        }
    }
    tokio::time::sleep_until((began + lasting).into()).await;
    Ok(kills)
}

/// `false` when the process does not run at the moment: it was killed a moment ago.
async fn signal(stack: &Stack, process: &str, signal: Signal) -> Result<bool> {
    match stack.service(process)?.signal(signal).await {
        Ok(()) => Ok(true),
        Err(devstack::Error::NotRunning { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn report(stack: &Stack, outcome: &Outcome, kills: &[Kill], ui: &Ui) -> Result<bool> {
    ui.busy("waiting for the last orders, auditing the books of all databases");
    let settling = Instant::now();
    let target = audit::Target::of_cluster(&stack.cluster)?;
    let verdict = audit::settled_within(&target, SETTLE_DEADLINE).await?;
    let settled_in = settling.elapsed();
    let books = stack.cluster.connect(AUDIT_ROLE, "ordersdb").await?;

    ui.line("");
    for (process, at) in kills {
        if !process.starts_with("orders") {
            continue;
        }
        let told = books::hand_over(&books, *at).await?;
        ui.line(format!(
            "  {process} killed: {} orders were open; their next step came after {} (half), {} (all)",
            told.open,
            human(told.median),
            human(told.slowest)
        ));
    }
    ui.line("");
    let lost = books::lost(&books, &outcome.accepted).await?;
    ui.line(format!(
        "  {} orders accepted, {lost} of them lost; {} refused with 503 and Retry-After; at rest {} after the last fault",
        outcome.accepted.len(),
        outcome.refused,
        human(settled_in)
    ));
    for (what, times) in &outcome.unclean {
        ui.line(format!(
            "  {} {times} times {what}",
            ui.paint(Style::Red, "✗")
        ));
    }
    ui.line("");
    audit::show(ui, &verdict);
    Ok(lost == 0
        && !outcome.accepted.is_empty()
        && outcome.unclean.is_empty()
        && verdict.is_clean()
        && verdict.is_settled())
}
