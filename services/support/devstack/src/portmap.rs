//! Which part of a stack listens where.

use std::net::SocketAddr;
use std::path::Path;

use crate::error::Error;
use crate::ports::{PortLease, lease, loopback};

/// Tells other commands where a stack listens.
pub(crate) const PORTS_FILE: &str = "ports";

/// Where everything listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMap {
    /// The public HTTP API, and the gateway's health.
    pub gateway: u16,
    /// gRPC of orders, inventory, payments.
    pub grpc: [u16; 3],
    /// Health of orders, inventory, payments.
    pub health: [u16; 3],
    /// PostgreSQL.
    pub postgres: u16,
    /// NATS.
    pub nats: u16,
    /// NATS' status page.
    pub nats_monitor: u16,
}

/// The callees, in the order of [`PortMap::grpc`].
const CALLEES: [&str; 3] = ["orders", "inventory", "payments"];

impl PortMap {
    /// The ports the system promises. PostgreSQL's is not its usual one, which a server of the machine may hold.
    pub const STANDARD: Self = Self {
        gateway: 8080,
        grpc: [9001, 9002, 9003],
        health: [9101, 9102, 9103],
        postgres: 15432,
        nats: 4222,
        nats_monitor: 8222,
    };

    /// A block of ports from `base` on: the gateway at `base`, gRPC at +1, +2, +3, health at +101, +102, +103,
    /// NATS at +22 and +23, PostgreSQL at +32. `None` when the block does not fit.
    #[must_use]
    pub fn from_base(base: u16) -> Option<Self> {
        base.checked_add(103)?;
        Some(Self {
            gateway: base,
            grpc: [base + 1, base + 2, base + 3],
            health: [base + 101, base + 102, base + 103],
            postgres: base + 32,
            nats: base + 22,
            nats_monitor: base + 23,
        })
    }

    /// Free ports; nobody else takes them while the leases live.
    ///
    /// # Errors
    /// [`Error::Io`] when none are free.
    pub fn leased() -> Result<(Self, Vec<PortLease>), Error> {
        let leases = (0..10).map(|_| lease()).collect::<Result<Vec<_>, _>>()?;
        let port = |index: usize| leases[index].port();
        let map = Self {
            gateway: port(0),
            grpc: [port(1), port(2), port(3)],
            health: [port(4), port(5), port(6)],
            postgres: port(7),
            nats: port(8),
            nats_monitor: port(9),
        };
        Ok((map, leases))
    }

    pub(crate) fn named(&self) -> [(u16, String); 10] {
        let grpc = |index: usize| (self.grpc[index], format!("gRPC of {}", CALLEES[index]));
        let health = |index: usize| (self.health[index], format!("health of {}", CALLEES[index]));
        [
            (self.gateway, "gateway".to_owned()),
            grpc(0),
            grpc(1),
            grpc(2),
            health(0),
            health(1),
            health(2),
            (self.postgres, "PostgreSQL".to_owned()),
            (self.nats, "NATS".to_owned()),
            (self.nats_monitor, "status of NATS".to_owned()),
        ]
    }

    /// One `purpose=port` per line.
    pub(crate) fn to_text(self) -> String {
        let Self {
            gateway,
            grpc,
            health,
            postgres,
            nats,
            nats_monitor,
        } = self;
        let list = |ports: [u16; 3]| ports.map(|port| port.to_string()).join(",");
        format!(
            "gateway={gateway}\ngrpc={}\nhealth={}\npostgres={postgres}\nnats={nats}\nnats_monitor={nats_monitor}\n",
            list(grpc),
            list(health)
        )
    }

    fn from_text(text: &str) -> Option<Self> {
        let ports = |name: &str| -> Option<Vec<u16>> {
            let (_, value) = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| *key == name)?;
            value.split(',').map(|port| port.parse().ok()).collect()
        };
        let one = |name: &str| ports(name)?.first().copied();
        Some(Self {
            gateway: one("gateway")?,
            grpc: ports("grpc")?.try_into().ok()?,
            health: ports("health")?.try_into().ok()?,
            postgres: one("postgres")?,
            nats: one("nats")?,
            nats_monitor: one("nats_monitor")?,
        })
    }

    /// Where the stack in a state directory listens, or listened when it last ran; `None` when none ever did.
    #[must_use]
    pub fn of_stack(state: &Path) -> Option<Self> {
        Self::from_text(&std::fs::read_to_string(state.join(PORTS_FILE)).ok()?)
    }

    /// The gRPC address of orders, inventory or payments.
    #[must_use]
    pub fn grpc_of(&self, service: &str) -> Option<SocketAddr> {
        let index = CALLEES.iter().position(|callee| *callee == service)?;
        Some(loopback(self.grpc[index]))
    }

    /// Where a service's `/readyz` answers.
    #[must_use]
    pub fn health_of(&self, service: &str) -> SocketAddr {
        let index = CALLEES.iter().position(|callee| *callee == service);
        loopback(index.map_or(self.gateway, |index| self.health[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_block_has_no_port_twice() {
        let map = PortMap::from_base(20_000).unwrap();
        let mut ports: Vec<u16> = map.named().iter().map(|(port, _)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 10);
        assert_eq!(PortMap::from_base(65_500), None);
        assert_eq!(PortMap::from_text(&map.to_text()), Some(map));
    }

    #[test]
    fn the_standard_ports_are_the_promised_ones() {
        let map = PortMap::STANDARD;
        assert_eq!(map.grpc_of("payments"), Some(loopback(9003)));
        assert_eq!(map.health_of("inventory"), loopback(9102));
        assert_eq!(map.health_of("gateway"), loopback(8080));
    }
}
