//! OTLP comes in: gRPC, and HTTP with protobuf or JSON. Both end in [`Kept`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use opentelemetry_proto::tonic::collector::logs::v1 as logs;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1 as metrics;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1 as trace;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Status};

use super::metrics::Metrics;
use super::model::{LogLine, Process, Span, scope};
use super::store::{Limits, Store};

/// One export at most: an SDK's full batch is far below.
const EXPORT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Everything that was sent and is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Kept {
    store: Arc<Mutex<Store>>,
    metrics: Arc<Mutex<Metrics>>,
}

impl Kept {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            store: Arc::new(Mutex::new(Store::new(limits))),
            metrics: Arc::default(),
        }
    }

    /// The traces. Held for a moment only.
    pub fn traces(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics. Held for a moment only.
    pub fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_traces(&self, sent: trace::ExportTraceServiceRequest) {
        let mut spans = Vec::new();
        for resource in sent.resource_spans {
            let process = Process::of(resource.resource);
            for scope_spans in resource.scope_spans {
                let scope = scope(scope_spans.scope);
                let of_scope = scope_spans.spans.into_iter();
                spans.extend(of_scope.filter_map(|span| Span::of(span, &scope, &process)));
            }
        }
        let mut store = self.traces();
        spans.into_iter().for_each(|span| store.add_span(span));
    }

    fn take_logs(&self, sent: logs::ExportLogsServiceRequest) {
        let mut lines = Vec::new();
        for resource in sent.resource_logs {
            let process = Process::of(resource.resource);
            let records = resource
                .scope_logs
                .into_iter()
                .flat_map(|logs| logs.log_records);
            lines.extend(records.filter_map(|record| LogLine::of(record, &process)));
        }
        let mut store = self.traces();
        lines.into_iter().for_each(|line| store.add_line(line));
    }

    fn take_metrics(&self, sent: metrics::ExportMetricsServiceRequest) {
        let now = Instant::now();
        let mut metrics = self.metrics();
        for resource in sent.resource_metrics {
            metrics.take(resource, now);
        }
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<trace::ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<trace::ExportTraceServiceResponse>, Status> {
        self.take_traces(request.into_inner());
        Ok(tonic::Response::new(
            trace::ExportTraceServiceResponse::default(),
        ))
    }
}

#[tonic::async_trait]
impl LogsService for Kept {
    async fn export(
        &self,
        request: Request<logs::ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<logs::ExportLogsServiceResponse>, Status> {
        self.take_logs(request.into_inner());
        Ok(tonic::Response::new(
            logs::ExportLogsServiceResponse::default(),
        ))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<metrics::ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<metrics::ExportMetricsServiceResponse>, Status> {
        self.take_metrics(request.into_inner());
        Ok(tonic::Response::new(
            metrics::ExportMetricsServiceResponse::default(),
        ))
    }
}

/// Serves OTLP over gRPC until the task is aborted.
///
/// # Errors
/// When the port cannot be served any more.
pub async fn serve_grpc(listener: TcpListener, kept: Kept) -> Result<(), tonic::transport::Error> {
    let traces = TraceServiceServer::new(kept.clone()).max_decoding_message_size(EXPORT_BYTES_MAX);
    let logs = LogsServiceServer::new(kept.clone()).max_decoding_message_size(EXPORT_BYTES_MAX);
    let metrics = MetricsServiceServer::new(kept).max_decoding_message_size(EXPORT_BYTES_MAX);
    tonic::transport::Server::builder()
        .add_service(traces)
        .add_service(logs)
        .add_service(metrics)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
}

/// OTLP over HTTP.
pub fn http(kept: Kept) -> Router {
    Router::new()
        .route("/v1/traces", post(traces_over_http))
        .route("/v1/logs", post(logs_over_http))
        .route("/v1/metrics", post(metrics_over_http))
        .route("/healthz", get(async || "ok\n"))
        .layer(DefaultBodyLimit::max(EXPORT_BYTES_MAX))
        .with_state(kept)
}

async fn traces_over_http(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> Response {
    answer::<_, trace::ExportTraceServiceResponse>(&headers, &body, |sent| kept.take_traces(sent))
}

async fn logs_over_http(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> Response {
    answer::<_, logs::ExportLogsServiceResponse>(&headers, &body, |sent| kept.take_logs(sent))
}

async fn metrics_over_http(State(kept): State<Kept>, headers: HeaderMap, body: Bytes) -> Response {
    answer::<_, metrics::ExportMetricsServiceResponse>(&headers, &body, |sent| {
        kept.take_metrics(sent);
    })
}

/// Reads the body as its type says, takes it, and answers in the same type.
fn answer<Q, A>(headers: &HeaderMap, body: &[u8], take: impl FnOnce(Q)) -> Response
where
    Q: Message + Default + DeserializeOwned,
    A: Message + Default + Serialize,
{
    const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    if headers.contains_key(header::CONTENT_ENCODING) {
        let text =
            "compressed exports are not read here: leave OTEL_EXPORTER_OTLP_COMPRESSION unset\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let sent_as = headers.get(header::CONTENT_TYPE);
    let media = sent_as
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    let (sent, reply, media) = match media.map(str::trim) {
        Some("application/x-protobuf") => (
            Q::decode(body).map_err(|error| error.to_string()),
            A::default().encode_to_vec(),
            PROTOBUF,
        ),
        Some("application/json") => (
            serde_json::from_slice(body).map_err(|error| error.to_string()),
            serde_json::to_vec(&A::default()).unwrap_or_default(),
            JSON,
        ),
        _ => {
            let text = "say content-type: application/x-protobuf or application/json\n";
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
        }
    };
    match sent {
        Ok(sent) => {
            take(sent);
            ([(header::CONTENT_TYPE, media)], reply).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
