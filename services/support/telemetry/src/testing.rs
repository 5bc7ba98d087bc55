//! A receiver of OTLP/gRPC for tests: it keeps what it gets, or hangs, or is slow.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How the receiver treats an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It answers at once.
    Prompt,
    /// It answers after a while.
    Slow(Duration),
    /// It never answers.
    Hanging,
}

/// A span as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedSpan {
    /// `service.name` of its process.
    pub service: String,
    /// Its name.
    pub name: String,
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// 16 hex digits; empty for a root.
    pub parent_id: String,
    /// OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Attributes as text.
    pub attributes: Vec<(String, String)>,
    /// Names of its events.
    pub events: Vec<String>,
    /// (trace id, span id) of its links.
    pub links: Vec<(String, String)>,
    /// Whether its status is an error.
    pub failed: bool,
    /// Nanoseconds since 1970.
    pub started: u64,
}

impl ReceivedSpan {
    /// Every value that an attribute has: more than one is a mistake of whoever made the span.
    #[must_use]
    pub fn attributes_of(&self, key: &str) -> Vec<&str> {
        let all = self.attributes.iter().filter(|(name, _)| name == key);
        all.map(|(_, value)| value.as_str()).collect()
    }

    /// An attribute as text.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// The last state of one series of a metric.
#[derive(Debug, Clone)]
pub struct ReceivedPoint {
    /// `service.name` of its process.
    pub service: String,
    /// `service.instance.id` of its process.
    pub instance: String,
    /// The instrument's name.
    pub name: String,
    /// Attributes as text, sorted.
    pub attributes: Vec<(String, String)>,
    /// The number; for a histogram the count.
    pub value: f64,
}

/// A log record as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedLog {
    /// `service.name` of its process.
    pub service: String,
    /// The line.
    pub body: String,
    /// 32 hex digits, or empty.
    pub trace_id: String,
    /// 16 hex digits, or empty.
    pub span_id: String,
}

#[derive(Default)]
struct Kept {
    spans: Vec<ReceivedSpan>,
    points: Vec<ReceivedPoint>,
    logs: Vec<ReceivedLog>,
    resources: Vec<Vec<(String, String)>>,
    exports: usize,
}

/// The receiver. It stops when dropped.
pub struct Receiver {
    addr: SocketAddr,
    keeper: Keeper,
    _stop: DropGuard,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(manner: Manner) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let keeper = Keeper {
            manner: Arc::new(Mutex::new(manner)),
            kept: Arc::default(),
        };
        let stop = CancellationToken::new();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(keeper.clone()))
            .add_service(MetricsServiceServer::new(keeper.clone()))
            .add_service(LogsServiceServer::new(keeper.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        let running = stop.clone().run_until_cancelled_owned(server);
        tokio::spawn(async move {
            running.await;
        });
        Ok(Self {
            addr,
            keeper,
            _stop: stop.drop_guard(),
        })
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Treats further exports differently.
    pub fn behave(&self, manner: Manner) {
        *lock(&self.keeper.manner) = manner;
    }

    /// Every span so far.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        lock(&self.keeper.kept).spans.clone()
    }

    /// Every series as it was last heard of.
    #[must_use]
    pub fn points(&self) -> Vec<ReceivedPoint> {
        lock(&self.keeper.kept).points.clone()
    }

    /// Every log record so far.
    #[must_use]
    pub fn logs(&self) -> Vec<ReceivedLog> {
        lock(&self.keeper.kept).logs.clone()
    }

    /// The resource of each export.
    #[must_use]
    pub fn resources(&self) -> Vec<Vec<(String, String)>> {
        lock(&self.keeper.kept).resources.clone()
    }

    /// How many exports came, answered or not.
    #[must_use]
    pub fn exports(&self) -> usize {
        lock(&self.keeper.kept).exports
    }

    /// The sum of a metric's last values over all series that have these attributes.
    #[must_use]
    pub fn sum(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        let has = |point: &ReceivedPoint, (key, value): (&str, &str)| {
            point.attributes.iter().any(|(k, v)| k == key && v == value)
        };
        lock(&self.keeper.kept)
            .points
            .iter()
            .filter(|point| point.name == name)
            .filter(|point| attributes.iter().all(|wanted| has(point, *wanted)))
            .map(|point| point.value)
            .sum()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Keeper {
    manner: Arc<Mutex<Manner>>,
    kept: Arc<Mutex<Kept>>,
}

impl Keeper {
    async fn behave(&self) {
        lock(&self.kept).exports += 1;
        let manner = *lock(&self.manner);
        match manner {
            Manner::Prompt => {}
            Manner::Slow(delay) => tokio::time::sleep(delay).await,
            Manner::Hanging => std::future::pending().await,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn text_of(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(truth)) => truth.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        other => other.map(|other| format!("{other:?}")).unwrap_or_default(),
    }
}

fn texts(attributes: Vec<KeyValue>) -> Vec<(String, String)> {
    let mut texts: Vec<_> = attributes
        .into_iter()
        .map(|pair| (pair.key, text_of(pair.value)))
        .collect();
    texts.sort();
    texts
}

fn attribute(attributes: &[(String, String)], key: &str) -> String {
    let found = attributes.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

#[tonic::async_trait]
impl TraceService for Keeper {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.behave().await;
        for group in request.into_inner().resource_spans {
            let resource = texts(group.resource.unwrap_or_default().attributes);
            let service = attribute(&resource, "service.name");
            let mut kept = lock(&self.kept);
            kept.resources.push(resource);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            kept.spans.extend(spans.map(|span| {
                ReceivedSpan {
                    service: service.clone(),
                    name: span.name,
                    trace_id: hex(&span.trace_id),
                    span_id: hex(&span.span_id),
                    parent_id: hex(&span.parent_span_id),
                    kind: span.kind,
                    attributes: texts(span.attributes),
                    events: span.events.into_iter().map(|event| event.name).collect(),
                    links: span
                        .links
                        .into_iter()
                        .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
                        .collect(),
                    failed: span.status.is_some_and(|status| status.code == 2),
                    started: span.start_time_unix_nano,
                }
            }));
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.behave().await;
        for group in request.into_inner().resource_logs {
            let resource = texts(group.resource.unwrap_or_default().attributes);
            let service = attribute(&resource, "service.name");
            let mut kept = lock(&self.kept);
            let records = group
                .scope_logs
                .into_iter()
                .flat_map(|scope| scope.log_records);
            kept.logs.extend(records.map(|record| ReceivedLog {
                service: service.clone(),
                body: text_of(record.body),
                trace_id: hex(&record.trace_id),
                span_id: hex(&record.span_id),
            }));
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Keeper {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.behave().await;
        for group in request.into_inner().resource_metrics {
            let resource = texts(group.resource.unwrap_or_default().attributes);
            let service = attribute(&resource, "service.name");
            let instance = attribute(&resource, "service.instance.id");
            let metrics = group
                .scope_metrics
                .into_iter()
                .flat_map(|scope| scope.metrics);
            let mut kept = lock(&self.kept);
            for metric in metrics {
                for (attributes, value) in series(metric.data) {
                    let point = ReceivedPoint {
                        service: service.clone(),
                        instance: instance.clone(),
                        name: metric.name.clone(),
                        attributes,
                        value,
                    };
                    keep_last(&mut kept.points, point);
                }
            }
        }
        Ok(Response::new(Default::default()))
    }
}

/// Running totals: the last one of a series replaces the one before.
fn keep_last(points: &mut Vec<ReceivedPoint>, point: ReceivedPoint) {
    let same = points.iter_mut().find(|known| {
        known.name == point.name
            && known.instance == point.instance
            && known.attributes == point.attributes
    });
    match same {
        Some(known) => *known = point,
        None => points.push(point),
    }
}

fn series(data: Option<Data>) -> Vec<(Vec<(String, String)>, f64)> {
    let number = |value: Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsDouble(number)) => number,
        #[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
        Some(number_data_point::Value::AsInt(number)) => number as f64,
        None => 0.0,
    };
    match data {
        Some(Data::Gauge(gauge)) => gauge
            .data_points
            .into_iter()
            .map(|point| (texts(point.attributes), number(point.value)))
            .collect(),
        Some(Data::Sum(sum)) => sum
            .data_points
            .into_iter()
            .map(|point| (texts(point.attributes), number(point.value)))
            .collect(),
        #[expect(clippy::cast_precision_loss, reason = "counts in tests are small")]
        Some(Data::Histogram(histogram)) => histogram
            .data_points
            .into_iter()
            .map(|point| (texts(point.attributes), point.count as f64))
            .collect(),
        Some(Data::ExponentialHistogram(_) | Data::Summary(_)) | None => Vec::new(),
    }
}
