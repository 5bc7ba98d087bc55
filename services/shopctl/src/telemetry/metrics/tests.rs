use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Histogram, ScopeMetrics, Sum};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::super::prometheus::page;
use super::*;

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn sent(instance: &str, metrics: Vec<Metric>) -> ResourceMetrics {
    ResourceMetrics {
        resource: Some(Resource {
            attributes: vec![
                pair("service.name", "orders"),
                pair("service.instance.id", instance),
                // The Collector's configuration deletes these two.
                pair("telemetry.sdk.language", "rust"),
                pair("host.name", "shop"),
            ],
            ..Resource::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(InstrumentationScope {
                name: "shopapi".to_owned(),
                ..InstrumentationScope::default()
            }),
            metrics,
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    }
}

fn counter(name: &str, result: &str, value: i64, temporality: AggregationTemporality) -> Metric {
    Metric {
        name: name.to_owned(),
        description: "Orders that came in".to_owned(),
        data: Some(Data::Sum(Sum {
            data_points: vec![NumberDataPoint {
                attributes: vec![pair("result", result)],
                value: Some(Number::AsInt(value)),
                ..NumberDataPoint::default()
            }],
            aggregation_temporality: temporality as i32,
            is_monotonic: true,
        })),
        ..Metric::default()
    }
}

fn histogram(counts: [u64; 3], temporality: AggregationTemporality) -> Metric {
    Metric {
        name: "http.server.request.duration".to_owned(),
        description: "Time to answer".to_owned(),
        unit: "s".to_owned(),
        data: Some(Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                attributes: vec![pair("http.route", "/api/v1/orders")],
                count: counts.iter().sum(),
                sum: Some(0.75),
                explicit_bounds: vec![0.005, 1.0],
                bucket_counts: counts.to_vec(),
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: temporality as i32,
        })),
        ..Metric::default()
    }
}

fn gauge(value: f64) -> Metric {
    Metric {
        name: "bus_connected".to_owned(),
        description: "Whether the bus is there".to_owned(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                value: Some(Number::AsDouble(value)),
                ..NumberDataPoint::default()
            }],
        })),
        ..Metric::default()
    }
}

const CUMULATIVE: AggregationTemporality = AggregationTemporality::Cumulative;

#[test]
fn the_page_is_the_collectors() {
    let mut metrics = Metrics::default();
    let now = Instant::now();
    let all = vec![
        counter("orders_created_total", "accepted", 3, CUMULATIVE),
        histogram([1, 2, 0], CUMULATIVE),
        gauge(1.0),
    ];
    metrics.take(sent("a", all), now);
    metrics.take(
        sent(
            "b",
            vec![counter("orders_created_total", "accepted", 4, CUMULATIVE)],
        ),
        now,
    );

    let golden = include_str!("golden.txt");
    assert_eq!(page(metrics.current(now)), golden);
}

#[test]
fn a_running_total_replaces_and_an_increment_adds() {
    let mut metrics = Metrics::default();
    let now = Instant::now();
    for value in [3, 5] {
        let total = counter("orders_created_total", "accepted", value, CUMULATIVE);
        metrics.take(sent("a", vec![total]), now);
    }
    let increments = AggregationTemporality::Delta;
    for value in [3, 5] {
        let more = counter("orders_created_total", "rejected", value, increments);
        metrics.take(sent("a", vec![more, histogram([1, 0, 1], increments)]), now);
    }
    let text = page(metrics.current(now));
    let value = |labels: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name) && line.contains(labels));
        line.unwrap().rsplit_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(
        value("result=\"accepted\"", "shopapi_orders_created_total"),
        "5"
    );
    assert_eq!(
        value("result=\"rejected\"", "shopapi_orders_created_total"),
        "8"
    );
    let duration = "shopapi_http_server_request_duration_seconds";
    assert_eq!(value("le=\"0.005\"", duration), "2");
    assert_eq!(value("", &format!("{duration}_count")), "4");
    assert_eq!(value("", &format!("{duration}_sum")), "1.5");
}

#[test]
fn a_process_that_is_gone_leaves_the_page() {
    let mut metrics = Metrics::default();
    let began = Instant::now();
    metrics.take(sent("gone", vec![gauge(1.0)]), began);
    let later = began + EXPIRES_AFTER;
    metrics.take(sent("alive", vec![gauge(1.0)]), later);
    let text = page(metrics.current(later));
    assert!(text.contains("instance=\"alive\""), "{text}");
    assert!(!text.contains("instance=\"gone\""), "{text}");
}

#[test]
fn the_collectors_configuration_says_the_same() {
    let config = include_str!("../../../../../deploy/otel-collector-config.yaml");
    assert!(config.contains("metric_expiration: 2m"));
    assert_eq!(EXPIRES_AFTER, Duration::from_secs(2 * 60));
    assert!(config.contains("without_scope_info: true"));
    let deleted: Vec<String> = NO_LABELS
        .iter()
        .map(|prefix| prefix.trim_end_matches('.').replace('.', r"\."))
        .collect();
    let pattern = format!(r"pattern: ^({})\..+", deleted.join("|"));
    assert!(config.contains(&pattern), "{pattern}");
}
