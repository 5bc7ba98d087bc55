//! Ports: is one free, and which may a test have.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use rand::Rng;

use crate::error::Error;

/// Where leased ports come from: below the range the kernel takes for outgoing connections, so that a
/// connection of a neighbouring test never sits on a port between the lease and its use.
const LEASE_RANGE: std::ops::Range<u16> = 20_000..30_000;
/// Enough tries to find a free port among ten thousand even when most are taken.
const LEASE_TRIES: u32 = 1_000;

/// Checks that nobody listens on a loopback port.
///
/// # Errors
/// [`Error::PortInUse`], which names the port, what it is for and what to do.
pub fn ensure_free(port: u16, purpose: &str, hint: &str) -> Result<(), Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .map(drop)
        .map_err(|_| Error::PortInUse {
            port,
            purpose: purpose.to_owned(),
            hint: hint.to_owned(),
        })
}

/// A port that no other process using this crate takes while the lease lives.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _lock: File,
}

impl PortLease {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The loopback address with the port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        loopback(self.port)
    }
}

/// Leases a free port: tests that run side by side as processes cannot meet on one.
///
/// # Errors
/// [`Error::Io`] when no lock file can be made or no port is free.
pub fn lease() -> Result<PortLease, Error> {
    let user = rustix::process::geteuid().as_raw();
    let dir = std::env::temp_dir().join(format!("shopapi-ports-{user}"));
    std::fs::create_dir_all(&dir).map_err(Error::io(format!("making {}", dir.display())))?;
    let mut random = rand::rng();
    for _ in 0..LEASE_TRIES {
        let port = random.random_range(LEASE_RANGE);
        let path = dir.join(port.to_string());
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io(format!("opening {}", path.display())))?;
        if lock.try_lock().is_ok() && ensure_free(port, "", "").is_ok() {
            return Ok(PortLease { port, _lock: lock });
        }
    }
    Err(Error::Io {
        doing: "looking for a free port".to_owned(),
        source: std::io::Error::other("none found"),
    })
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_its_purpose_and_a_way_out() {
        let held = lease().unwrap();
        let _listener = TcpListener::bind(held.addr()).unwrap();
        let error = ensure_free(held.port(), "gateway", "--port-base")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("port {} (gateway) is in use", held.port())),
            "{error}"
        );
        assert!(error.contains("--port-base"), "{error}");
    }

    #[test]
    fn two_leases_never_share_a_port() {
        let leases: Vec<_> = (0..50).map(|_| lease().unwrap()).collect();
        let mut ports: Vec<_> = leases.iter().map(PortLease::port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), leases.len());
    }
}
