//! From the environment to each service's configuration. The only place that knows the names of variables.
//!
//! A variable that is wrong is named with what to do; all of them are reported at once. Variables of other services are accepted, so
//! that one file can serve a whole stack; a `SHOPAPI_` variable that no service knows is refused, because it is a spelling mistake.

mod parse;
mod users;
mod wires;

use std::path::PathBuf;

use shopapi_gateway::TrustedProxies;
use shopapi_postgres::PgConfig;
use shopapi_postgres::migrate::Schema;
use shopapi_rpc::{BadEndpoints, Endpoints, Trust, TrustError};
use shopapi_telemetry::{LogFormat, Otel};

use crate::env::{Env, Problems};
use crate::healthcheck::Asked;
use parse::{addr, loopback};
use users::{certificate, demo_users, passwords, pinned, user_keys};
use wires::{bus, database, owned_database};

const MODE: &str = "SHOPAPI_MODE";
const LOG_FORMAT: &str = "SHOPAPI_LOG_FORMAT";
const DATABASE_URL: &str = "SHOPAPI_DATABASE_URL";
const PROVIDER_DATABASE_URL: &str = "SHOPAPI_PROVIDER_DATABASE_URL";
const NATS_URL: &str = "SHOPAPI_NATS_URL";
const NATS_STREAM_REPLICAS: &str = "SHOPAPI_NATS_STREAM_REPLICAS";
const HTTP_TLS_DIR: &str = "SHOPAPI_HTTP_TLS_DIR";
const HTTP_ADDR: &str = "SHOPAPI_HTTP_ADDR";
const GRPC_ADDR: &str = "SHOPAPI_GRPC_ADDR";
const HEALTH_ADDR: &str = "SHOPAPI_HEALTH_ADDR";
const TLS_DIR: &str = "SHOPAPI_TLS_DIR";
const DATABASE_CA: &str = "SHOPAPI_DATABASE_CA";
const NATS_CA: &str = "SHOPAPI_NATS_CA";
const ALLOW_UNSAFE_DURABILITY: &str = "SHOPAPI_ALLOW_UNSAFE_DURABILITY";
const SERVICE_KEY: &str = "SHOPAPI_SERVICE_KEY";
const SERVICE_PUBLIC_KEYS: &str = "SHOPAPI_SERVICE_PUBLIC_KEYS";
const ORDERS_URL: &str = "SHOPAPI_ORDERS_URL";
const INVENTORY_URL: &str = "SHOPAPI_INVENTORY_URL";
const PAYMENTS_URL: &str = "SHOPAPI_PAYMENTS_URL";
const USER_JWT_SECRET: &str = "SHOPAPI_USER_JWT_SECRET";
const USER_JWT_SECRET_PREVIOUS: &str = "SHOPAPI_USER_JWT_SECRET_PREVIOUS";
const DEMO_USERS: &str = "SHOPAPI_DEMO_USERS";
const TRUSTED_PROXIES: &str = "SHOPAPI_TRUSTED_PROXIES";
const MIGRATE_GATEWAY_URL: &str = "SHOPAPI_MIGRATE_GATEWAY_URL";
const MIGRATE_ORDERS_URL: &str = "SHOPAPI_MIGRATE_ORDERS_URL";
const MIGRATE_INVENTORY_URL: &str = "SHOPAPI_MIGRATE_INVENTORY_URL";
const MIGRATE_PAYMENTS_URL: &str = "SHOPAPI_MIGRATE_PAYMENTS_URL";
const MIGRATE_PROVIDER_URL: &str = "SHOPAPI_MIGRATE_PROVIDER_URL";
const RUST_LOG: &str = "RUST_LOG";
/// The short name that other programs of a stack use as well.
const LOG_FORMAT_SHORT: &str = "LOG_FORMAT";

/// What is logged unless `RUST_LOG` says otherwise. ractor's spans would only repeat what ours say.
const LOG_FILTER: &str = "info,ractor=warn";

/// How to come by a secret.
const A_SECRET: &str = "the output of `openssl rand -hex 32`";

/// Every `SHOPAPI_` variable of every command.
const KNOWN: [&str; 28] = [
    MODE,
    LOG_FORMAT,
    DATABASE_URL,
    PROVIDER_DATABASE_URL,
    NATS_URL,
    NATS_STREAM_REPLICAS,
    HTTP_ADDR,
    HTTP_TLS_DIR,
    GRPC_ADDR,
    HEALTH_ADDR,
    TLS_DIR,
    DATABASE_CA,
    NATS_CA,
    ALLOW_UNSAFE_DURABILITY,
    SERVICE_KEY,
    SERVICE_PUBLIC_KEYS,
    ORDERS_URL,
    INVENTORY_URL,
    PAYMENTS_URL,
    USER_JWT_SECRET,
    USER_JWT_SECRET_PREVIOUS,
    DEMO_USERS,
    TRUSTED_PROXIES,
    MIGRATE_GATEWAY_URL,
    MIGRATE_ORDERS_URL,
    MIGRATE_INVENTORY_URL,
    MIGRATE_PAYMENTS_URL,
    MIGRATE_PROVIDER_URL,
];

/// Shown by `shopapi --help`.
pub(crate) const HELP: &str = "\
Configuration comes from the environment:
  all         SHOPAPI_MODE=dev|prod (prod), RUST_LOG (info),
              LOG_FORMAT or SHOPAPI_LOG_FORMAT=text|json (text),
              OTEL_EXPORTER_OTLP_ENDPOINT and the other standard OTEL_ variables;
              RUST_LOG=debug or trace holds for our own crates, libraries stay at info: they would quote secrets
  services    SHOPAPI_TLS_DIR (tls.crt, tls.key, ca.crt), SHOPAPI_SERVICE_KEY (jwt.key),
              SHOPAPI_SERVICE_PUBLIC_KEYS (a directory of <service>.pem),
              SHOPAPI_DATABASE_CA, SHOPAPI_NATS_CA (ca.crt of SHOPAPI_TLS_DIR),
              SHOPAPI_NATS_STREAM_REPLICAS (1; orders and payments, for a cluster of servers),
              SHOPAPI_ALLOW_UNSAFE_DURABILITY=yes|no (no; dev only: a database without fsync)
  gateway     SHOPAPI_ORDERS_URL, SHOPAPI_INVENTORY_URL, SHOPAPI_DATABASE_URL,
              SHOPAPI_USER_JWT_SECRET [.._PREVIOUS], SHOPAPI_DEMO_USERS (dev),
              SHOPAPI_TRUSTED_PROXIES (none), SHOPAPI_HTTP_TLS_DIR (no TLS),
              SHOPAPI_HTTP_ADDR (127.0.0.1:8080),
              SHOPAPI_GRPC_ADDR (127.0.0.1:9000)
  orders      SHOPAPI_DATABASE_URL, SHOPAPI_NATS_URL, SHOPAPI_INVENTORY_URL, SHOPAPI_PAYMENTS_URL,
              SHOPAPI_GRPC_ADDR (127.0.0.1:9001), SHOPAPI_HEALTH_ADDR (127.0.0.1:9101)
  inventory   SHOPAPI_DATABASE_URL,
              SHOPAPI_GRPC_ADDR (127.0.0.1:9002), SHOPAPI_HEALTH_ADDR (127.0.0.1:9102)
  payments    SHOPAPI_DATABASE_URL, SHOPAPI_PROVIDER_DATABASE_URL, SHOPAPI_NATS_URL,
              SHOPAPI_GRPC_ADDR (127.0.0.1:9003), SHOPAPI_HEALTH_ADDR (127.0.0.1:9103)
  migrate     SHOPAPI_MIGRATE_GATEWAY_URL, .._ORDERS_URL, .._INVENTORY_URL, .._PAYMENTS_URL,
              .._PROVIDER_URL: the owners' URLs; those that are set are migrated
  healthcheck SHOPAPI_HEALTH_ADDR, or SHOPAPI_HTTP_ADDR and SHOPAPI_HTTP_TLS_DIR for the gateway
SHOPAPI_ORDERS_URL, _INVENTORY_URL and _PAYMENTS_URL name every replica: https://host:port[,https://host:port..];
a name stands for all its addresses and is looked up again every few seconds.
Any SHOPAPI_X may come as SHOPAPI_X_FILE: the trimmed content of that file is the value.";

type Telemetry = shopapi_telemetry::Config;

/// Configuration of `shopapi gateway`.
pub(crate) fn gateway(mut env: Env) -> Result<(Telemetry, shopapi_gateway::Config), Problems> {
    let telemetry = telemetry(&mut env, "gateway");
    let http_addr = env.or(HTTP_ADDR, loopback(8080), addr);
    let grpc_addr = env.or(GRPC_ADDR, loopback(9000), addr);
    let trust = trust(&mut env, "gateway");
    let orders_url = env.required(ORDERS_URL, "https://127.0.0.1:9001", endpoints);
    let inventory_url = env.required(INVENTORY_URL, "https://127.0.0.1:9002", endpoints);
    let user_keys = user_keys(&mut env);
    let database = database(&mut env, DATABASE_URL, "gatewaydb", "gateway");
    let trusted_proxies = env.or(TRUSTED_PROXIES, TrustedProxies::default(), str::parse);
    let demo_users = demo_users(&mut env);
    let http_tls = env.optional(HTTP_TLS_DIR, certificate);
    let passwords = passwords(&mut env);
    let config = (|| {
        Some(shopapi_gateway::Config {
            http_addr,
            grpc_addr,
            trust: trust?,
            orders_url: orders_url?,
            inventory_url: inventory_url?,
            database: database?,
            user_keys: user_keys?,
            passwords: passwords?,
            demo_users: demo_users?,
            http_tls,
            trusted_proxies,
            limits: shopapi_gateway::Limits::default(),
        })
    })();
    env.finish(&KNOWN, telemetry.zip(config))
}

/// Configuration of `shopapi orders`.
pub(crate) fn orders(mut env: Env) -> Result<(Telemetry, shopapi_orders::Config), Problems> {
    let telemetry = telemetry(&mut env, "orders");
    let grpc = env.or(GRPC_ADDR, loopback(9001), addr);
    let health = env.or(HEALTH_ADDR, loopback(9101), addr);
    let trust = trust(&mut env, "orders");
    let database = database(&mut env, DATABASE_URL, "ordersdb", "orders");
    let bus = bus(&mut env, "orders", trust.as_ref());
    let inventory = env.required(INVENTORY_URL, "https://127.0.0.1:9002", endpoints);
    let payments = env.required(PAYMENTS_URL, "https://127.0.0.1:9003", endpoints);
    let config = (|| {
        Some(shopapi_orders::Config {
            database: database?,
            bus: bus?,
            inventory: inventory?,
            payments: payments?,
            trust: trust?,
            grpc,
            health,
            saga: order_saga::SagaLimits::default(),
            limits: shopapi_orders::Limits::default(),
        })
    })();
    env.finish(&KNOWN, telemetry.zip(config))
}

/// Configuration of `shopapi inventory`.
pub(crate) fn inventory(mut env: Env) -> Result<(Telemetry, shopapi_inventory::Config), Problems> {
    let telemetry = telemetry(&mut env, "inventory");
    let grpc = env.or(GRPC_ADDR, loopback(9002), addr);
    let health = env.or(HEALTH_ADDR, loopback(9102), addr);
    let trust = trust(&mut env, "inventory");
    let database = database(&mut env, DATABASE_URL, "inventorydb", "inventory");
    let config = (|| {
        Some(shopapi_inventory::Config {
            database: database?,
            trust: trust?,
            grpc,
            health,
            limits: shopapi_inventory::Limits::default(),
        })
    })();
    env.finish(&KNOWN, telemetry.zip(config))
}

/// Configuration of `shopapi payments`.
pub(crate) fn payments(mut env: Env) -> Result<(Telemetry, shopapi_payments::Config), Problems> {
    let telemetry = telemetry(&mut env, "payments");
    let grpc_addr = env.or(GRPC_ADDR, loopback(9003), addr);
    let health_addr = env.or(HEALTH_ADDR, loopback(9103), addr);
    let trust = trust(&mut env, "payments");
    let database_config = database(&mut env, DATABASE_URL, "paymentsdb", "payments");
    let provider = database(&mut env, PROVIDER_DATABASE_URL, "providerdb", "provider");
    let bus = bus(&mut env, "payments", trust.as_ref());
    let config = (|| {
        Some(shopapi_payments::Config {
            grpc_addr,
            health_addr,
            trust: trust?,
            database: database_config?,
            provider_database: provider?,
            bus: bus?,
            policy: payment::Policy::default(),
            limits: shopapi_payments::Limits::default(),
        })
    })();
    env.finish(&KNOWN, telemetry.zip(config))
}

/// The databases of `shopapi migrate`, as their owners.
pub(crate) fn migrate(mut env: Env) -> Result<(Telemetry, Vec<(Schema, PgConfig)>), Problems> {
    let telemetry = telemetry(&mut env, "migrate");
    let mut any = false;
    let mut databases = Vec::new();
    for schema in Schema::ALL {
        let key = migrate_key(schema);
        any |= env.text(key).is_some();
        databases.extend(owned_database(&mut env, key).map(|config| (schema, config)));
    }
    if !any {
        env.problem(
            MIGRATE_ORDERS_URL,
            "and its siblings are missing: set the owner's URL of each database to migrate",
        );
    }
    env.finish(&KNOWN, telemetry.map(|telemetry| (telemetry, databases)))
}

/// Whom `shopapi healthcheck` asks: the health port in the clear, or the public one as it is served.
pub(crate) fn healthcheck(mut env: Env) -> Result<Asked, Problems> {
    let http = env.optional(HTTP_ADDR, addr);
    let health = env.optional(HEALTH_ADDR, addr);
    if env.text(HTTP_ADDR).is_none() && env.text(HEALTH_ADDR).is_none() {
        env.problem(
            HEALTH_ADDR,
            "is missing: set it (or SHOPAPI_HTTP_ADDR for the gateway) to the address the service listens on",
        );
    }
    let tls = match health {
        Some(_) => None,
        None => env.optional(HTTP_TLS_DIR, pinned),
    };
    let asked = health.or(http).map(|listens_at| Asked { listens_at, tls });
    env.finish(&KNOWN, asked)
}

const fn migrate_key(schema: Schema) -> &'static str {
    match schema {
        Schema::Gateway => MIGRATE_GATEWAY_URL,
        Schema::Orders => MIGRATE_ORDERS_URL,
        Schema::Inventory => MIGRATE_INVENTORY_URL,
        Schema::Payments => MIGRATE_PAYMENTS_URL,
        Schema::Provider => MIGRATE_PROVIDER_URL,
    }
}

fn telemetry(env: &mut Env, service_name: &'static str) -> Option<Telemetry> {
    let log_format = |text: &str| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be `text` or `json`"),
    };
    let short = env.or(LOG_FORMAT_SHORT, LogFormat::Text, log_format);
    let log_format = env.or(LOG_FORMAT, short, log_format);
    let otel = Otel::read(service_name, |key| env.text(key).map(str::to_owned));
    let otel = match otel {
        Ok(otel) => otel,
        Err(problems) => {
            for problem in problems {
                env.problem(&problem.key, problem.text);
            }
            return None;
        }
    };
    Some(Telemetry {
        service_name,
        service_version: env!("CARGO_PKG_VERSION"),
        log_format,
        log_filter: env.text(RUST_LOG).unwrap_or(LOG_FILTER).to_owned(),
        otel,
    })
}

/// Who this process is. A file that is unreadable, expired or does not fit is named together with its variable.
fn trust(env: &mut Env, service: &str) -> Option<Trust> {
    let path = |text: &str| Ok::<_, std::convert::Infallible>(PathBuf::from(text));
    let dir = env.required(TLS_DIR, &format!("pki/{service}"), path);
    let key = env.required(SERVICE_KEY, &format!("pki/{service}/jwt.key"), path);
    let public_keys = env.required(SERVICE_PUBLIC_KEYS, "pki/jwt-public", path);
    let (dir, key, public_keys) = (dir?, key?, public_keys?);
    match Trust::load(service, &dir, &key, &public_keys) {
        Ok(trust) => Some(trust),
        Err(error) => {
            let variable = match error {
                TrustError::Tls(_) | TrustError::OtherService { .. } => TLS_DIR,
                TrustError::Key(_) | TrustError::Unpublished { .. } => SERVICE_KEY,
            };
            env.problem(variable, format_args!("cannot be used: {error}"));
            None
        }
    }
}

/// Where the replicas of another service are.
fn endpoints(text: &str) -> Result<Endpoints, BadEndpoints> {
    text.parse()
}

#[cfg(test)]
mod tests;
