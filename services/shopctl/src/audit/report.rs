//! The verdict as a metric: `audit_violations{invariant}`, pushed once, when a collector is named.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tonic::transport::Endpoint;

use super::Verdict;
use super::show::invariants;

/// The standard variable for where the collector takes OTLP.
pub(super) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// A collector that is slower than this costs the metric, not the audit.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Pushes the verdict to the collector at `url`.
///
/// # Errors
/// When the collector cannot be reached or refuses.
pub(super) async fn push(url: &str, verdict: &Verdict) -> Result<()> {
    ensure!(
        url.starts_with("http://"),
        "{ENDPOINT} must be an http:// address with the port for gRPC, as http://127.0.0.1:4317"
    );
    let endpoint = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("{ENDPOINT} is not an address"))?
        .connect_timeout(PUSH_TIMEOUT)
        .timeout(PUSH_TIMEOUT);
    let channel = endpoint
        .connect()
        .await
        .context("the collector cannot be reached")?;
    let request = request(verdict, SystemTime::now());
    MetricsServiceClient::new(channel)
        .export(request)
        .await
        .map_err(|status| anyhow::anyhow!("the collector refuses: {}", status.message()))?;
    Ok(())
}

/// A point for every invariant, also for those that hold: a gauge that vanishes keeps an alert waiting.
fn request(verdict: &Verdict, at: SystemTime) -> ExportMetricsServiceRequest {
    let now = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let points = invariants().map(|(name, _)| {
        let found = verdict.violations.iter();
        let broken = found.filter(|violation| violation.invariant == name);
        NumberDataPoint {
            attributes: vec![text("invariant", name)],
            time_unix_nano: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            value: Some(number_data_point::Value::AsInt(
                i64::try_from(broken.count()).unwrap_or(i64::MAX),
            )),
            ..NumberDataPoint::default()
        }
    });
    let metric = Metric {
        name: "audit_violations".to_owned(),
        description: "Rows that break an invariant, as the last audit found them".to_owned(),
        data: Some(metric::Data::Gauge(Gauge {
            data_points: points.collect(),
        })),
        ..Metric::default()
    };
    let scope = InstrumentationScope {
        name: "shopctl".to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", "shopctl"),
                    // One series, whoever audits: the last verdict counts.
                    text("service.instance.id", "audit"),
                ],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics: vec![metric],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::Violation;
    use super::*;

    #[test]
    fn every_invariant_has_a_point_and_a_broken_one_its_count() {
        let violation = |invariant| Violation {
            invariant,
            subject: "order 1".to_owned(),
            detail: String::new(),
            order_id: Some(1),
            versions: String::new(),
        };
        let verdict = Verdict {
            violations: vec![violation("one-capture"), violation("one-capture")],
            ..Verdict::default()
        };
        let request = request(&verdict, SystemTime::now());
        let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(metric::Data::Gauge(gauge)) = &metric.data else {
            panic!("not a gauge: {metric:?}");
        };
        assert_eq!(gauge.data_points.len(), invariants().count());
        for point in &gauge.data_points {
            let name = point.attributes[0].value.clone().unwrap().value.unwrap();
            let broken = name == Value::StringValue("one-capture".to_owned());
            let count = number_data_point::Value::AsInt(if broken { 2 } else { 0 });
            assert_eq!(point.value, Some(count), "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_told_and_quickly() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", closed.local_addr().unwrap());
        drop(closed);
        let error = push(&url, &Verdict::default()).await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        let error = push("collector:4317", &Verdict::default()).await;
        assert!(error.unwrap_err().to_string().contains(ENDPOINT));
    }
}
