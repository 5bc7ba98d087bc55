//! The shapes of values. A refusal says the shape and never the value.

use std::net::SocketAddr;

use jetstream::{BusCredentials, BusOptions};

/// Takes user and password out of the URL, which is logged.
pub(super) fn bus_options(urls: &str, service: &str) -> Result<BusOptions, &'static str> {
    const SHAPE: &str = "must look like nats://host:4222, several separated by commas";
    let mut servers = Vec::new();
    let mut credentials = None;
    for url in urls.split(',') {
        let rest = url.trim().strip_prefix("nats://").ok_or(SHAPE)?;
        let host = match rest.rsplit_once('@') {
            None => rest,
            Some((user_info, host)) => {
                let (user, password) = user_info
                    .split_once(':')
                    .ok_or("has a user without a password")?;
                credentials = Some(BusCredentials {
                    user: user.to_owned(),
                    password: password.to_owned(),
                });
                host
            }
        };
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.starts_with(':') || host.contains('/') {
            return Err(SHAPE);
        }
        servers.push(format!("nats://{host}"));
    }
    let mut options = BusOptions::new(servers.join(","), format!("shopapi-{service}"));
    options.credentials = credentials;
    Ok(options)
}

/// Copies of a stream; NATS takes five at most.
pub(super) fn stream_replicas(text: &str) -> Result<usize, &'static str> {
    let replicas: Option<usize> = text.parse().ok();
    replicas
        .filter(|count| (1..=5).contains(count))
        .ok_or("must be a number from 1 to 5: the copies of each stream, and at least as many NATS servers")
}

/// Where to listen.
pub(super) fn addr(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "must be an IP address and a port, for example 127.0.0.1:8080 or 0.0.0.0:8080")
}

/// The default place to listen: reachable from this machine only.
pub(super) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}
