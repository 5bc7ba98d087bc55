//! Runs one service from its first log line to its last span.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::Failure;

/// Past this a service that was told to stop is left behind: above every service's own bound, below the grace of platforms that give
/// more than ten seconds.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Runs `start` until it ends by itself or after SIGTERM or SIGINT.
pub(crate) async fn run<Run, Ended, Error>(
    telemetry: &shopapi_telemetry::Config,
    start: Run,
) -> Result<(), Failure>
where
    Run: FnOnce(CancellationToken) -> Ended,
    Ended: Future<Output = Result<(), Error>>,
    Error: std::error::Error + Send + Sync + 'static,
{
    let running = shopapi_telemetry::init(telemetry)?;
    let outcome = until_told(start).await;
    if let Err(error) = &outcome {
        error!(error = format!("{error:#}"), "service ended");
    }
    running.shutdown().await;
    Ok(outcome?)
}

async fn until_told<Run, Ended, Error>(start: Run) -> anyhow::Result<()>
where
    Run: FnOnce(CancellationToken) -> Ended,
    Ended: Future<Output = Result<(), Error>>,
    Error: std::error::Error + Send + Sync + 'static,
{
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let shutdown = CancellationToken::new();
    let mut service = Box::pin(start(shutdown.clone()));
    let told = tokio::select! {
        ended = &mut service => return ended.map_err(Into::into),
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(signal = told, "stopping");
    shutdown.cancel();
    match tokio::time::timeout(STOP_MAX, service).await {
        Ok(ended) => ended.map_err(Into::into),
        Err(_elapsed) => Err(anyhow!("did not stop within {} s", STOP_MAX.as_secs())),
    }
}
