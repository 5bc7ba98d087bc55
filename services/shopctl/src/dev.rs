//! `shopctl dev`: the stack on its standard ports, until somebody says stop.
//!
//! State stays in `.dev/stack`; the next start goes on with it, also after a power cut. `shopctl dev-reset` wipes it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use devstack::{
    DEMO_USERS, Durability, PortMap, REPLICAS_MAX, Restart, SERVICES, Stack, StackOptions, StateDir,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::catalogue::{put_on_offer, small};
use crate::checkout::StackArgs;
use crate::telemetry::Telemetry;
use crate::ui::{Style, Ui, human};

/// The stack's directory below the home.
pub const STATE: &str = "stack";
/// How often PostgreSQL and NATS are looked after; services look after themselves.
const HEAL_EVERY: Duration = Duration::from_millis(500);

/// `shopctl dev`
#[derive(Debug, Args)]
pub struct DevArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Listen on a block of ports from here on instead of the standard ones
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Replicas of orders, inventory and payments
    #[arg(long, value_name = "N", default_value_t = 1)]
    replicas: usize,
    /// Do not show the services' log lines; they are in the log files
    #[arg(long)]
    quiet: bool,
    /// Do not collect and show traces and metrics
    #[arg(long)]
    no_telemetry: bool,
}

/// `shopctl dev-reset`
#[derive(Debug, Args)]
pub struct ResetArgs {
    #[command(flatten)]
    stack: StackArgs,
}

/// The ports that were asked for.
///
/// # Errors
/// When the block does not fit below 65536, or there are too many replicas.
pub fn ports(base: Option<u16>, replicas: usize) -> Result<PortMap> {
    ensure!(
        (1..=REPLICAS_MAX).contains(&replicas),
        "--replicas {replicas}: from 1 to {REPLICAS_MAX}"
    );
    let first = match base {
        None => Some(PortMap::STANDARD),
        Some(base) => PortMap::from_base(base),
    };
    first
        .and_then(|ports| ports.with_replicas(replicas))
        .with_context(|| {
            let base = base.unwrap_or_default();
            format!("--port-base {base}: the block of ports from there does not end below 65536")
        })
}

/// Resolves when somebody asks this process to stop (Ctrl-C or SIGTERM).
///
/// # Errors
/// When signals cannot be listened to.
pub async fn stop_requested() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Runs the stack until Ctrl-C or SIGTERM.
///
/// # Errors
/// What kept it from starting.
pub async fn run(args: &DevArgs, ui: &Ui) -> Result<ExitCode> {
    let started = Instant::now();
    // One listener from beginning to end: a signal that comes while nobody listens is lost.
    let stop = stop_requested();
    tokio::pin!(stop);
    // Stopped while starting: dropping the start ends every child.
    let (mut stack, mut telemetry) = tokio::select! {
        started = start(args, ui) => started?,
        stopped = &mut stop => {
            stopped?;
            ui.line("stopped before it was up");
            return Ok(ExitCode::SUCCESS);
        }
    };
    ui.done();
    announce(&stack, telemetry.as_ref(), started.elapsed(), ui);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            () = tokio::time::sleep(HEAL_EVERY) => match stack.heal().await {
                Ok(healed) => healed.iter().for_each(|name| ui.line(format!("{name} had ended and runs again"))),
                Err(error) => ui.failure(&error.to_string()),
            },
            ended = ended(telemetry.as_mut()) => {
                if let Err(error) = ended {
                    ui.failure(&format!("{error:#}; traces and metrics are not collected any more"));
                }
                telemetry = None;
            }
        }
    }
    ui.line("");
    stack.stop(ui).await?;
    ui.line("everything is stopped; the data stays for the next start");
    Ok(ExitCode::SUCCESS)
}

async fn ended(telemetry: Option<&mut Telemetry>) -> Result<()> {
    match telemetry {
        Some(telemetry) => telemetry.ended().await,
        None => std::future::pending().await,
    }
}

async fn start(args: &DevArgs, ui: &Ui) -> Result<(Stack, Option<Telemetry>)> {
    let ports = ports(args.port_base, args.replicas)?;
    let state = StateDir::open(&args.stack.home()?, STATE)?;
    let telemetry = Telemetry::for_stack(&ports, !args.no_telemetry).await?;
    let prepared = args.stack.prepare(ui).await?;
    let console_ui = Ui::detect();
    let options = StackOptions {
        tools: prepared.tools,
        shopapi: prepared.shopapi,
        ports,
        durability: Durability::Full,
        restart: Restart::Always,
        console: (!args.quiet).then(|| {
            Arc::new(move |name: &str, line: &str| console_ui.log_line(name, line))
                as devstack::Console
        }),
        env: telemetry.as_ref().map(Telemetry::env).unwrap_or_default(),
    };
    let stack = Stack::start(state, options, ui).await?;
    if let Some(telemetry) = &telemetry {
        telemetry.watch(&stack)?;
    }
    put_on_offer(&stack.cluster, &small()).await?;
    Ok((stack, telemetry))
}

fn announce(stack: &Stack, telemetry: Option<&Telemetry>, took: Duration, ui: &Ui) {
    let ports = stack.ports();
    let name = |name: &str| ui.paint(Style::Cyan, format!("{name:<11}"));
    ui.line("");
    ui.line(format!(
        "{} in {}",
        ui.paint(Style::Green, "shopapi is up"),
        human(took)
    ));
    ui.line("");
    ui.line(format!(
        "  {} http://{}",
        name("gateway"),
        stack.gateway_addr()
    ));
    let processes = SERVICES
        .iter()
        .rev()
        .flat_map(|service| ports.processes_of(service));
    for process in processes {
        if let Some(grpc) = ports.grpc_of(&process) {
            ui.line(format!(
                "  {} gRPC {grpc}, health http://{}/readyz",
                name(&process),
                ports.health_of(&process)
            ));
        }
    }
    ui.line(format!(
        "  {} 127.0.0.1:{}",
        name("PostgreSQL"),
        ports.postgres
    ));
    ui.line(format!(
        "  {} nats://127.0.0.1:{}, status http://127.0.0.1:{}",
        name("NATS"),
        ports.nats,
        ports.nats_monitor
    ));
    if let Some(telemetry) = telemetry {
        let at = telemetry.addresses();
        ui.line(format!(
            "  {} http://{} (stand-in for Collector and Jaeger), metrics http://{}/metrics",
            name("telemetry"),
            at.page,
            at.prometheus
        ));
    }
    ui.line(format!(
        "  {} {}",
        name("logs"),
        stack.dir().join("log").display()
    ));
    ui.line(format!(
        "  {} {}",
        name("passwords"),
        stack.dir().join("secrets").display()
    ));
    let mut user = DEMO_USERS.split([',', ':']);
    if let (Some(email), Some(password)) = (user.next(), user.next()) {
        ui.line("");
        ui.line(format!("  Log in as {email} with the password {password}:"));
        ui.line(format!(
            "  curl -s http://{}/api/v1/auth/login -H 'content-type: application/json' \\\n       -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}'",
            stack.gateway_addr()
        ));
    }
    ui.line("");
    ui.line(ui.paint(Style::Dim, "  Ctrl-C stops everything."));
    ui.line("");
}

/// Wipes the data of `shopctl dev`.
///
/// # Errors
/// When a stack runs on it, or files cannot be removed.
pub fn reset(args: &ResetArgs, ui: &Ui) -> Result<ExitCode> {
    let state = match StateDir::open(&args.stack.home()?, STATE) {
        Ok(state) => state,
        Err(devstack::Error::Busy { .. }) => {
            bail!("`shopctl dev` is running; stop it first (Ctrl-C)")
        }
        Err(error) => return Err(error.into()),
    };
    state.wipe()?;
    ui.line(format!("wiped {}", state.path().display()));
    Ok(ExitCode::SUCCESS)
}

/// Starts a stack of its own on free ports or a block of them, in a directory that goes with it.
///
/// # Errors
/// What kept it from starting.
pub async fn private_stack(
    args: &StackArgs,
    port_base: Option<u16>,
    env: Vec<(String, String)>,
    ui: &Ui,
) -> Result<(Stack, Vec<devstack::PortLease>)> {
    let (map, leases) = private_ports(port_base)?;
    Ok((private_stack_on(map, args, env, ui).await?, leases))
}

/// Free ports, or a block of them.
///
/// # Errors
/// As [`ports`]; when none are free.
pub fn private_ports(port_base: Option<u16>) -> Result<(PortMap, Vec<devstack::PortLease>)> {
    match port_base {
        Some(_) => Ok((ports(port_base, 1)?, Vec::new())),
        None => Ok(PortMap::leased()?),
    }
}

/// Starts a stack of its own on the ports of a map.
///
/// # Errors
/// What kept it from starting.
pub async fn private_stack_on(
    ports: PortMap,
    args: &StackArgs,
    env: Vec<(String, String)>,
    ui: &Ui,
) -> Result<Stack> {
    let prepared = args.prepare(ui).await?;
    let state = StateDir::temporary(&prepared.home, "run-")?;
    let options = StackOptions {
        tools: prepared.tools,
        shopapi: prepared.shopapi,
        ports,
        durability: Durability::Full,
        restart: Restart::Always,
        console: None,
        env,
    };
    Ok(Stack::start(state, options, ui).await?)
}
