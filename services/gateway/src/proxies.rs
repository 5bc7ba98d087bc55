//! Whom an address in `X-Forwarded-For` and a trace context are believed from, and which address a request then comes from. Pure.

use std::net::IpAddr;
use std::str::FromStr;

/// Networks of the proxies in front of us. By default there are none, and a header that anybody can write is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// Addresses that share their first `prefix` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// A list that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be networks such as 10.0.0.0/8 or fd00::/8, or single addresses, separated by commas; a /0 would believe everybody"
)]
pub struct BadNetworks;

impl FromStr for TrustedProxies {
    type Err = BadNetworks;

    fn from_str(text: &str) -> Result<Self, BadNetworks> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Network {
    type Err = BadNetworks;

    fn from_str(text: &str) -> Result<Self, BadNetworks> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| BadNetworks)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| BadNetworks)?,
            None => bits,
        };
        (1..=bits)
            .contains(&prefix)
            .then_some(Self { address, prefix })
            .ok_or(BadNetworks)
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()) >> (32 - self.prefix) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()) >> (128 - self.prefix) == 0
            }
            _ => false,
        }
    }
}

impl TrustedProxies {
    /// Whether `address` is a proxy of ours.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether what `peer` says about where a request comes from is not looked at.
    #[must_use]
    pub fn ignores(&self, peer: IpAddr) -> bool {
        !self.trusts(peer)
    }

    /// Where a request comes from: the connection's other end, or, when that is a trusted proxy, the last address of `forwarded` (the
    /// values of `X-Forwarded-For`, in order) that no trusted proxy has. What stands before it was written by whoever sent it.
    #[must_use]
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = forwarded.rev().flat_map(|value| value.rsplit(','));
        for hop in hops {
            if !self.trusts(client) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(address) => client = address.to_canonical(),
                // A proxy of ours writes addresses; what is none was not written by it.
                Err(_) => break,
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(text: &str) -> TrustedProxies {
        text.parse().unwrap()
    }

    fn client(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
        let peer = peer.parse().unwrap();
        proxies(trusted)
            .client(peer, forwarded.iter().copied())
            .to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_is_not_looked_at() {
        assert_eq!(client("", "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(
            client("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"]),
            "192.0.2.1"
        );
        let ignored = |peer: &str| proxies("10.0.0.0/8").ignores(peer.parse().unwrap());
        assert!(ignored("192.0.2.1"));
        assert!(!ignored("10.1.2.3") && !ignored("::ffff:10.1.2.3"));
    }

    #[test]
    fn behind_proxies_the_last_address_that_is_none_of_theirs_counts() {
        let ours = "10.0.0.0/8, 2001:db8::/32";
        assert_eq!(client(ours, "10.1.2.3", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            client(ours, "10.1.2.3", &["203.0.113.9, 198.51.100.7, 10.9.9.9"]),
            "198.51.100.7"
        );
        assert_eq!(
            client(ours, "10.1.2.3", &["203.0.113.9", "198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            client(ours, "2001:db8::1", &["198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            client(ours, "::ffff:10.1.2.3", &["198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(client(ours, "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn nonsense_ends_the_search_at_the_last_address_that_was_good() {
        assert_eq!(
            client("10.0.0.0/8", "10.1.2.3", &["198.51.100.7, nonsense"]),
            "10.1.2.3"
        );
        assert_eq!(
            client("10.0.0.0/8", "10.1.2.3", &["nonsense, 10.4.4.4"]),
            "10.4.4.4"
        );
    }

    #[test]
    fn a_list_is_networks_or_addresses_and_never_everybody() {
        assert_eq!(
            client("192.0.2.1", "192.0.2.1", &["198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            client("192.0.2.1", "192.0.2.2", &["198.51.100.7"]),
            "192.0.2.2"
        );
        for text in [
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/33",
            "10.0.0/8",
            "proxy",
            "10.0.0.0/x",
            "::1/129",
        ] {
            assert_eq!(text.parse::<TrustedProxies>(), Err(BadNetworks), "{text}");
        }
    }
}
