//! Logs and traces of one process: set up once at its start, flushed at its end.
//!
//! ```text
//!   tracing ──┬── fmt layer            text or JSON on stderr, chosen by RUST_LOG
//!             └── OpenTelemetry layer  only with a collector: spans of our own targets ─► OTLP
//! ```
//!
//! Trace context travels as W3C `traceparent` strings: `actor_kit::TraceContext` reads and writes them, in HTTP headers, gRPC metadata,
//! message headers and rows alike.
//!
//! **Invariants**
//! - Spans of h2, hyper, tonic, tower and ractor never reach the exporter: they are a hundred per request, and the exporter, which uses
//!   the same libraries, would feed itself.
//! - A collector that is slow or gone costs spans, never requests, and delays the end of the process by at most [`FLUSH_TIMEOUT`].
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "tests fail by panicking"
    )
)]

use std::io::IsTerminal as _;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Metadata, warn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// How long the end of the process waits for the last spans to leave.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one export may take before its spans are given up.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Crates whose spans are transport, not our work.
const TRANSPORT: [&str; 7] = [
    "h2",
    "hyper",
    "hyper_util",
    "tonic",
    "tower",
    "ractor",
    "opentelemetry",
];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What a process says about itself, and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// `service.name`: gateway, orders, inventory, payments.
    pub service_name: &'static str,
    /// The look of the log.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub log_filter: String,
    /// The collector's OTLP/gRPC endpoint; without one nothing is traced.
    pub otlp_endpoint: Option<String>,
    /// Share of the traces that start here and are kept, 0.0 to 1.0. Traces that come in with a decision keep theirs.
    pub sample_ratio: f64,
}

/// Why telemetry could not be set up. The text names what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter does not parse.
    #[error("RUST_LOG is not a filter ({0}): use for example `info,shopapi_orders=debug`")]
    Filter(String),
    /// The endpoint is not usable.
    #[error(
        "OTEL_EXPORTER_OTLP_ENDPOINT is not usable ({0}): use for example http://127.0.0.1:4317"
    )]
    Exporter(String),
    /// Somebody installed a subscriber before.
    #[error("logging is set up already")]
    Repeated,
}

/// The running telemetry of a process.
#[must_use = "without shutdown the last spans are lost"]
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Sets logs and traces up for the whole process. Call it inside the runtime: the exporter's channel lives there.
///
/// # Errors
/// [`Error`].
pub fn init(config: &Config) -> Result<Telemetry, Error> {
    let filter =
        EnvFilter::try_new(&config.log_filter).map_err(|error| Error::Filter(error.to_string()))?;
    let provider = match &config.otlp_endpoint {
        Some(endpoint) => Some(provider(config, endpoint)?),
        None => None,
    };
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("shopapi"))
            // Code positions and threads are noise in a trace of messages, and each costs an attribute per span.
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_ours))
    });
    tracing_subscriber::registry()
        .with(log_layer(config.log_format).with_filter(filter))
        .with(traces)
        .try_init()
        .map_err(|_| Error::Repeated)?;
    log_panics();
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Sends what is left and stops. Returns after [`FLUSH_TIMEOUT`] at the latest.
    pub async fn shutdown(self) {
        let Some(provider) = self.provider else {
            return;
        };
        // The exporter blocks its thread until the runtime has driven its channel: never on a runtime thread.
        #[expect(clippy::disallowed_methods, reason = "once, at the end of the process")]
        let flush =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        match tokio::time::timeout(FLUSH_TIMEOUT, flush).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => warn!(%error, "the last spans were not delivered"),
            Ok(Err(error)) => warn!(%error, "flushing spans ended without a result"),
            Err(_elapsed) => warn!("the last spans were not delivered in time"),
        }
    }
}

fn provider(config: &Config, endpoint: &str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| Error::Exporter(error.to_string()))?;
    let ratio = Sampler::TraceIdRatioBased(config.sample_ratio.clamp(0.0, 1.0));
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_resource(
            Resource::builder()
                .with_service_name(config.service_name)
                .build(),
        )
        .build())
}

fn log_layer(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}

/// True for spans and events that describe our work.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    !TRANSPORT.contains(&root) && !root.starts_with("opentelemetry")
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
            tracing_subscriber::registry().with(seen.clone().with_filter(filter_fn(is_ours)));
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_collector_that_is_gone_does_not_hold_the_process() {
        let config = Config {
            service_name: "test",
            log_format: LogFormat::Json,
            log_filter: "off".to_owned(),
            // A port without a listener.
            otlp_endpoint: Some("http://127.0.0.1:1".to_owned()),
            sample_ratio: 1.0,
        };
        let telemetry = init(&config).unwrap();
        assert!(matches!(init(&config), Err(Error::Repeated)));
        tracing::info_span!("work").in_scope(|| {});

        let flushed = tokio::time::timeout(FLUSH_TIMEOUT * 2, telemetry.shutdown()).await;

        assert!(flushed.is_ok());
    }

    #[test]
    fn a_bad_filter_names_the_variable() {
        let config = Config {
            service_name: "test",
            log_format: LogFormat::Text,
            log_filter: "shopapi=loud".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 1.0,
        };
        let text = init(&config).unwrap_err().to_string();
        assert!(text.contains("RUST_LOG"), "{text}");
    }
}
