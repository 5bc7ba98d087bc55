//! The stand-in for Collector and Jaeger with real exporters before it and plain HTTP behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::net::SocketAddr;

use opentelemetry::KeyValue;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value, json};
use shopctl::console::Console;
use shopctl::telemetry::{Addresses, Telemetry};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn start() -> Telemetry {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let addresses = Addresses {
        otlp_grpc: any,
        otlp_http: any,
        prometheus: any,
        page: any,
    };
    Telemetry::start(addresses, Console::default(), "")
        .await
        .unwrap()
}

/// Status line with headers, and body.
async fn http(at: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn get(at: SocketAddr, path: &str) -> (String, String) {
    http(at, &format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n")).await
}

async fn post(at: SocketAddr, path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.0\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    http(at, &request).await.0
}

async fn json_of(at: SocketAddr, path: &str) -> Value {
    serde_json::from_str(&get(at, path).await.1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_exporter_sends_is_found_by_its_order() {
    let telemetry = start().await;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{}", telemetry.addresses().otlp_grpc))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name("orders").build())
        .build();
    let tracer = provider.tracer("test");
    tracer.in_span("saga reserving", |context| {
        context.span().set_attribute(KeyValue::new("order.id", 7));
        tracer.in_span("commit", |_| {});
    });
    tokio::task::block_in_place(|| provider.force_flush()).unwrap();

    let page = telemetry.addresses().page;
    let services = json_of(page, "/api/services").await;
    assert_eq!(services["data"], json!(["orders"]));
    let operations = json_of(page, "/api/services/orders/operations").await;
    assert_eq!(operations["data"], json!(["commit", "saga reserving"]));
    let found = json_of(page, "/api/traces?tags=%7B%22order.id%22:%227%22%7D").await;
    let spans = found["data"][0]["spans"].as_array().unwrap();
    let (saga, commit) = match spans[0]["operationName"].as_str().unwrap() {
        "commit" => (&spans[1], &spans[0]),
        _ => (&spans[0], &spans[1]),
    };
    assert_eq!(commit["references"][0]["spanID"], saga["spanID"]);
    let id = saga["traceID"].as_str().unwrap();
    assert_eq!(
        json_of(page, &format!("/api/traces/{id}")).await["data"],
        found["data"]
    );
    let other = json_of(page, "/api/traces?tags=%7B%22order.id%22:%228%22%7D").await;
    assert_eq!(other["data"], json!([]));
    let (missing, _) = get(page, "/api/traces/00000000000000000000000000000001").await;
    assert!(missing.contains(" 404 "), "{missing}");
}

#[tokio::test]
async fn json_over_http_is_taken_and_what_does_not_parse_is_refused() {
    let telemetry = start().await;
    let at = telemetry.addresses();
    let resource =
        json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "gateway" } }] });
    let point =
        json!({ "attributes": [], "asInt": "3", "timeUnixNano": "1", "startTimeUnixNano": "1" });
    let sum = json!({ "dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": true });
    let metric = json!({ "name": "http_requests", "description": "Requests", "sum": sum });
    let sent = json!({ "resourceMetrics": [{ "resource": resource, "scopeMetrics": [{ "metrics": [metric] }] }] });
    let head = post(
        at.otlp_http,
        "/v1/metrics",
        "application/json",
        &sent.to_string(),
    )
    .await;
    assert!(head.contains(" 200 "), "{head}");

    let (_, text) = get(at.prometheus, "/metrics").await;
    let line = text
        .lines()
        .find(|line| line.starts_with("shopapi_http_requests_total{"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.contains("service_name=\"gateway\"") && line.ends_with(" 3"),
        "{line}"
    );

    let bad = post(at.otlp_http, "/v1/traces", "application/json", "{").await;
    assert!(bad.contains(" 400 "), "{bad}");
    let unknown = post(at.otlp_http, "/v1/traces", "text/plain", "x").await;
    assert!(unknown.contains(" 415 "), "{unknown}");
}

#[tokio::test]
async fn the_page_brings_everything_and_allows_nothing_from_elsewhere() {
    let telemetry = start().await;
    let page = telemetry.addresses().page;
    for path in ["/", "/trace/1", "/orders/7", "/actors"] {
        let (head, body) = get(page, path).await;
        assert!(head.contains("default-src 'none'"), "{head}");
        assert!(body.contains("development stand-in"), "{body}");
    }
    let sources = [
        "style.css",
        "icon.svg",
        "main.js",
        "dom.js",
        "traces.js",
        "waterfall.js",
        "model.js",
        "scale.js",
        "side.js",
        "actors.js",
    ];
    for file in sources {
        let (head, body) = get(page, &format!("/page/{file}")).await;
        assert!(head.contains(" 200 ") && !body.is_empty(), "{file}: {head}");
        assert!(!body.contains("innerHTML"), "{file}");
    }
    assert!(get(page, "/page/other").await.0.contains(" 404 "));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let first = start().await;
    let error = Telemetry::start(first.addresses(), Console::default(), "stop what holds it")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("OTLP over gRPC") && error.contains("stop what holds it"),
        "{error}"
    );
}
