//! What each process of a stack is told: the one file that names the variables of `shopapi`.

use std::path::Path;

use crate::cluster::{Cluster, Durability};
use crate::nats::Nats;
use crate::pki::Pki;
use crate::portmap::{PortMap, service_of};
use crate::ports::loopback;
use crate::roles::DATABASES;
use crate::user_keys::UserKeyFiles;

/// Users who may log in on a development stack: `email:password:customer_id`.
pub const DEMO_USERS: &str = "ada@example.com:correct-horse:00000000-0000-7000-8000-000000000001,\
grace@example.com:battery-staple:00000000-0000-7000-8000-000000000002";

fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// The owners' URLs: `SHOPAPI_MIGRATE_<SERVICE>_URL`.
pub(crate) fn migrate_env(cluster: &Cluster) -> Vec<(String, String)> {
    DATABASES
        .iter()
        .map(|spec| {
            let name = format!("SHOPAPI_MIGRATE_{}_URL", spec.service.to_uppercase());
            (name, cluster.url(spec.owner, spec.database))
        })
        .chain(pairs([("SHOPAPI_MODE", "dev".to_owned())]))
        .collect()
}

pub(crate) fn service_env(
    process: &str,
    ports: &PortMap,
    pki: &Pki,
    user_keys: &UserKeyFiles,
    cluster: &Cluster,
    nats: &Nats,
) -> Vec<(String, String)> {
    let (name, _) = service_of(process);
    let mut env = pairs([
        ("SHOPAPI_MODE", "dev".to_owned()),
        ("SHOPAPI_LOG_FORMAT", "text".to_owned()),
        ("SHOPAPI_TLS_DIR", path(&pki.dir_of(name))),
        ("SHOPAPI_SERVICE_KEY", path(&pki.jwt_key(name))),
        ("SHOPAPI_SERVICE_PUBLIC_KEYS", path(&pki.public_keys())),
        (
            "SHOPAPI_DATABASE_URL",
            cluster.url(name, &format!("{name}db")),
        ),
    ]);
    if cluster.durability() == Durability::Off {
        env.extend(pairs([(
            "SHOPAPI_ALLOW_UNSAFE_DURABILITY",
            "yes".to_owned(),
        )]));
    }
    if let Some(grpc) = ports.grpc_of(process) {
        env.extend(pairs([
            ("SHOPAPI_GRPC_ADDR", grpc.to_string()),
            // The gateway's is its public port.
            ("SHOPAPI_HEALTH_ADDR", ports.health_of(process).to_string()),
        ]));
    }
    env.extend(match name {
        "gateway" => pairs([
            ("SHOPAPI_HTTP_ADDR", loopback(ports.gateway).to_string()),
            ("SHOPAPI_ORDERS_URL", ports.urls_of("orders")),
            ("SHOPAPI_INVENTORY_URL", ports.urls_of("inventory")),
            ("SHOPAPI_USER_JWT_SECRET_FILE", path(&user_keys.current())),
            (
                "SHOPAPI_USER_JWT_SECRET_PREVIOUS_FILE",
                path(&user_keys.previous()),
            ),
            ("SHOPAPI_DEMO_USERS", DEMO_USERS.to_owned()),
        ]),
        "orders" => pairs([
            ("SHOPAPI_NATS_URL", nats.url()),
            ("SHOPAPI_INVENTORY_URL", ports.urls_of("inventory")),
            ("SHOPAPI_PAYMENTS_URL", ports.urls_of("payments")),
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
