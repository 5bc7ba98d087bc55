//! The development stand-in for the OpenTelemetry Collector and Jaeger: what the services send is kept in memory and shown. Nothing is stored on
//! disk, nothing is authenticated, nothing is forwarded; production runs the real ones (`deploy/otel-collector-config.yaml`).
//!
//! ```text
//!   OTLP ── :4317 gRPC, :4318 HTTP ──▶ otlp.rs ──┬─▶ store.rs    the newest traces and their log lines ──▶ jaeger.rs ─┐
//!                                   (model.rs)   └─▶ metrics.rs  the latest values ──▶ prometheus.rs ──▶ :8889        ├─▶ web.rs
//!                                                                              the page and the console ──────────────┴─▶ :16686
//! ```
//!
//! **Invariants.** Memory is bounded, whatever comes in. A locked store is never held across an await. What does not parse is refused with its reason and
//! costs only its sender.

pub mod jaeger;
pub mod metrics;
pub mod model;
pub mod otlp;
pub mod prometheus;
pub mod store;
#[cfg(test)]
mod testing;
pub mod web;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use devstack::{PortMap, Stack, TelemetryPorts};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::console::{self, Console, Watched};
use crate::dev::stop_requested;
use crate::ui::{Style, Ui};

use otlp::Kept;
use store::Limits;

/// The standard variable for how long, in milliseconds, a service collects spans before it sends them.
pub const SPAN_BATCH_DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
/// A killed service takes with it what it has not sent, and who kills one wants to see what it did last. The standard's five seconds would lose that.
const SPANS_SENT_AFTER_MS: &str = "200";

/// `shopctl telemetry`
#[derive(Debug, Clone, Args)]
pub struct TelemetryArgs {
    /// Where OTLP comes in over gRPC
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    otlp_grpc: SocketAddr,
    /// Where OTLP comes in over HTTP
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    otlp_http: SocketAddr,
    /// Where Prometheus reads the metrics: /metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8889")]
    prometheus: SocketAddr,
    /// Where the page and Jaeger's query API are
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:16686")]
    page: SocketAddr,
    #[command(flatten)]
    watched: console::WatchedArgs,
}

/// Where the stand-in listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// The metrics.
    pub prometheus: SocketAddr,
    /// The page and Jaeger's query API.
    pub page: SocketAddr,
}

impl Addresses {
    /// The loopback addresses of a stack.
    #[must_use]
    pub fn of_ports(ports: &TelemetryPorts) -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            otlp_grpc: loopback(ports.otlp_grpc),
            otlp_http: loopback(ports.otlp_http),
            prometheus: loopback(ports.prometheus),
            page: loopback(ports.page),
        }
    }
}

/// The stand-in while it runs. Dropping it ends it.
#[derive(Debug)]
pub struct Telemetry {
    addresses: Addresses,
    kept: Kept,
    console: Console,
    tasks: JoinSet<Result<()>>,
}

impl Telemetry {
    /// The stand-in for a stack that is about to start there, unless it is not wanted.
    ///
    /// # Errors
    /// A port that is in use, with what to do.
    pub async fn for_stack(ports: &PortMap, wanted: bool) -> Result<Option<Self>> {
        if !wanted {
            return Ok(None);
        }
        let addresses = Addresses::of_ports(&ports.telemetry);
        let hint = "stop what holds it, choose other ports with --port-base, or go without: --no-telemetry";
        Self::start(addresses, Console::default(), hint)
            .await
            .map(Some)
    }

    /// Shows the processes of a stack on the console.
    ///
    /// # Errors
    /// When the stack's identities cannot be read.
    pub fn watch(&self, stack: &Stack) -> Result<()> {
        self.console.watch(Watched::of_stack(stack)?);
        Ok(())
    }

    /// Listens and serves.
    ///
    /// # Errors
    /// A port that is in use, with what to do; `hint` is about who asked for the ports.
    pub async fn start(addresses: Addresses, console: Console, hint: &str) -> Result<Self> {
        let listen = async |addr: SocketAddr, purpose: &str| {
            TcpListener::bind(addr)
                .await
                .with_context(|| format!("{addr} ({purpose}) cannot be listened on: {hint}"))
        };
        let otlp_grpc = listen(addresses.otlp_grpc, "OTLP over gRPC").await?;
        let otlp_http = listen(addresses.otlp_http, "OTLP over HTTP").await?;
        let prometheus = listen(addresses.prometheus, "metrics for Prometheus").await?;
        let page = listen(addresses.page, "telemetry page").await?;
        // Port 0 has become a real one.
        let addresses = Addresses {
            otlp_grpc: otlp_grpc.local_addr()?,
            otlp_http: otlp_http.local_addr()?,
            prometheus: prometheus.local_addr()?,
            page: page.local_addr()?,
        };
        let kept = Kept::new(Limits::default());
        let mut tasks = JoinSet::new();
        let grpc = otlp::serve_grpc(otlp_grpc, kept.clone());
        tasks.spawn(async { grpc.await.context("serving OTLP over gRPC") });
        let (pages, looking) = console::parts(console.clone());
        tasks.spawn(async {
            looking.await;
            Ok(())
        });
        let pages = web::api(kept.clone()).merge(pages);
        for (listener, router, purpose) in [
            (
                otlp_http,
                otlp::http(kept.clone()),
                "serving OTLP over HTTP",
            ),
            (
                prometheus,
                web::metrics(kept.clone()),
                "serving the metrics",
            ),
            (page, pages, "serving the page"),
        ] {
            tasks.spawn(async move { axum::serve(listener, router).await.context(purpose) });
        }
        Ok(Self {
            addresses,
            kept,
            console,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What it keeps.
    #[must_use]
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What every service of a stack is told, so that it sends here.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.addresses.otlp_grpc);
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            (SPAN_BATCH_DELAY, SPANS_SENT_AFTER_MS),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Resolves when one of its ports cannot be served any more.
    ///
    /// # Errors
    /// Always: which, and why.
    pub async fn ended(&mut self) -> Result<()> {
        match self.tasks.join_next().await {
            Some(ended) => ended.context("a task of the telemetry stand-in crashed")?,
            None => Ok(()),
        }
    }
}

/// Runs the stand-in alone until Ctrl-C or SIGTERM.
///
/// # Errors
/// A port that is in use.
pub async fn run(args: &TelemetryArgs, ui: &Ui) -> Result<ExitCode> {
    let addresses = Addresses {
        otlp_grpc: args.otlp_grpc,
        otlp_http: args.otlp_http,
        prometheus: args.prometheus,
        page: args.page,
    };
    let console = args.watched.console()?;
    let hint = "stop what holds it, or choose another address (shopctl telemetry --help)";
    let mut telemetry = Telemetry::start(addresses, console, hint).await?;
    let at = telemetry.addresses();
    let name = |name: &str| ui.paint(Style::Cyan, format!("{name:<11}"));
    ui.line("the development stand-in for the OpenTelemetry Collector and Jaeger: everything stays in memory");
    ui.line(format!("  {} http://{}", name("page"), at.page));
    ui.line(format!(
        "  {} http://{}/metrics",
        name("metrics"),
        at.prometheus
    ));
    ui.line(format!(
        "  {} gRPC {}, HTTP {}",
        name("OTLP"),
        at.otlp_grpc,
        at.otlp_http
    ));
    tokio::select! {
        stopped = stop_requested() => stopped?,
        ended = telemetry.ended() => ended?,
    }
    Ok(ExitCode::SUCCESS)
}
