//! The door of a gRPC server: every call shows who calls before anything else looks at it.
//!
//! ```text
//!   certificate's name ──┐
//!   authorization header ┴─ one? believed? the same service? ── UNAUTHENTICATED
//!                              └─ a row of the table names it? ── PERMISSION_DENIED
//!                                    └─ the service, with the Peer among the request's extensions
//! ```
//!
//! What is refused costs a look-up and, for a token never seen, one signature check.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, Request, Response};
use shopapi_auth::service_token::ServiceVerifier;
use shopapi_tls::Peer;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::warn;

use crate::acl::{Access, access};
use crate::server::ConnectionInfo;
use crate::trust::now_s;

/// Puts a [`Door`] before a service.
#[derive(Clone, Debug)]
pub(crate) struct DoorLayer {
    pub(crate) callers: ServiceVerifier,
}

/// Lets in who may.
#[derive(Clone, Debug)]
pub(crate) struct Door<S> {
    callers: ServiceVerifier,
    inner: S,
}

impl<S> Layer<S> for DoorLayer {
    type Service = Door<S>;

    fn layer(&self, inner: S) -> Door<S> {
        Door {
            callers: self.callers.clone(),
            inner,
        }
    }
}

impl<S> Service<Request<Body>> for Door<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let info = request.extensions().get::<ConnectionInfo>();
        let peer = info.and_then(|info| info.peer.clone());
        let path = request.uri().path();
        match admit(peer, path, request.headers(), &self.callers) {
            Ok(peer) => {
                // Nothing behind the door can log what it does not see.
                request.headers_mut().remove(AUTHORIZATION);
                request.extensions_mut().insert(peer);
                Either::Left(self.inner.call(request))
            }
            Err(refused) => {
                let (status, who) = *refused;
                warn!(caller = who.as_deref(), code = ?status.code(), reason = status.message(), "call refused");
                Either::Right(ready(Ok(status.into_http())))
            }
        }
    }
}

type Refused = (Status, Option<std::sync::Arc<str>>);

/// Who calls, or why not.
pub(crate) fn admit(
    peer: Option<Peer>,
    path: &str,
    headers: &HeaderMap,
    callers: &ServiceVerifier,
) -> Result<Peer, Box<Refused>> {
    let Some(peer) = peer else {
        let status = Status::unauthenticated("no client certificate");
        return Err(Box::new((status, None)));
    };
    let refused = |status: Status| Box::new((status, Some(peer.name.clone())));
    let allowed = match access(path) {
        Access::Certificate => return Ok(peer),
        Access::Token(callers) => callers,
        Access::Nobody => &[],
    };
    let token = bearer(headers).map_err(|text| refused(Status::unauthenticated(text)))?;
    let service = callers
        .verify(token, now_s())
        .map_err(|error| refused(Status::unauthenticated(error.to_string())))?;
    if service != peer.name {
        let text = "service token of another service than the certificate's";
        return Err(refused(Status::unauthenticated(text)));
    }
    if !allowed.contains(&&*service) {
        let text = format!("{service} may not call this method");
        return Err(refused(Status::permission_denied(text)));
    }
    Ok(peer)
}

/// The token of the only authorization header.
fn bearer(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let Some(first) = first else {
        return Err("no service token");
    };
    // Two parties that read different ones would see different callers.
    if second.is_some() {
        return Err("more than one service token");
    }
    first
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Bearer "))
        .ok_or("no bearer token in the authorization header")
}
