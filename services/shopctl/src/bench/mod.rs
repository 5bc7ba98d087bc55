//! `shopctl bench`: what the system does under load, with durability on, measured from outside.
//!
//! Closed loop: N customers, each places an order, waits for its end (`Prefer: wait`) and places the next. Per level
//! of concurrency: orders per second to the final state, latency to the final state, CPU time per order of every
//! process, and the mean batch of the orders journal. The audit has the last word.

mod cpu;
mod load;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use devstack::{AUDIT_ROLE, DEMO_USERS, Progress, SERVICES, Silent, Stack};
use tokio_postgres::Client;

use crate::audit;
use crate::catalogue::{put_on_offer, wide};
use crate::checkout::StackArgs;
use crate::client::Api;
use crate::dev::{private_ports, private_stack_on, stop_requested};
use crate::telemetry::{SPAN_BATCH_DELAY, Telemetry};
use crate::ui::Ui;

use cpu::CpuTimes;
use report::{Level, Report};

/// Products on offer: enough that most orders share no stock row.
const PRODUCTS: usize = 1_000;
/// Before the first level: connections are opened, statements prepared, caches warm.
const WARM_UP: Duration = Duration::from_secs(2);
/// Concurrency of the warm-up.
const WARM_UP_IN_FLIGHT: usize = 32;
/// How long sagas may take to come to rest after the last answer.
const REST_DEADLINE: Duration = Duration::from_secs(20);
const REST_POLL: Duration = Duration::from_millis(100);

/// `shopctl bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Build without optimisations: faster to build, useless figures
    #[arg(long, conflicts_with = "release")]
    debug: bool,
    /// Orders under way at once, one level each
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_values_t = [1, 64, 256])]
    in_flight: Vec<usize>,
    /// Seconds per level
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,
    /// Shares of the traces to keep, from 0 to 1: every level is run once per share, with all telemetry on its way to a receiver in this
    /// process. Without it no telemetry leaves the services
    #[arg(long, value_name = "R,R,…", value_delimiter = ',')]
    tracing: Vec<f64>,
    /// Where the figures go as JSON
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    out: PathBuf,
}

/// Runs the bench: exit code 0 when every order ended and the books are right.
///
/// # Errors
/// What kept the stack from starting or the load from being made.
pub async fn run(args: &BenchArgs, ui: &Ui) -> Result<ExitCode> {
    let stack_args = StackArgs {
        release: !args.debug,
        ..args.stack.clone()
    };
    let work = async {
        let shares: Vec<Option<f64>> = match args.tracing.as_slice() {
            [] => vec![None],
            shares => shares.iter().copied().map(Some).collect(),
        };
        let mut levels = Vec::new();
        let mut good = true;
        for share in shares {
            good &= with_a_stack(&stack_args, share, &mut levels, args, ui).await?;
        }
        let report = Report {
            products: PRODUCTS,
            seconds_per_level: args.seconds,
            debug_build: args.debug,
            levels,
        };
        report.show(ui);
        report.write(&args.out)?;
        ui.line(format!("figures: {}", args.out.display()));
        Ok::<_, anyhow::Error>(good)
    };
    tokio::select! {
        good = work => Ok(if good? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        stopped = stop_requested() => {
            stopped?;
            ui.line("stopped");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// All levels on a stack of their own, then its audit.
async fn with_a_stack(
    stack_args: &StackArgs,
    traces_kept: Option<f64>,
    levels: &mut Vec<Level>,
    args: &BenchArgs,
    ui: &Ui,
) -> Result<bool> {
    let (map, _ports) = private_ports(None)?;
    let receiver = Telemetry::for_stack(&map, traces_kept.is_some()).await?;
    let mut env = vec![("RUST_LOG".to_owned(), "warn".to_owned())];
    match (&receiver, traces_kept) {
        (Some(receiver), Some(share)) => {
            env.extend(receiver.env());
            // The cost is that of a deployment, which sends as seldom as the standard says.
            env.push((SPAN_BATCH_DELAY.to_owned(), "5000".to_owned()));
            env.push((
                "OTEL_TRACES_SAMPLER".to_owned(),
                "parentbased_traceidratio".to_owned(),
            ));
            env.push(("OTEL_TRACES_SAMPLER_ARG".to_owned(), share.to_string()));
        }
        _ => env.push(("OTEL_SDK_DISABLED".to_owned(), "true".to_owned())),
    }
    let stack = private_stack_on(map, stack_args, env, ui).await?;
    let good = measure(&stack, traces_kept, levels, args, ui).await;
    stack.discard(&Silent).await;
    good
}

async fn measure(
    stack: &Stack,
    traces_kept: Option<f64>,
    levels: &mut Vec<Level>,
    args: &BenchArgs,
    ui: &Ui,
) -> Result<bool> {
    let products = wide(PRODUCTS);
    put_on_offer(&stack.cluster, &products).await?;
    let customers = log_in(stack).await?;
    let books = stack.cluster.connect(AUDIT_ROLE, "ordersdb").await?;

    ui.step("warming up");
    load::run(&customers, &products, WARM_UP_IN_FLIGHT, WARM_UP).await?;
    at_rest(&books).await?;

    for in_flight in &args.in_flight {
        ui.step(&format!("{in_flight} in flight for {} s", args.seconds));
        let cpu_before = cpu_times(stack);
        let since = now(&books).await?;
        let started = Instant::now();
        let outcome = load::run(
            &customers,
            &products,
            *in_flight,
            Duration::from_secs(args.seconds),
        )
        .await?;
        let elapsed = started.elapsed();
        at_rest(&books).await?;
        let cpu = cpu_times(stack).since(&cpu_before);
        let journal_batch_mean = journal_batch(&books, since).await?;
        levels.push(Level::new(
            traces_kept,
            *in_flight,
            elapsed,
            &outcome,
            &cpu,
            journal_batch_mean,
        ));
    }

    ui.busy("auditing the books of all databases");
    let verdict = audit::settled_verdict(&audit::Target::of_cluster(&stack.cluster)?).await?;
    audit::show(ui, &verdict);
    Ok(verdict.is_clean() && verdict.is_settled())
}

async fn log_in(stack: &Stack) -> Result<Vec<Api>> {
    let api = Api::new(stack.gateway_addr());
    let mut customers = Vec::new();
    for user in DEMO_USERS.split(',') {
        let mut fields = user.split(':');
        let (email, password) = fields
            .next()
            .zip(fields.next())
            .context("a demo user is email:password:id")?;
        customers.push(api.login(email, password).await?);
    }
    Ok(customers)
}

fn cpu_times(stack: &Stack) -> CpuTimes {
    let mut times = CpuTimes::default();
    for name in SERVICES.iter().rev() {
        let pid = stack.service(name).ok().and_then(devstack::Service::pid);
        times.add(name, pid.map(cpu::of_process).unwrap_or_default());
    }
    times.add(
        "postgres",
        stack.cluster.pid().map(cpu::of_family).unwrap_or_default(),
    );
    times.add(
        "nats",
        stack.nats.pid().map(cpu::of_process).unwrap_or_default(),
    );
    times.add("client", cpu::of_process(std::process::id()));
    times
}

async fn now(books: &Client) -> Result<time::OffsetDateTime> {
    Ok(books.query_one("SELECT now()", &[]).await?.get(0))
}

/// Waits until no saga is under way.
async fn at_rest(books: &Client) -> Result<()> {
    let deadline = Instant::now() + REST_DEADLINE;
    loop {
        let open: i64 = books
            .query_one("SELECT count(*) FROM orders WHERE wake_at IS NOT NULL", &[])
            .await?
            .get(0);
        if open == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{open} orders have not ended {REST_DEADLINE:?} after the last answer");
        }
        tokio::time::sleep(REST_POLL).await;
    }
}

/// Timeline rows per writing transaction: how many transitions share a commit.
async fn journal_batch(books: &Client, since: time::OffsetDateTime) -> Result<f64> {
    let row = books
        .query_one(
            "SELECT count(*)::float8 / greatest(count(DISTINCT xmin::text), 1) FROM order_timeline WHERE at >= $1",
            &[&since],
        )
        .await?;
    Ok(row.get(0))
}
