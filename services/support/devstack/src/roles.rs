//! The databases and who may use them: one owner per database, who migrates; one role per service, which may do
//! what the migrations grant it; one role that only reads, for the audit.

use std::fmt::Write as _;
use std::net::SocketAddr;

use shopapi_postgres::PgConfig;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::pki::Pki;
use crate::secrets::Secrets;

/// The bootstrap superuser of the private cluster. No service knows it.
pub const SUPERUSER: &str = "postgres";
/// Reads every database, writes none.
pub const AUDIT_ROLE: &str = "shopapi_audit";

/// One database with its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSpec {
    /// The service it belongs to, as in `migrations/<service>`.
    pub service: &'static str,
    /// The database.
    pub database: &'static str,
    /// Owns it and runs the migrations.
    pub owner: &'static str,
    /// What the service connects as.
    pub runtime: &'static str,
}

/// All databases of the system.
pub const DATABASES: [DatabaseSpec; 5] = [
    spec("orders", "ordersdb", "orders_owner"),
    spec("inventory", "inventorydb", "inventory_owner"),
    spec("payments", "paymentsdb", "payments_owner"),
    spec("gateway", "gatewaydb", "gateway_owner"),
    spec("provider", "providerdb", "provider_owner"),
];

const fn spec(service: &'static str, database: &'static str, owner: &'static str) -> DatabaseSpec {
    DatabaseSpec {
        service,
        database,
        owner,
        runtime: service,
    }
}

/// Time limits of a kind of role: a dropped future does not stop the server's query, so the server itself must.
struct Limits {
    /// The longest statement.
    statement: &'static str,
    /// The longest wait for a lock.
    lock: &'static str,
    /// The longest pause inside a transaction: a frozen client must not keep its locks.
    idle_in_transaction: &'static str,
}

/// A batch of 256 entries takes milliseconds; whatever takes seconds is stuck.
const RUNTIME_LIMITS: Limits = Limits {
    statement: "10s",
    lock: "2s",
    idle_in_transaction: "5s",
};
/// A migration may rewrite a table, but must not queue everybody behind a lock it waits for.
const OWNER_LIMITS: Limits = Limits {
    statement: "10min",
    lock: "10s",
    idle_in_transaction: "60s",
};
/// The audit reads whole tables and keeps one snapshot over several statements.
const AUDIT_LIMITS: Limits = Limits {
    statement: "2min",
    lock: "5s",
    idle_in_transaction: "2min",
};

/// Creates the databases and roles that are missing. Safe to repeat.
pub(crate) async fn provision(cluster: &Cluster) -> Result<(), Error> {
    let secrets = cluster.secrets();
    let client = connect(cluster, SUPERUSER, "postgres").await?;
    provision_with(&client, &DATABASES, &|role| {
        secrets.password(role).to_owned()
    })
    .await?;
    // A fresh server lets everybody into its own databases; a service has business only in its own.
    client
        .batch_execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        .await
        .map_err(Error::database("closing the server's own databases"))
}

/// Creates what is missing of some databases and their roles on the server of `client`, a superuser's connection, and
/// gives every role the password and the time limits it should have. Safe to repeat; at most one at a time per server.
///
/// # Errors
/// [`Error::Database`] when the server refuses.
pub async fn provision_with(
    client: &Client,
    specs: &[DatabaseSpec],
    password: &(dyn Fn(&str) -> String + Sync),
) -> Result<(), Error> {
    let doing = "creating roles and databases";
    let existing: Vec<String> = client
        .query(
            "SELECT rolname::text FROM pg_roles UNION ALL SELECT datname::text FROM pg_database",
            &[],
        )
        .await
        .map_err(Error::database(doing))?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let missing = |name: &str| !existing.iter().any(|have| have == name);

    let mut sql = String::new();
    let mut role = |role: &str, limits: &Limits| {
        if missing(role) {
            sql += &format!("CREATE ROLE {role} LOGIN;\n");
        }
        sql += &role_settings(role, &password(role), limits);
    };
    for spec in specs {
        role(spec.owner, &OWNER_LIMITS);
        role(spec.runtime, &RUNTIME_LIMITS);
    }
    role(AUDIT_ROLE, &AUDIT_LIMITS);
    sql += &format!("ALTER ROLE {AUDIT_ROLE} SET default_transaction_read_only = on;\n");
    client
        .batch_execute(&sql)
        .await
        .map_err(Error::database(doing))?;

    for spec in specs.iter().filter(|spec| missing(spec.database)) {
        let DatabaseSpec {
            database,
            owner,
            runtime,
            ..
        } = spec;
        // CREATE DATABASE runs outside transactions: one statement, one call.
        client
            .batch_execute(&format!("CREATE DATABASE {database} OWNER {owner}"))
            .await
            .map_err(Error::database(doing))?;
        client
            .batch_execute(&format!(
                "REVOKE ALL ON DATABASE {database} FROM PUBLIC;\n\
                 GRANT CONNECT ON DATABASE {database} TO {runtime}, {AUDIT_ROLE};"
            ))
            .await
            .map_err(Error::database(doing))?;
    }
    Ok(())
}

fn role_settings(role: &str, password: &str, limits: &Limits) -> String {
    let Limits {
        statement,
        lock,
        idle_in_transaction,
    } = limits;
    let password = password.replace('\'', "''");
    format!(
        "ALTER ROLE {role} PASSWORD '{password}';\n\
         ALTER ROLE {role} SET statement_timeout = '{statement}';\n\
         ALTER ROLE {role} SET lock_timeout = '{lock}';\n\
         ALTER ROLE {role} SET idle_in_transaction_session_timeout = '{idle_in_transaction}';\n"
    )
}

/// A connection URL: libpq and everything else reads it alike.
pub(crate) fn url(
    addr: SocketAddr,
    role: &str,
    database: &str,
    secrets: &Secrets,
    pki: &Pki,
) -> String {
    format!(
        "postgres://{role}:{}@{addr}/{database}?sslmode=verify-full&sslrootcert={}",
        secrets.password(role),
        percent_encoded(&pki.ca_file().to_string_lossy())
    )
}

/// A path as a part of a URL.
fn percent_encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

pub(crate) async fn connect(
    cluster: &Cluster,
    role: &str,
    database: &str,
) -> Result<Client, Error> {
    let config = PgConfig::parse(&cluster.url(role, database), "devstack")
        .map_err(|error| Error::Step(format!("the database URL {error}")))?;
    shopapi_postgres::connect(&config).await.map_err(|error| {
        if error.code() == Some(&SqlState::INVALID_PASSWORD) {
            Error::SecretsMismatch {
                file: cluster.secrets().file().to_owned(),
            }
        } else {
            Error::database(format!("connecting to {database} as {role}"))(error)
        }
    })
}
