//! What each process of a stack is told: the one file that names the variables of `shopapi`.

use crate::cluster::Cluster;
use crate::nats::Nats;
use crate::portmap::PortMap;
use crate::ports::loopback;
use crate::roles::DATABASES;

/// Users who may log in on a development stack: `email:password:customer_id`.
pub const DEMO_USERS: &str = "ada@example.com:correct-horse:00000000-0000-7000-8000-000000000001,\
grace@example.com:battery-staple:00000000-0000-7000-8000-000000000002";

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The owners' URLs: `SHOPAPI_MIGRATE_<SERVICE>_URL`.
pub(crate) fn migrate_env(cluster: &Cluster) -> Vec<(String, String)> {
    DATABASES
        .iter()
        .map(|spec| {
            let name = format!("SHOPAPI_MIGRATE_{}_URL", spec.service.to_uppercase());
            (name, cluster.url(spec.owner, spec.database))
        })
        .collect()
}

pub(crate) fn service_env(
    name: &str,
    ports: &PortMap,
    cluster: &Cluster,
    nats: &Nats,
) -> Vec<(String, String)> {
    let url = |callee: usize| format!("http://{}", loopback(ports.grpc[callee]));
    let mut env = pairs([
        ("SHOPAPI_MODE", "dev".to_owned()),
        ("SHOPAPI_LOG_FORMAT", "text".to_owned()),
    ]);
    if let Some(grpc) = ports.grpc_of(name) {
        env.extend(pairs([
            ("SHOPAPI_GRPC_ADDR", grpc.to_string()),
            ("SHOPAPI_HEALTH_ADDR", ports.health_of(name).to_string()),
            (
                "SHOPAPI_DATABASE_URL",
                cluster.url(name, &format!("{name}db")),
            ),
        ]));
    }
    env.extend(match name {
        "gateway" => pairs([
            ("SHOPAPI_HTTP_ADDR", loopback(ports.gateway).to_string()),
            ("SHOPAPI_ORDERS_URL", url(0)),
            ("SHOPAPI_INVENTORY_URL", url(1)),
            (
                "SHOPAPI_USER_JWT_SECRET",
                cluster.secrets().user_jwt_secret().to_owned(),
            ),
            ("SHOPAPI_DEMO_USERS", DEMO_USERS.to_owned()),
        ]),
        "orders" => pairs([
            ("SHOPAPI_NATS_URL", nats.url()),
            ("SHOPAPI_INVENTORY_URL", url(1)),
            ("SHOPAPI_PAYMENTS_URL", url(2)),
        ]),
        "payments" => pairs([
            ("SHOPAPI_NATS_URL", nats.url()),
            (
                "SHOPAPI_PROVIDER_DATABASE_URL",
                cluster.url("provider", "providerdb"),
            ),
        ]),
        _ => Vec::new(),
    });
    env
}
