//! Which part of a stack listens where, and how many replicas there are.
//!
//! Orders, inventory and payments run as one or more replicas, the gateway as one. A single replica is called as its service, `orders`; several are
//! `orders-1`, `orders-2`, …

use std::net::SocketAddr;
use std::path::Path;

use crate::error::Error;
use crate::ports::{PortLease, lease, loopback};

/// Tells other commands where a stack listens.
pub(crate) const PORTS_FILE: &str = "ports";
/// Replicas of a service at most: all their pools fit into the connections of one small PostgreSQL, and their ports between the others.
pub const REPLICAS_MAX: usize = 5;
/// Replica k, from the second on, listens `REPLICA_GAP + k * REPLICA_STEP` above the first: past the ports of NATS and PostgreSQL in a block.
const REPLICA_GAP: u16 = 20;
const REPLICA_STEP: u16 = 10;

/// Where everything listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMap {
    /// The public HTTP API, and the gateway's health.
    pub gateway: u16,
    /// gRPC of the gateway: health, and what operators look at.
    pub gateway_grpc: u16,
    /// gRPC of orders, inventory, payments: their first replicas.
    pub grpc: [u16; 3],
    /// Health of orders, inventory, payments: their first replicas.
    pub health: [u16; 3],
    /// The second replicas, the third …
    pub more: Vec<ReplicaPorts>,
    /// PostgreSQL.
    pub postgres: u16,
    /// NATS.
    pub nats: u16,
    /// NATS' status page.
    pub nats_monitor: u16,
    /// Where telemetry is collected and shown.
    pub telemetry: TelemetryPorts,
}

/// The ports of a collector of telemetry and its pages. A stack only tells its services about them; who listens there is its caller's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelemetryPorts {
    /// OTLP over gRPC.
    pub otlp_grpc: u16,
    /// OTLP over HTTP.
    pub otlp_http: u16,
    /// Metrics in the format of Prometheus.
    pub prometheus: u16,
    /// Traces: the page and the API of Jaeger.
    pub page: u16,
}

impl TelemetryPorts {
    fn list(self) -> [u16; 4] {
        [self.otlp_grpc, self.otlp_http, self.prometheus, self.page]
    }

    fn of_list([otlp_grpc, otlp_http, prometheus, page]: [u16; 4]) -> Self {
        Self {
            otlp_grpc,
            otlp_http,
            prometheus,
            page,
        }
    }
}

/// The ports of one more replica of orders, inventory and payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaPorts {
    /// gRPC, in the order of [`PortMap::grpc`].
    pub grpc: [u16; 3],
    /// Health, in the order of [`PortMap::health`].
    pub health: [u16; 3],
}

/// The callees, in the order of [`PortMap::grpc`].
const CALLEES: [&str; 3] = ["orders", "inventory", "payments"];

/// The service and the number in a process's name; a service's own name means its first replica.
pub(crate) fn service_of(name: &str) -> (&str, usize) {
    let numbered = name
        .rsplit_once('-')
        .and_then(|(service, number)| Some((service, number.parse().ok()?)));
    numbered.unwrap_or((name, 1))
}

impl PortMap {
    /// The ports the system promises. PostgreSQL's is not its usual one, which a server of the machine may hold.
    pub const STANDARD: Self = Self {
        gateway: 8080,
        gateway_grpc: 9000,
        grpc: [9001, 9002, 9003],
        health: [9101, 9102, 9103],
        more: Vec::new(),
        postgres: 15432,
        nats: 4222,
        nats_monitor: 8222,
        telemetry: TelemetryPorts {
            otlp_grpc: 4317,
            otlp_http: 4318,
            prometheus: 8889,
            page: 16686,
        },
    };

    /// A block of ports from `base` on: the gateway at `base`, gRPC at +1, +2, +3 and the gateway's own at +4, health at +101, +102, +103,
    /// OTLP at +11 and +12, metrics at +13, traces at +14, NATS at +22 and +23, PostgreSQL at +32. `None` when the block does not fit.
    #[must_use]
    pub fn from_base(base: u16) -> Option<Self> {
        base.checked_add(103)?;
        Some(Self {
            gateway: base,
            gateway_grpc: base + 4,
            grpc: [base + 1, base + 2, base + 3],
            health: [base + 101, base + 102, base + 103],
            more: Vec::new(),
            postgres: base + 32,
            nats: base + 22,
            nats_monitor: base + 23,
            telemetry: TelemetryPorts::of_list([base + 11, base + 12, base + 13, base + 14]),
        })
    }

    /// The same with `replicas` of orders, inventory and payments each: the second listens 40 above the first, the third 50 above it, and so on.
    /// `None` when there are none or more than [`REPLICAS_MAX`], or a port does not fit.
    #[must_use]
    pub fn with_replicas(mut self, replicas: usize) -> Option<Self> {
        if !(1..=REPLICAS_MAX).contains(&replicas) {
            return None;
        }
        let above = |ports: [u16; 3], replica: usize| -> Option<[u16; 3]> {
            let offset = REPLICA_GAP + REPLICA_STEP * u16::try_from(replica).ok()?;
            let [orders, inventory, payments] = ports;
            Some([
                orders.checked_add(offset)?,
                inventory.checked_add(offset)?,
                payments.checked_add(offset)?,
            ])
        };
        self.more = (2..=replicas)
            .map(|replica| {
                Some(ReplicaPorts {
                    grpc: above(self.grpc, replica)?,
                    health: above(self.health, replica)?,
                })
            })
            .collect::<Option<_>>()?;
        Some(self)
    }

    /// Free ports for one replica of each service; nobody else takes them while the leases live.
    ///
    /// # Errors
    /// [`Error::Io`] when none are free.
    pub fn leased() -> Result<(Self, Vec<PortLease>), Error> {
        Self::leased_for(1)
    }

    /// Free ports for some replicas of each service.
    ///
    /// # Errors
    /// [`Error::Io`] when none are free.
    pub fn leased_for(replicas: usize) -> Result<(Self, Vec<PortLease>), Error> {
        let mut leases = Vec::new();
        let mut port = || -> Result<u16, Error> {
            let lease = lease()?;
            let port = lease.port();
            leases.push(lease);
            Ok(port)
        };
        let mut three = || -> Result<[u16; 3], Error> { Ok([port()?, port()?, port()?]) };
        let (grpc, health) = (three()?, three()?);
        let more = (1..replicas)
            .map(|_| {
                Ok(ReplicaPorts {
                    grpc: three()?,
                    health: three()?,
                })
            })
            .collect::<Result<_, Error>>()?;
        let map = Self {
            gateway: port()?,
            gateway_grpc: port()?,
            grpc,
            health,
            more,
            postgres: port()?,
            nats: port()?,
            nats_monitor: port()?,
            telemetry: TelemetryPorts::of_list([port()?, port()?, port()?, port()?]),
        };
        Ok((map, leases))
    }

    /// How many replicas orders, inventory and payments have.
    #[must_use]
    pub fn replicas(&self) -> usize {
        1 + self.more.len()
    }

    /// The names of a service's processes.
    #[must_use]
    pub fn processes_of(&self, service: &str) -> Vec<String> {
        if self.more.is_empty() || !CALLEES.contains(&service) {
            return vec![service.to_owned()];
        }
        (1..=self.replicas())
            .map(|replica| format!("{service}-{replica}"))
            .collect()
    }

    pub(crate) fn named(&self) -> Vec<(u16, String)> {
        let mut named = vec![
            (self.gateway, "gateway".to_owned()),
            (self.gateway_grpc, "gRPC of gateway".to_owned()),
            (self.postgres, "PostgreSQL".to_owned()),
            (self.nats, "NATS".to_owned()),
            (self.nats_monitor, "status of NATS".to_owned()),
        ];
        for process in CALLEES.iter().flat_map(|callee| self.processes_of(callee)) {
            if let Some(grpc) = self.grpc_of(&process) {
                named.push((grpc.port(), format!("gRPC of {process}")));
            }
            let health = self.health_of(&process).port();
            named.push((health, format!("health of {process}")));
        }
        named
    }

    /// One `purpose=port` per line.
    pub(crate) fn to_text(&self) -> String {
        let Self {
            gateway,
            gateway_grpc,
            grpc,
            health,
            more,
            postgres,
            nats,
            nats_monitor,
            telemetry,
        } = self;
        let list = |ports: &[u16]| {
            let texts: Vec<String> = ports.iter().map(u16::to_string).collect();
            texts.join(",")
        };
        let mut text = format!(
            "gateway={gateway}\ngateway_grpc={gateway_grpc}\ngrpc={}\nhealth={}\npostgres={postgres}\nnats={nats}\nnats_monitor={nats_monitor}\ntelemetry={}\n",
            list(grpc),
            list(health),
            list(&telemetry.list())
        );
        for (replica, ports) in (2..).zip(more) {
            text += &format!(
                "grpc-{replica}={}\nhealth-{replica}={}\n",
                list(&ports.grpc),
                list(&ports.health)
            );
        }
        text
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
        let three = |name: &str| -> Option<[u16; 3]> { ports(name)?.try_into().ok() };
        let more = (2..=REPLICAS_MAX)
            .map_while(|replica| {
                Some(ReplicaPorts {
                    grpc: three(&format!("grpc-{replica}"))?,
                    health: three(&format!("health-{replica}"))?,
                })
            })
            .collect();
        Some(Self {
            gateway: one("gateway")?,
            gateway_grpc: one("gateway_grpc")?,
            grpc: three("grpc")?,
            health: three("health")?,
            more,
            postgres: one("postgres")?,
            nats: one("nats")?,
            nats_monitor: one("nats_monitor")?,
            telemetry: TelemetryPorts::of_list(ports("telemetry")?.try_into().ok()?),
        })
    }

    /// Where the stack in a state directory listens, or listened when it last ran; `None` when none ever did.
    #[must_use]
    pub fn of_stack(state: &Path) -> Option<Self> {
        Self::from_text(&std::fs::read_to_string(state.join(PORTS_FILE)).ok()?)
    }

    /// The gRPC address of a process.
    #[must_use]
    pub fn grpc_of(&self, process: &str) -> Option<SocketAddr> {
        let (service, replica) = service_of(process);
        if service == "gateway" {
            return Some(loopback(self.gateway_grpc));
        }
        let index = CALLEES.iter().position(|callee| *callee == service)?;
        let ports = match replica {
            1 => &self.grpc,
            _ => &self.more.get(replica.checked_sub(2)?)?.grpc,
        };
        Some(loopback(ports[index]))
    }

    /// Where a process's `/readyz` answers; the gateway's for a name that is not known.
    #[must_use]
    pub fn health_of(&self, process: &str) -> SocketAddr {
        let (service, replica) = service_of(process);
        let index = CALLEES.iter().position(|callee| *callee == service);
        let ports = match replica {
            1 => Some(&self.health),
            _ => replica
                .checked_sub(2)
                .and_then(|index| self.more.get(index))
                .map(|ports| &ports.health),
        };
        loopback(
            index
                .zip(ports)
                .map_or(self.gateway, |(index, ports)| ports[index]),
        )
    }

    /// Every replica of a service, as its callers are told: `https://address[,https://address…]`.
    #[must_use]
    pub fn urls_of(&self, service: &str) -> String {
        let urls: Vec<String> = self
            .processes_of(service)
            .iter()
            .filter_map(|process| self.grpc_of(process))
            .map(|grpc| format!("https://{grpc}"))
            .collect();
        urls.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        for replicas in 1..=REPLICAS_MAX {
            for map in [PortMap::STANDARD, PortMap::from_base(20_000).unwrap()] {
                let map = map.with_replicas(replicas).unwrap();
                let mut ports: Vec<u16> = map.named().iter().map(|(port, _)| *port).collect();
                ports.extend(map.telemetry.list());
                ports.sort_unstable();
                ports.dedup();
                assert_eq!(ports.len(), 9 + 6 * replicas);
                assert_eq!(PortMap::from_text(&map.to_text()), Some(map));
            }
        }
        assert_eq!(PortMap::from_base(65_500), None);
        assert_eq!(PortMap::STANDARD.with_replicas(0), None);
        assert_eq!(PortMap::STANDARD.with_replicas(REPLICAS_MAX + 1), None);
        let last = PortMap::from_base(65_430).unwrap();
        assert_eq!(last.with_replicas(2), None, "past the last port");
    }

    #[test]
    fn the_standard_ports_are_the_promised_ones() {
        let map = PortMap::STANDARD;
        assert_eq!(map.grpc_of("payments"), Some(loopback(9003)));
        assert_eq!(map.health_of("inventory"), loopback(9102));
        assert_eq!(map.health_of("gateway"), loopback(8080));
        assert_eq!(map.processes_of("orders"), ["orders"]);
        assert_eq!(map.urls_of("orders"), "https://127.0.0.1:9001");
        assert_eq!(map.grpc_of("gateway"), Some(loopback(9000)));
    }

    #[test]
    fn replicas_have_names_and_ports_of_their_own() {
        let map = PortMap::STANDARD.with_replicas(3).unwrap();
        assert_eq!(
            map.processes_of("orders"),
            ["orders-1", "orders-2", "orders-3"]
        );
        assert_eq!(map.processes_of("gateway"), ["gateway"]);
        assert_eq!(map.grpc_of("orders-1"), Some(loopback(9001)));
        assert_eq!(map.grpc_of("payments-2"), Some(loopback(9043)));
        assert_eq!(map.health_of("payments-3"), loopback(9153));
        assert_eq!(map.grpc_of("orders-4"), None);
        assert_eq!(
            map.urls_of("inventory"),
            "https://127.0.0.1:9002,https://127.0.0.1:9042,https://127.0.0.1:9052"
        );
        let (leased, leases) = PortMap::leased_for(2).unwrap();
        assert_eq!((leased.replicas(), leases.len()), (2, 21));
    }
}
