//! One process with all three signals against a receiver that answers, hangs, and answers again.
//!
//! A single test: telemetry is set up once for a whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::time::{Duration, Instant};

use opentelemetry::{KeyValue, global};
use shopapi_telemetry::testing::{Manner, Receiver};
use shopapi_telemetry::{Config, FLUSH_TIMEOUT, LogFormat, Otel};
use tracing::{info, info_span};

/// Waits for a condition of the receiver.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let met = tokio::time::timeout(Duration::from_secs(20), met).await;
    assert!(met.is_ok(), "not within 20 s: {what}");
}

fn work(order_id: i64) {
    let _order = info_span!("work", order.id = order_id).entered();
    info!("done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_signals_leave_and_a_hanging_collector_costs_telemetry_only() {
    let receiver = Receiver::start(Manner::Prompt).await.unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,k8s.pod.name=p".to_owned(),
        ),
        ("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64".to_owned()),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "100".to_owned()),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000".to_owned()),
    ];
    let otel = Otel::read("sample", |key| {
        let found = variables.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.clone())
    })
    .unwrap();
    let config = Config {
        service_name: "sample",
        service_version: "1.2.3",
        log_format: LogFormat::Json,
        log_filter: "off".to_owned(),
        otel,
    };
    let telemetry = shopapi_telemetry::init(&config).unwrap();
    assert!(matches!(
        shopapi_telemetry::init(&config),
        Err(shopapi_telemetry::Error::Repeated)
    ));

    work(17);
    let counted = global::meter("sample").u64_counter("works").build();
    counted.add(2, &[KeyValue::new("result", "done")]);
    until("a span, its log line and a metric arrive", || {
        !receiver.spans().is_empty()
            && !receiver.logs().is_empty()
            && receiver.sum("works", &[("result", "done")]) > 1.0
    })
    .await;
    let span = receiver.spans().remove(0);
    assert_eq!(
        (span.service.as_str(), span.name.as_str()),
        ("sample", "work")
    );
    assert_eq!(span.attribute("order.id"), Some("17"));
    assert_eq!(span.events, ["done"]);
    let line = receiver.logs().remove(0);
    assert_eq!(line.body, "done");
    assert_eq!((line.trace_id, line.span_id), (span.trace_id, span.span_id));
    let resource = receiver.resources().remove(0);
    let resource_has =
        |key: &str, value: &str| resource.contains(&(key.to_owned(), value.to_owned()));
    assert!(resource_has("service.name", "sample"), "{resource:?}");
    assert!(resource_has("service.version", "1.2.3"), "{resource:?}");
    assert!(resource_has("k8s.pod.name", "p"), "{resource:?}");
    assert!(resource.iter().any(|(key, _)| key == "service.instance.id"));
    assert_eq!(telemetry.dropped_so_far(), 0);

    receiver.behave(Manner::Hanging);
    let began = Instant::now();
    for order_id in 0..5_000 {
        work(order_id);
    }
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(2),
        "spans waited for the collector: {took:?}"
    );
    assert!(
        telemetry.dropped_so_far() > 4_000,
        "{}",
        telemetry.dropped_so_far()
    );

    let began = Instant::now();
    telemetry.shutdown().await;
    let took = began.elapsed();
    assert!(
        took < FLUSH_TIMEOUT + Duration::from_millis(500),
        "{took:?}"
    );
}
