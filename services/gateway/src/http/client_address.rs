//! Where a request comes from, for counting failures.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use tracing::warn;

use super::Shared;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of the connection; the server puts it into each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address that a request is counted under: the connection's, or what a trusted proxy says.
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequestParts<Shared> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Infallible> {
        // Without a connection (a router under test) everybody is the same stranger.
        let peer = parts
            .extensions
            .get::<Peer>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        if parts.headers.contains_key(X_FORWARDED_FOR) && api.proxies.ignores(peer) {
            api.forwarding_ignored.call_once(|| {
                warn!(
                    %peer,
                    "X-Forwarded-For is ignored: not from a trusted proxy. If that is yours, all customers behind it share its limits of failed \
                     attempts: name it in SHOPAPI_TRUSTED_PROXIES. Said once"
                );
            });
        }
        let forwarded = parts.headers.get_all(X_FORWARDED_FOR).iter();
        // What is no text was not written by a proxy of ours, and ends the search like any nonsense.
        let forwarded = forwarded.map(|value| value.to_str().unwrap_or("?"));
        Ok(Self(api.proxies.client(peer, forwarded)))
    }
}
