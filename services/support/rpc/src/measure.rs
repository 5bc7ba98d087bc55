//! How long calls take, on both sides, and until when the own certificate is valid.
//!
//! `rpc_server_call_duration_seconds{rpc_method, rpc_response_status_code}`, `rpc_client_call_duration_seconds{rpc_method, ..}`,
//! `tls_certificate_expiry_timestamp_seconds`. A call lasts until its answer begins: a stream's life is not a latency.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, UNIX_EPOCH};

use futures::future::BoxFuture;
use hyper::{HeaderMap, Request, Response};
use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};
use shopapi_tls::Identity;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

static SERVER: LazyLock<Calls> = LazyLock::new(|| Calls::new("rpc.server.call.duration"));
static CLIENT: LazyLock<Calls> = LazyLock::new(|| Calls::new("rpc.client.call.duration"));

/// More methods than the contracts have: callers choose the path that they ask for, and may not fill the memory with it.
const METHODS_MAX: usize = 256;

/// One side's calls.
struct Calls {
    duration: Histogram<f64>,
    /// Attributes by path and code, made once.
    known: RwLock<HashMap<i32, Paths>>,
}

/// The attributes of each path.
type Paths = HashMap<Box<str>, Arc<[KeyValue; 3]>>;

impl Calls {
    fn new(name: &'static str) -> Self {
        Self {
            duration: global::meter("shopapi-rpc")
                .f64_histogram(name)
                .with_unit("s")
                .with_description("How long a call took until its answer began")
                .build(),
            known: RwLock::default(),
        }
    }

    fn record(&self, path: &str, code: Code, took: Duration) {
        if let Some(attributes) = self.attributes(path, code) {
            self.duration.record(took.as_secs_f64(), &*attributes);
        }
    }

    fn attributes(&self, path: &str, code: Code) -> Option<Arc<[KeyValue; 3]>> {
        let number = code as i32;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(attributes) = known.get(&number).and_then(|paths| paths.get(path)) {
            return Some(Arc::clone(attributes));
        }
        drop(known);
        let method = path.strip_prefix('/')?;
        // Nothing of ours has another shape.
        let (_service, _name) = method.split_once('/')?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let paths = known.entry(number).or_default();
        if paths.len() >= METHODS_MAX {
            return None;
        }
        let attributes = Arc::new([
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method.to_owned()),
            KeyValue::new("rpc.response.status_code", code_name(code)),
        ]);
        paths.insert(path.into(), Arc::clone(&attributes));
        Some(attributes)
    }
}

/// A code's name in `rpc.response.status_code`, as gRPC writes it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// An answer that begins well says how it went behind its body, which for a single message is always well: what fails says so in front.
fn code_in(headers: &HeaderMap) -> Code {
    Status::from_header_map(headers).map_or(Code::Ok, |status| status.code())
}

/// A call was answered here.
fn served(path: &str, headers: &HeaderMap, began: Instant) {
    SERVER.record(path, code_in(headers), began.elapsed());
}

/// A call that was made from here has its answer.
pub(crate) fn called(path: &str, answer: Result<&HeaderMap, Code>, began: Instant) {
    let code = answer.map_or_else(|code| code, code_in);
    CLIENT.record(path, code, began.elapsed());
}

/// Shows until when the certificate in use is valid.
pub(crate) fn certificate(identity: &Identity) {
    let identity = identity.clone();
    global::meter("shopapi-rpc")
        .u64_observable_gauge("tls_certificate_expiry_timestamp")
        .with_unit("s")
        .with_description("When the certificate in use expires, in seconds since 1970")
        .with_callback(move |observer| {
            if let Ok(at) = identity.expires_at().duration_since(UNIX_EPOCH) {
                observer.observe(at.as_secs(), &[]);
            }
        })
        .build();
}

/// Measures every call that comes in, also those that the door refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeasureLayer;

/// See [`MeasureLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Measure<S>(S);

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure(inner)
    }
}

impl<S> Service<Request<Body>> for Measure<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let began = Instant::now();
        // Shares its text with the request.
        let uri = request.uri().clone();
        let answered = self.0.call(request);
        Box::pin(async move {
            let response = answered.await?;
            served(uri.path(), response.headers(), began);
            Ok(response)
        })
    }
}
