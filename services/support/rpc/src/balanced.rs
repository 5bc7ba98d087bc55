//! The service under a generated client.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tracing::debug;

use crate::choice::{Choice, Replica, UnderWay};
use crate::connector::{follow, origin};
use crate::endpoints::Endpoints;
use crate::measure;
use crate::trust::ClientTrust;

/// Replicas that one call is tried on: enough to get past one that stops and one that died.
const ATTEMPTS_MAX: usize = 3;

/// How often names are resolved: a new replica has its share soon, and a resolver hardly notices.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);

/// Marks a call that may be executed twice without harm; put among the request's extensions by [`idempotent`].
#[derive(Clone, Copy, Debug)]
pub struct Idempotent;

/// A request that is repeated on another replica also when the first may have executed it.
///
/// Delivery: at least once. Without the mark: at most once.
pub fn idempotent<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(Idempotent);
    request
}

/// All replicas of one callee, as one channel. Cheap to clone.
#[derive(Clone)]
pub struct Balanced {
    choice: Arc<Choice>,
    trust: ClientTrust,
    _tasks: Arc<DropGuard>,
}

impl fmt::Debug for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balanced").finish_non_exhaustive()
    }
}

impl Balanced {
    /// Begins to connect and comes back at once; calls wait a moment for the first connection. Needs a tokio runtime.
    #[must_use]
    pub fn connect(endpoints: Endpoints, trust: ClientTrust) -> Self {
        let choice = Arc::new(Choice::new());
        let followed = Arc::clone(&choice);
        let follow = follow(endpoints, trust.clone(), RESOLVE_EVERY, followed);
        Self::following(choice, trust, follow)
    }

    /// Waits as long as a call would for a replica that it can be sent to.
    ///
    /// # Errors
    /// `UNAVAILABLE` with the reason.
    pub async fn ready(&self) -> Result<(), Status> {
        match self.choice.next(&[]).await {
            Some(_) => Ok(()),
            None => Err(Status::unavailable(self.choice.nobody())),
        }
    }

    /// Over what `follow` puts into the choice; it ends with the last clone.
    pub(crate) fn following(
        choice: Arc<Choice>,
        trust: ClientTrust,
        follow: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(follow));
        Self {
            choice,
            trust,
            _tasks: Arc::new(stop.drop_guard()),
        }
    }
}

impl Service<Request<Body>> for Balanced {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    /// Always ready: senders bound how many calls they have under way.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match bearer(&self.trust) {
            Ok(token) => drop(request.headers_mut().insert(AUTHORIZATION, token)),
            Err(status) => return Box::pin(std::future::ready(Err(status))),
        }
        Box::pin(measured(Arc::clone(&self.choice), request))
    }
}

/// The token as a header that no log shows.
fn bearer(trust: &ClientTrust) -> Result<HeaderValue, Status> {
    let token = trust.token();
    let value = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
    let mut value = value.ok_or_else(|| Status::internal("no service token could be signed"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn measured(choice: Arc<Choice>, request: Request<Body>) -> Result<Response<Body>, Status> {
    let began = Instant::now();
    let uri = request.uri().clone();
    let answer = call(choice, request).await;
    let headers = answer.as_ref().map(Response::headers).map_err(Status::code);
    measure::called(uri.path(), headers, began);
    answer
}

async fn call(choice: Arc<Choice>, request: Request<Body>) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    // Whole, so that it can be sent again; requests are single messages with a bounded size.
    let body = body.collect().await?.to_bytes();
    let is_idempotent = head.extensions.get::<Idempotent>().is_some();
    let mut tried = Vec::new();
    loop {
        let Some(replica) = choice.next(&tried).await else {
            return Err(Status::unavailable(choice.nobody()));
        };
        tried.push(replica.id());
        let failure = match send(replica, &head, body.clone()).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        if tried.len() >= ATTEMPTS_MAX || !(failure.not_begun || is_idempotent) {
            return Err(failure.status);
        }
    }
}

/// A replica gave no answer.
struct Failure {
    status: Status,
    /// It certainly executed nothing.
    not_begun: bool,
}

async fn send(replica: Arc<Replica>, head: &Parts, body: Bytes) -> Result<Response<Body>, Failure> {
    let request = request_to(&replica, head, body).map_err(|error| Failure {
        status: Status::internal(error.to_string()),
        not_begun: false,
    })?;
    let mut sender = replica.sender.clone();
    let address = replica.address;
    let under_way = UnderWay::new(replica);
    match sender.try_send_request(request).await {
        Ok(response) => {
            under_way.answered();
            Ok(response.map(Body::new))
        }
        Err(mut error) => {
            under_way.ended();
            let not_begun = error.take_message().is_some() || was_refused(error.error());
            debug!(%address, not_begun, error = %error.error(), "no answer");
            Err(Failure {
                status: Status::unavailable("the connection ended before the answer"),
                not_begun,
            })
        }
    }
}

fn request_to(
    replica: &Replica,
    head: &Parts,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = head.method.clone();
    *request.version_mut() = hyper::Version::HTTP_2;
    *request.uri_mut() = origin(&replica.authority, path)?;
    *request.headers_mut() = head.headers.clone();
    Ok(request)
}

/// HTTP/2 says of some streams that they were never looked at: those it refuses by name, and those past the last one of a connection that closes in
/// good order (RFC 9113, 6.8 and 8.7).
fn was_refused(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(http2) = cause.downcast_ref::<h2::Error>() {
            let reason = http2.reason();
            let closing = http2.is_go_away() && http2.is_remote();
            return reason == Some(h2::Reason::REFUSED_STREAM)
                || closing && reason == Some(h2::Reason::NO_ERROR);
        }
        source = cause.source();
    }
    false
}
