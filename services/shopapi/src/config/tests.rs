use std::sync::LazyLock;

use tempfile::TempDir;

use super::parse::bus_options;
use super::*;

const SECRET: &str = "b7f3a9d05c1e48826f0d9e3ba4c57186";
const USER: &str = "ann@example.test:hunter2000:00000000-0000-4000-8000-000000000001";

/// Everybody's keys and certificates.
static SET: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    devstack::Pki::load_or_create(dir.path()).unwrap();
    dir
});

/// Who a service is.
fn identity_of(service: &str) -> [(&'static str, &'static str); 3] {
    let file = |path: String| -> &'static str { path.leak() };
    let set = SET.path().display();
    [
        (TLS_DIR, file(format!("{set}/{service}"))),
        (SERVICE_KEY, file(format!("{set}/{service}/jwt.key"))),
        (SERVICE_PUBLIC_KEYS, file(format!("{set}/jwt-public"))),
    ]
}

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::new(
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into())),
    )
}

fn gateway_pairs() -> Vec<(&'static str, &'static str)> {
    let mut pairs = identity_of("gateway").to_vec();
    pairs.extend([
        (ORDERS_URL, "https://127.0.0.1:9001"),
        (INVENTORY_URL, "https://127.0.0.1:9002"),
        (USER_JWT_SECRET, SECRET),
        (DATABASE_URL, "postgres://gateway:pw@127.0.0.1/gatewaydb"),
    ]);
    pairs
}

fn with(
    mut pairs: Vec<(&'static str, &'static str)>,
    key: &'static str,
    value: &'static str,
) -> Env {
    pairs.retain(|(known, _)| *known != key);
    pairs.push((key, value));
    env(&pairs)
}

/// The variables that a refusal names.
fn named<T>(result: Result<T, Problems>) -> Vec<String> {
    let problems = result.err().expect("the configuration was accepted").0;
    problems
        .iter()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_least_configuration_is_enough_and_listens_on_loopback() {
    let (telemetry, config) = gateway(env(&gateway_pairs())).unwrap();
    assert_eq!(config.http_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(
        (telemetry.service_name, telemetry.log_filter.as_str()),
        ("gateway", LOG_FILTER)
    );
    assert!(telemetry.otel.traces.is_none());

    let database = (
        DATABASE_URL,
        "postgres://inventory:pw@127.0.0.1/inventorydb",
    );
    let mut pairs = identity_of("inventory").to_vec();
    pairs.push(database);
    let (_, config) = inventory(env(&pairs)).unwrap();
    assert_eq!(config.grpc.to_string(), "127.0.0.1:9002");
    assert_eq!(config.health.to_string(), "127.0.0.1:9102");
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    assert_eq!(
        named(gateway(env(&[]))),
        [
            TLS_DIR,
            SERVICE_KEY,
            SERVICE_PUBLIC_KEYS,
            ORDERS_URL,
            INVENTORY_URL,
            USER_JWT_SECRET,
            DATABASE_URL
        ]
    );
    assert_eq!(
        named(orders(env(&[]))),
        [
            TLS_DIR,
            SERVICE_KEY,
            SERVICE_PUBLIC_KEYS,
            DATABASE_URL,
            NATS_URL,
            INVENTORY_URL,
            PAYMENTS_URL
        ]
    );
    assert_eq!(
        named(inventory(env(&[]))),
        [TLS_DIR, SERVICE_KEY, SERVICE_PUBLIC_KEYS, DATABASE_URL]
    );
    assert_eq!(
        named(payments(env(&[]))),
        [
            TLS_DIR,
            SERVICE_KEY,
            SERVICE_PUBLIC_KEYS,
            DATABASE_URL,
            PROVIDER_DATABASE_URL,
            NATS_URL
        ]
    );
    assert_eq!(named(migrate(env(&[]))), [MIGRATE_ORDERS_URL]);
    assert_eq!(named(healthcheck(env(&[]))), [HEALTH_ADDR]);
}

#[test]
fn every_wrong_value_names_its_variable() {
    for (key, value) in [
        (MODE, "test"),
        (LOG_FORMAT, "xml"),
        (HTTP_ADDR, "8080"),
        (HTTP_ADDR, "localhost:8080"),
        (ORDERS_URL, "127.0.0.1:9001"),
        (ORDERS_URL, "http://orders:9001"),
        (ORDERS_URL, "https://orders:9001/path"),
        (INVENTORY_URL, "https://"),
        (USER_JWT_SECRET, "short"),
        (USER_JWT_SECRET_PREVIOUS, "short"),
        (TRUSTED_PROXIES, "0.0.0.0/0"),
        (TRUSTED_PROXIES, "the proxy"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "all"),
        ("SHOPAPI_HTTP_ADR", "127.0.0.1:1"),
    ] {
        assert_eq!(
            named(gateway(with(gateway_pairs(), key, value))),
            [key],
            "{value}"
        );
    }
    let mut postgres = identity_of("inventory").to_vec();
    postgres.push((DATABASE_URL, "mysql://x"));
    assert_eq!(named(inventory(env(&postgres))), [DATABASE_URL]);
}

#[test]
fn demo_users_are_for_development() {
    let mut pairs = gateway_pairs();
    pairs.push((DEMO_USERS, USER));
    assert_eq!(named(gateway(env(&pairs))), [DEMO_USERS]);
    assert!(gateway(with(pairs.clone(), MODE, "dev")).is_ok());
    pairs.push((MODE, "dev"));
    assert_eq!(
        named(gateway(with(pairs, DEMO_USERS, "nonsense"))),
        [DEMO_USERS]
    );
}

#[test]
fn variables_of_other_services_are_accepted() {
    let mut pairs = gateway_pairs();
    pairs.extend(
        KNOWN
            .iter()
            .filter(|key| !key.contains("DEMO"))
            .map(|key| (*key, "")),
    );
    pairs.retain({
        let mut seen = std::collections::HashSet::new();
        move |(key, _)| seen.insert(*key)
    });
    assert!(gateway(env(&pairs)).is_ok());
}

#[test]
fn no_refusal_repeats_a_secret() {
    let mut pairs = identity_of("orders").to_vec();
    pairs.extend([
        (
            DATABASE_URL,
            "postgres://me:hunter2000@db.example/x?sslmode=disable",
        ),
        (NATS_URL, "nats://me:hunter2000@"),
        (INVENTORY_URL, "https://me:hunter2000@x/y"),
        (PAYMENTS_URL, "hunter2000"),
    ]);
    let problems = orders(env(&pairs)).err().unwrap();
    assert_eq!(problems.0.len(), 4, "{problems}");
    assert!(!problems.to_string().contains("hunter2000"), "{problems}");

    let short = with(gateway_pairs(), USER_JWT_SECRET, "hunter2000");
    assert!(
        !gateway(short)
            .err()
            .unwrap()
            .to_string()
            .contains("hunter2000")
    );
    let mut demo = gateway_pairs();
    demo.extend([(MODE, "dev"), (DEMO_USERS, "a@b:hunter2000:7")]);
    assert!(
        !gateway(env(&demo))
            .err()
            .unwrap()
            .to_string()
            .contains("hunter2000")
    );
}

#[test]
fn nats_credentials_are_taken_out_of_the_url() {
    let options = bus_options("nats://me:pw@a:4222, nats://b:4222/", "orders").unwrap();
    assert_eq!(options.url, "nats://a:4222,nats://b:4222");
    assert_eq!(
        options
            .credentials
            .map(|found| (found.user, found.password)),
        Some(("me".to_owned(), "pw".to_owned()))
    );
    for bad in [
        "http://a",
        "nats://",
        "nats://:4222",
        "nats://a/b",
        "nats://me@a",
        "",
    ] {
        assert!(bus_options(bad, "orders").is_err(), "{bad}");
    }
}

#[test]
fn streams_get_the_copies_that_are_asked_for() {
    let mut pairs = identity_of("payments").to_vec();
    pairs.extend([
        (DATABASE_URL, "postgres://payments:pw@127.0.0.1/paymentsdb"),
        (
            PROVIDER_DATABASE_URL,
            "postgres://provider:pw@127.0.0.1/providerdb",
        ),
        (NATS_URL, "nats://127.0.0.1:4222"),
    ]);
    let copies = |env| payments(env).map(|(_, config)| config.bus.stream_replicas);
    assert_eq!(copies(env(&pairs)).unwrap(), 1);
    let three = with(pairs.clone(), NATS_STREAM_REPLICAS, "3");
    assert_eq!(copies(three).unwrap(), 3);
    for wrong in ["0", "6", "-1", "three"] {
        let refused = copies(with(pairs.clone(), NATS_STREAM_REPLICAS, wrong));
        assert_eq!(named(refused), [NATS_STREAM_REPLICAS], "{wrong}");
    }
}

#[test]
fn migrate_takes_the_databases_that_are_set() {
    let url = "postgres://orders_owner:pw@127.0.0.1/ordersdb";
    // The owners' passwords cross the network as well: without a CA nobody can be verified.
    assert_eq!(
        named(migrate(env(&[(MIGRATE_ORDERS_URL, url)]))),
        [DATABASE_CA]
    );
    let ca = SET.path().join("ca.crt");
    let verified = [
        (MIGRATE_ORDERS_URL, url),
        (DATABASE_CA, ca.to_str().unwrap()),
    ];
    let (_, databases) = migrate(env(&verified)).unwrap();
    assert_eq!(databases.len(), 1);
    assert_eq!(databases[0].0, Schema::Orders);
    assert_eq!(
        named(migrate(env(&[(MIGRATE_ORDERS_URL, "x")]))),
        [MIGRATE_ORDERS_URL]
    );
}

#[test]
fn the_health_port_comes_before_the_public_one() {
    let both = [
        (HTTP_ADDR, "127.0.0.1:8080"),
        (HEALTH_ADDR, "127.0.0.1:9101"),
    ];
    let asked = |pairs: &[(&str, &str)]| healthcheck(env(pairs)).unwrap().listens_at.port();
    assert_eq!(asked(&both), 9101);
    assert_eq!(asked(&both[..1]), 8080);
    let nowhere = (HTTP_TLS_DIR, "/nonexistent");
    assert_eq!(named(healthcheck(env(&[both[0], nowhere]))), [HTTP_TLS_DIR]);
    // The health port has no TLS, whatever the public one has.
    assert_eq!(asked(&[both[1], nowhere]), 9101);
}

#[test]
fn the_help_names_every_variable() {
    for key in KNOWN {
        let listed = HELP.contains(key)
            || HELP.contains(&key.replace("SHOPAPI_USER_JWT_SECRET", ".."))
            || HELP.contains(&key.replace("SHOPAPI_MIGRATE", ".."));
        assert!(listed, "{key}");
    }
}

#[test]
fn a_service_starts_only_with_an_identity_of_its_own() {
    let [dir, key, keys] = identity_of("gateway");
    for (key_of_variable, value, says) in [
        (
            TLS_DIR,
            identity_of("orders")[0].1,
            "names orders, but this process is gateway",
        ),
        (TLS_DIR, "/nowhere", "cannot be read"),
        (
            SERVICE_KEY,
            identity_of("orders")[1].1,
            "has no public half for gateway",
        ),
        (SERVICE_KEY, dir.1, "cannot be read"),
        (SERVICE_PUBLIC_KEYS, dir.1, "holds no *.pem"),
    ] {
        let refused = gateway(with(gateway_pairs(), key_of_variable, value));
        let text = refused.err().unwrap().to_string();
        assert!(text.contains(says), "{text}");
    }
    let again = gateway_pairs();
    assert!(again.contains(&dir) && again.contains(&key) && again.contains(&keys));
    assert!(gateway(env(&again)).is_ok());
}
