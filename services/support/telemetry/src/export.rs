//! The three OTLP exporters, each behind something that cannot hold a request up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, LogProcessor, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream, Temporality,
};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig};

use crate::Error;
use crate::dropped::Dropped;
use crate::otel::{Batches, Endpoint};
use crate::pump::{self, Intake, Pump};

/// Upper bounds of the buckets of every duration, in seconds: a query takes a millisecond, a whole order a second, a stuck call ten.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Who a process is: in front of everything that it exports.
pub(crate) fn resource(
    service_name: &'static str,
    service_version: &'static str,
    more: &[(String, String)],
) -> Resource {
    let instance = uuid::Uuid::new_v4().to_string();
    let own = [
        KeyValue::new("service.name", service_name),
        KeyValue::new("service.version", service_version),
    ];
    let given = more
        .iter()
        .filter(|(key, _)| key != "service.name" && key != "service.version")
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(
            opentelemetry_sdk::resource::TelemetryResourceDetector,
        ))
        // A name given from outside, such as a pod's, replaces this one.
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attributes(given)
        .with_attributes(own)
        .build()
}

/// Applies what all three signals have in common.
fn over_grpc<B: WithTonicConfig + opentelemetry_otlp::WithExportConfig>(
    builder: B,
    endpoint: &Endpoint,
) -> Result<B, Error> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &endpoint.headers {
        let unusable = || Error::Exporter(format!("the header {name} is not usable"));
        let key: MetadataKey<_> = name.to_lowercase().parse().map_err(|_| unusable())?;
        let value: MetadataValue<_> = value.parse().map_err(|_| unusable())?;
        metadata.insert(key, value);
    }
    let builder = builder
        .with_endpoint(endpoint.url.clone())
        .with_timeout(endpoint.timeout)
        .with_metadata(metadata);
    let Some(ca) = &endpoint.ca else {
        return Ok(builder);
    };
    let pem = std::fs::read(ca)
        .map_err(|error| Error::Exporter(format!("{} cannot be read: {error}", ca.display())))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    Ok(builder.with_tls_config(tls))
}

fn unusable(error: &opentelemetry_otlp::ExporterBuildError) -> Error {
    Error::Exporter(error.to_string())
}

/// Finished spans on their way out.
#[derive(Debug)]
pub(crate) struct Spans(Intake<SpanData>);

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.put(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(crate) fn spans(
    endpoint: &Endpoint,
    batches: Batches,
    resource: &Resource,
    dropped: Dropped,
) -> Result<(Spans, Pump), Error> {
    let builder = over_grpc(SpanExporter::builder().with_tonic(), endpoint)?;
    let mut exporter = builder.build().map_err(|error| unusable(&error))?;
    exporter.set_resource(resource);
    let exporter = Arc::new(exporter);
    let (intake, pump) = pump::start(batches, dropped, move |batch| {
        let exporter = Arc::clone(&exporter);
        async move { exporter.export(batch).await }
    });
    Ok((Spans(intake), pump))
}

/// Log records on their way out.
#[derive(Debug)]
pub(crate) struct Logs(Intake<(SdkLogRecord, InstrumentationScope)>);

impl LogProcessor for Logs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.0.put((record.clone(), scope.clone()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(crate) fn logs(
    endpoint: &Endpoint,
    batches: Batches,
    resource: &Resource,
    dropped: Dropped,
) -> Result<(Logs, Pump), Error> {
    let builder = over_grpc(LogExporter::builder().with_tonic(), endpoint)?;
    let mut exporter = builder.build().map_err(|error| unusable(&error))?;
    exporter.set_resource(resource);
    let exporter = Arc::new(exporter);
    let export = move |batch: Vec<(SdkLogRecord, InstrumentationScope)>| {
        let exporter = Arc::clone(&exporter);
        async move {
            let borrowed: Vec<_> = batch
                .iter()
                .map(|(record, scope)| (record, scope))
                .collect();
            exporter.export(LogBatch::new(&borrowed)).await
        }
    };
    let (intake, pump) = pump::start(batches, dropped, export);
    Ok((Logs(intake), pump))
}

/// Counts the exports that failed. What a failed export held is in the next one: counters go on counting.
struct Counted {
    exporter: MetricExporter,
    dropped: Dropped,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

impl PushMetricExporter for Counted {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let exported = self.exporter.export(metrics).await;
        if let Err(error) = &exported {
            self.dropped.add_because(1, &error.to_string());
            self.dropped.tell();
        }
        exported
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

/// The meter provider. `dropped` is made when the provider is installed, of which it is itself a user.
pub(crate) fn meters(
    endpoint: &Endpoint,
    interval: Duration,
    resource: &Resource,
) -> Result<SdkMeterProvider, Error> {
    let builder = over_grpc(MetricExporter::builder().with_tonic(), endpoint)?;
    let exporter = builder.build().map_err(|error| unusable(&error))?;
    let counted = Counted {
        exporter,
        dropped: Dropped::new("metrics"),
    };
    let reader = PeriodicReader::builder(counted)
        .with_interval(interval)
        .build();
    Ok(SdkMeterProvider::builder()
        .with_reader(reader)
        .with_resource(resource.clone())
        .with_view(durations_in_seconds)
        .build())
}

/// The SDK's own buckets are made for milliseconds.
fn durations_in_seconds(instrument: &Instrument) -> Option<Stream> {
    (instrument.kind() == InstrumentKind::Histogram && instrument.unit() == "s").then(|| {
        Stream::builder()
            .with_aggregation(Aggregation::ExplicitBucketHistogram {
                boundaries: SECONDS.to_vec(),
                record_min_max: true,
            })
            .build()
            .ok()
    })?
}
