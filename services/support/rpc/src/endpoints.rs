//! Where the replicas of a callee are: a list of hosts, each an address or a name with any number of addresses.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::Authority;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::warn;

use crate::connector::{Addresses, Names};

/// One look-up; the resolver's own retries are over by then.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(3);
/// What `https` means without a port.
const PORT_DEFAULT: u16 = 443;

/// Every endpoint of one callee; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints(Arc<[Endpoint]>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Endpoint {
    authority: Authority,
    host: String,
    port: u16,
}

/// The text does not name endpoints. Says the shape, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoints {
    /// Not a list of HTTPS origins.
    #[error("must look like https://host:9001, several separated by commas")]
    Shape,
    /// Plaintext is asked for.
    #[error("asks for http, but services speak TLS only: use https://")]
    Plaintext,
}

impl FromStr for Endpoints {
    type Err = BadEndpoints;

    /// Reads `https://host:port[,https://host:port…]`.
    fn from_str(text: &str) -> Result<Self, BadEndpoints> {
        let endpoints: Vec<_> = text
            .split(',')
            .map(|url| endpoint(url.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self(endpoints.into()))
    }
}

fn endpoint(url: &str) -> Result<Endpoint, BadEndpoints> {
    let uri: Uri = url.parse().map_err(|_| BadEndpoints::Shape)?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") => return Err(BadEndpoints::Plaintext),
        _ => return Err(BadEndpoints::Shape),
    }
    let authority = uri.authority().ok_or(BadEndpoints::Shape)?;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let no_path = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    if host.is_empty() || !no_path || authority.as_str().contains('@') {
        return Err(BadEndpoints::Shape);
    }
    Ok(Endpoint {
        authority: authority.clone(),
        host: host.to_owned(),
        port: authority.port_u16().unwrap_or(PORT_DEFAULT),
    })
}

impl Names for Endpoints {
    /// A name that cannot be looked up keeps what it had in `before`.
    async fn resolve(&self, before: &Addresses) -> Addresses {
        let mut found = Addresses::new();
        for endpoint in self.0.iter() {
            let name = &endpoint.authority;
            if let Some(address) = endpoint.address() {
                found.insert(address, name.clone());
                continue;
            }
            match endpoint.look_up().await {
                Some(addresses) => {
                    found.extend(addresses.into_iter().map(|at| (at, name.clone())));
                }
                None => found.extend(
                    before
                        .iter()
                        .filter(|(_, known_as)| *known_as == name)
                        .map(|(at, name)| (*at, name.clone())),
                ),
            }
        }
        found
    }
}

impl Endpoint {
    fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// `None` when the name cannot be looked up or has no address: resolvers answer so while they are in trouble.
    async fn look_up(&self) -> Option<Vec<SocketAddr>> {
        let name = (self.host.as_str(), self.port);
        let addresses: Vec<_> = match timeout(LOOK_UP_DEADLINE, lookup_host(name)).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                warn!(host = self.host, %error, "name not found");
                return None;
            }
            Err(_elapsed) => {
                warn!(host = self.host, "the resolver does not answer");
                return None;
            }
        };
        (!addresses.is_empty()).then_some(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        Authority::try_from(text).unwrap()
    }

    #[tokio::test]
    async fn a_list_of_addresses_needs_no_look_up() {
        let list: Endpoints = "https://127.0.0.1:9001, https://[::1]:9011/"
            .parse()
            .unwrap();
        let found = list.resolve(&Addresses::new()).await;
        let wanted = [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("[::1]:9011", "[::1]:9011"),
        ];
        let wanted: Addresses = wanted
            .map(|(address, name)| (address.parse().unwrap(), authority(name)))
            .into();
        assert_eq!(found, wanted);
    }

    #[tokio::test]
    async fn a_name_is_all_its_addresses_and_keeps_them_while_the_resolver_is_away() {
        let named: Endpoints = "https://localhost:9001".parse().unwrap();
        let found = named.resolve(&Addresses::new()).await;
        assert!(found.keys().all(|at| at.ip().is_loopback()) && !found.is_empty());

        // RFC 2606 keeps this name free of addresses.
        let lost: Endpoints = "https://orders.invalid:9001".parse().unwrap();
        let before: Addresses = [
            ("10.0.0.7:9001", "orders.invalid:9001"),
            ("10.0.0.8:9001", "another.invalid:9001"),
        ]
        .map(|(at, name)| (at.parse().unwrap(), authority(name)))
        .into();
        let kept = lost.resolve(&before).await;
        assert_eq!(
            kept.keys().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.7:9001"]
        );
    }

    #[test]
    fn what_is_no_endpoint_is_refused_by_its_shape() {
        for wrong in [
            "",
            "127.0.0.1:9001",
            "ftp://127.0.0.1:9001",
            "https://",
            "https://host:9001/path",
            "https://user:secret@host:9001",
            "https://host:9001,,https://other:9001",
        ] {
            let refused = wrong.parse::<Endpoints>().unwrap_err();
            assert_eq!(refused, BadEndpoints::Shape, "{wrong:?}");
        }
        let refused = "http://host:9001".parse::<Endpoints>().unwrap_err();
        assert_eq!(refused, BadEndpoints::Plaintext);
    }
}
