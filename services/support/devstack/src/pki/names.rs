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

/// Every DNS name under which somebody connects to the identity: on loopback, in compose, in Kubernetes.
pub(super) fn dns_names(identity: &str, namespace: &str) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let mut hosts = vec![identity];
    if identity == "postgres" {
        hosts.extend(DATABASE_SERVERS);
    }
    for host in hosts {
        names.push(host.to_owned());
        let service = format!("shopapi-{host}");
        let in_cluster = [
            service.clone(),
            format!("{service}.{namespace}"),
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ];
        // The pods behind a headless service have one label more.
        let pods = in_cluster.iter().map(|name| format!("*.{name}"));
        names.extend(in_cluster.iter().cloned().chain(pods));
    }
    names
}
