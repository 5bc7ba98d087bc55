//! Who has an identity, and by which names it is reached.

/// Everybody who has a certificate.
pub const IDENTITIES: [&str; 7] = [
    "gateway",
    "orders",
    "inventory",
    "payments",
    "shopctl",
    "nats",
    "postgres",
];
/// Everybody who signs tokens.
pub const JWT_SERVICES: [&str; 5] = ["gateway", "orders", "inventory", "payments", "shopctl"];
/// The database servers, which share the identity `postgres`.
const DATABASE_SERVERS: [&str; 4] = ["orders-db", "inventory-db", "payments-db", "gateway-db"];

/// The URI by which a certificate names its holder.
#[must_use]
pub fn spiffe_id(identity: &str) -> String {
    format!("spiffe://shopapi/svc/{identity}")
}

/// What a cluster calls the services of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNames {
    /// Stands before the name of every service: `shopapi` in `shopapi-orders`.
    pub prefix: String,
    /// The Kubernetes namespace.
    pub namespace: String,
    /// The domain of the cluster's DNS.
    pub domain: String,
}

impl Default for ClusterNames {
    fn default() -> Self {
        Self {
            prefix: "shopapi".to_owned(),
            namespace: "shopapi".to_owned(),
            domain: "cluster.local".to_owned(),
        }
    }
}

/// Every DNS name under which somebody connects to the identity: on loopback, in compose, in Kubernetes.
pub(super) fn dns_names(identity: &str, cluster: &ClusterNames) -> Vec<String> {
    let ClusterNames {
        prefix,
        namespace,
        domain,
    } = cluster;
    let mut names = vec!["localhost".to_owned()];
    let mut hosts = vec![identity];
    if identity == "postgres" {
        hosts.extend(DATABASE_SERVERS);
    }
    for host in hosts {
        names.push(host.to_owned());
        let service = format!("{prefix}-{host}");
        let in_cluster = [
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.{domain}"),
        ];
        // The pods behind a headless service have one label more.
        let pods = in_cluster.iter().map(|name| format!("*.{name}"));
        names.extend(in_cluster.iter().cloned().chain(pods));
    }
    names
}
