//! Traces, metrics and logs of one process: set up once at its start, flushed at its end.
//!
//! ```text
//!   tracing ──┬── fmt layer            text on stderr, or JSON lines on stdout, chosen by RUST_LOG
//!             ├── OpenTelemetry layer  spans of our own targets ─► sampler ─► queue ─► OTLP
//!             └── log appender         lines of our own targets, with trace and span ids ─► queue ─► OTLP
//!   meters ─────────────────────────── every few seconds ─► OTLP
//! ```
//!
//! Trace context travels as W3C `traceparent` strings: `actor_kit::TraceContext` reads and writes them, in HTTP headers, gRPC metadata,
//! message headers and rows alike. Baggage carries an order to the log lines of work that has no span and never leaves the process: no
//! propagator is installed.
//!
//! **Invariants**
//! - Spans of h2, hyper, tonic, tower and ractor never reach the exporter: they are a hundred per request, and the exporter, which uses
//!   the same libraries, would feed itself.
//! - A collector that is slow or gone costs telemetry, which is counted, never requests, and delays the end of the process by at most
//!   [`FLUSH_TIMEOUT`].
//! - Below INFO only our own crates are logged, whatever RUST_LOG asks for: libraries write whole statements and headers there.
//! - Without a collector spans still have identities, so that log lines and orders carry trace ids; nothing is recorded.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

mod dropped;
mod export;
mod logs;
pub mod otel;
mod pump;
#[cfg(feature = "testing")]
pub mod testing;

use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use dropped::Dropped;
pub use otel::Otel;
use pump::Pump;

/// How long the end of the process waits for the last telemetry to leave, all signals together.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(4);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people, on stderr.
    #[default]
    Text,
    /// One JSON object a line, for machines, on stdout.
    Json,
}

/// What a process says about itself, and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// `service.name`: gateway, orders, inventory, payments.
    pub service_name: &'static str,
    /// `service.version`.
    pub service_version: &'static str,
    /// The look of the log.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`. Crates that are not ours are silent below INFO all the same.
    pub log_filter: String,
    /// The standard variables.
    pub otel: Otel,
}

/// Why telemetry could not be set up. The text names what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter does not parse.
    #[error("RUST_LOG is not a filter ({0}): use for example `info,shopapi_orders=debug`")]
    Filter(String),
    /// The exporter cannot be built.
    #[error("the OTEL_EXPORTER_OTLP_ variables are not usable: {0}")]
    Exporter(String),
    /// Somebody installed a subscriber before.
    #[error("logging is set up already")]
    Repeated,
}

/// The running telemetry of a process.
#[must_use = "without shutdown the last spans are lost"]
#[derive(Debug)]
pub struct Telemetry {
    /// Kept: a provider that is dropped shuts down.
    _traces: Option<SdkTracerProvider>,
    _logs: Option<SdkLoggerProvider>,
    meters: Option<SdkMeterProvider>,
    pumps: Vec<Pump>,
    dropped: Vec<Dropped>,
}

/// Sets logs, traces and metrics up for the whole process. Call it inside the runtime: the exporters' channels live there.
///
/// # Errors
/// [`Error`].
pub fn init(config: &Config) -> Result<Telemetry, Error> {
    let filter =
        EnvFilter::try_new(&config.log_filter).map_err(|error| Error::Filter(error.to_string()))?;
    let mut telemetry = Telemetry {
        _traces: None,
        _logs: None,
        meters: None,
        pumps: Vec::new(),
        dropped: Vec::new(),
    };
    if !config.otel.disabled {
        telemetry.set_up(config)?;
    }
    let traces = telemetry._traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("shopapi"))
            // Code positions, threads and targets are noise in a trace of messages, and each costs an attribute per span.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(logs::ours())
    });
    let exported = telemetry
        ._logs
        .as_ref()
        .map(|provider| OpenTelemetryTracingBridge::new(provider).with_filter(logs::ours()));
    tracing_subscriber::registry()
        .with(logs::layer(config.log_format, filter))
        .with(traces)
        .with(exported)
        .try_init()
        .map_err(|_| Error::Repeated)?;
    log_panics();
    if let Some(other) = &config.otel.other_service_name {
        let own = config.service_name;
        warn!(
            other,
            own, "OTEL_SERVICE_NAME is ignored: the services' names are fixed"
        );
    }
    Ok(telemetry)
}

impl Telemetry {
    fn set_up(&mut self, config: &Config) -> Result<(), Error> {
        let otel = &config.otel;
        let resource =
            export::resource(config.service_name, config.service_version, &otel.resource);
        // First: what the others drop is a metric.
        if let Some(endpoint) = &otel.metrics {
            let meters = export::meters(endpoint, otel.metric_interval, &resource)?;
            global::set_meter_provider(meters.clone());
            self.meters = Some(meters);
        }
        if let Some(endpoint) = &otel.logs {
            let dropped = self.dropped("logs");
            let (logs, pump) = export::logs(endpoint, otel.log_batches, &resource, dropped)?;
            self.pumps.push(pump);
            self._logs = Some(
                SdkLoggerProvider::builder()
                    .with_log_processor(logs)
                    .with_resource(resource.clone())
                    .build(),
            );
        }
        let mut builder = SdkTracerProvider::builder().with_resource(resource.clone());
        builder = match &otel.traces {
            Some(endpoint) => {
                let dropped = self.dropped("traces");
                let (spans, pump) = export::spans(endpoint, otel.span_batches, &resource, dropped)?;
                self.pumps.push(pump);
                builder
                    .with_span_processor(spans)
                    .with_sampler(sampler(otel.sampler))
            }
            None => builder.with_sampler(Sampler::AlwaysOff),
        };
        self._traces = Some(builder.build());
        Ok(())
    }

    fn dropped(&mut self, signal: &'static str) -> Dropped {
        let dropped = Dropped::new(signal);
        self.dropped.push(dropped.clone());
        dropped
    }

    /// Spans and log records that did not reach the collector so far.
    #[must_use]
    pub fn dropped_so_far(&self) -> u64 {
        self.dropped.iter().map(Dropped::count).sum()
    }

    /// Sends what is left and stops. Returns after [`FLUSH_TIMEOUT`] at the latest.
    pub async fn shutdown(self) {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let metrics = flush_metrics(self.meters, deadline);
        let pumps = self.pumps.into_iter().map(|pump| pump.stop(deadline));
        let (metrics, pumps) = tokio::join!(metrics, futures::future::join_all(pumps));
        if !metrics || pumps.contains(&false) {
            warn!("the last telemetry was not delivered in time");
        }
    }
}

/// Exports a last time; false when that takes too long.
async fn flush_metrics(meters: Option<SdkMeterProvider>, deadline: Instant) -> bool {
    let Some(meters) = meters else {
        return true;
    };
    let (told, ended) = tokio::sync::oneshot::channel();
    // It blocks. Neither a runtime thread nor one that the runtime would wait for at its end: the collector may hang.
    let flush = std::thread::Builder::new().spawn(move || {
        // Its own failures are counted and logged where they happen.
        drop(meters.shutdown());
        told.send(()).ok();
    });
    flush.is_ok() && timeout_at(deadline, ended).await.is_ok()
}

fn sampler(sampling: otel::Sampling) -> Sampler {
    let ratio = Sampler::TraceIdRatioBased(sampling.ratio);
    if sampling.parent_based {
        Sampler::ParentBased(Box::new(ratio))
    } else {
        ratio
    }
}

/// A panic becomes one log line in the chosen format, with its place and without its text: the text may quote data.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, thread = std::thread::current().name(), "panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::filter::filter_fn;

    use super::*;

    fn seen_of(emit: impl FnOnce()) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Seen(Arc<Mutex<Vec<String>>>);
        impl<S: tracing::Subscriber> Layer<S> for Seen {
            fn on_new_span(
                &self,
                attributes: &tracing::span::Attributes<'_>,
                _: &tracing::span::Id,
                _: tracing_subscriber::layer::Context<'_, S>,
            ) {
                let target = attributes.metadata().target().to_owned();
                self.0.lock().unwrap().push(target);
            }
        }
        let seen = Seen::default();
        let subscriber =
            tracing_subscriber::registry().with(seen.clone().with_filter(filter_fn(logs::is_ours)));
        tracing::subscriber::with_default(subscriber, emit);
        seen.0.lock().unwrap().clone()
    }

    #[test]
    fn transport_spans_stay_out_of_traces() {
        let seen = seen_of(|| {
            let _ = tracing::info_span!(target: "h2::proto", "x").entered();
            let _ = tracing::info_span!(target: "hyper_util::client", "x").entered();
            let _ = tracing::info_span!(target: "tonic::transport", "x").entered();
            let _ = tracing::info_span!(target: "tower::buffer", "x").entered();
            let _ = tracing::info_span!(target: "ractor::actor", "x").entered();
            let _ = tracing::info_span!(target: "opentelemetry_sdk", "x").entered();
            let _ = tracing::info_span!(target: "shopapi_orders::grpc", "x").entered();
            let _ = tracing::info_span!(target: "tower_http::trace", "x").entered();
        });
        assert_eq!(seen, ["shopapi_orders::grpc", "tower_http::trace"]);
    }

    #[test]
    fn a_bad_filter_names_the_variable() {
        let config = Config {
            service_name: "test",
            service_version: "0",
            log_format: LogFormat::Text,
            log_filter: "shopapi=loud".to_owned(),
            otel: Otel::default(),
        };
        let text = init(&config).unwrap_err().to_string();
        assert!(text.contains("RUST_LOG"), "{text}");
    }
}
