//! Whose books are read: one server with all databases, or a server for each.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use devstack::{AUDIT_ROLE, Cluster, PortMap, Secrets};
use shopapi_postgres::{ConfigError, PgConfig};
use tokio_postgres::Client;

/// Shown in `pg_stat_activity`.
const APPLICATION: &str = "shopctl audit";
/// Each read names its own.
const ANY_DATABASE: &str = "ordersdb";
/// The databases that keep books, with the names of their files of URLs.
const BOOKS: [(&str, &str); 4] = [
    ("ordersdb", "orders-url"),
    ("inventorydb", "inventory-url"),
    ("paymentsdb", "payments-url"),
    ("providerdb", "provider-url"),
];

/// The servers whose books are audited, as the audit's read-only role.
#[derive(Debug, Clone)]
pub struct Target {
    servers: Servers,
}

#[derive(Debug, Clone)]
enum Servers {
    /// All databases on one.
    One(Box<PgConfig>),
    /// By database.
    Each(BTreeMap<&'static str, PgConfig>),
}

impl Target {
    fn one(config: PgConfig) -> Self {
        Self {
            servers: Servers::One(Box::new(config)),
        }
    }

    /// The cluster of a stack.
    ///
    /// # Errors
    /// When the cluster's authority cannot be read.
    pub fn of_cluster(cluster: &Cluster) -> Result<Self> {
        Self::parse(&cluster.url(AUDIT_ROLE, ANY_DATABASE))
    }

    /// The stack that keeps its state in a directory.
    ///
    /// # Errors
    /// When its passwords or its authority cannot be read.
    pub fn of_state(state: &Path, ports: &PortMap) -> Result<Self> {
        let secrets = Secrets::load_or_create(&state.join("secrets"))?;
        let (port, password) = (ports.postgres, secrets.password(AUDIT_ROLE));
        let url = format!("postgres://{AUDIT_ROLE}:{password}@127.0.0.1:{port}/{ANY_DATABASE}");
        let ca = state.join("pki/ca.crt");
        Ok(Self::one(
            PgConfig::parse(&url, APPLICATION)?.trusting(&ca)?,
        ))
    }

    /// A server by URL; the database in it does not matter and may be left out.
    ///
    /// # Errors
    /// When it is no PostgreSQL URL.
    pub fn parse(url: &str) -> Result<Self> {
        let config = match PgConfig::parse(url, APPLICATION) {
            Err(ConfigError::Missing("database name")) => {
                let (server, query) = url.split_once('?').unwrap_or((url, ""));
                let server = server.trim_end_matches('/');
                PgConfig::parse(&format!("{server}/{ANY_DATABASE}?{query}"), APPLICATION)
            }
            parsed => parsed,
        };
        let config = config.map_err(|error| anyhow!("the database URL {error}"))?;
        Ok(Self::one(config))
    }

    /// A URL for each database, in files of a directory: `orders-url`, `inventory-url`, `payments-url`, `provider-url`. `ca` vouches for the servers
    /// unless a URL says `sslrootcert`.
    ///
    /// # Errors
    /// Names the file.
    pub fn of_files(dir: &Path, ca: &Path) -> Result<Self> {
        let mut each = BTreeMap::new();
        for (database, name) in BOOKS {
            let file = dir.join(name);
            let url = std::fs::read_to_string(&file)
                .with_context(|| format!("reading {}", file.display()))?;
            let config = PgConfig::parse(url.trim(), APPLICATION)
                .map_err(|error| anyhow!("the URL in {} {error}", file.display()))?;
            let config = config
                .trusting(ca)
                .with_context(|| format!("the server of {database}"))?;
            each.insert(database, config);
        }
        Ok(Self {
            servers: Servers::Each(each),
        })
    }

    /// A connection to one of the databases.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        let config = match &self.servers {
            Servers::One(config) => config.database_named(database),
            Servers::Each(each) => each
                .get(database)
                .with_context(|| format!("no URL for {database}"))?
                .clone(),
        };
        shopapi_postgres::connect(&config)
            .await
            .with_context(|| format!("connecting to {database}; is the stack running?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_may_be_left_out() {
        let url = "postgres://shopapi_audit:secret@127.0.0.1:5432?sslmode=disable";
        assert!(Target::parse(url).is_ok());
        assert!(Target::parse("127.0.0.1").is_err());
    }

    #[test]
    fn a_server_for_each_database_comes_from_files_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for (database, name) in BOOKS {
            let url = format!(
                "postgres://shopapi_audit:secret@{database}:5432/{database}?sslmode=disable\n"
            );
            std::fs::write(dir.path().join(name), url).unwrap();
        }
        let nowhere = dir.path().join("ca.crt");
        assert!(Target::of_files(dir.path(), &nowhere).is_ok());
        std::fs::remove_file(dir.path().join("provider-url")).unwrap();
        let error = Target::of_files(dir.path(), &nowhere).unwrap_err();
        assert!(format!("{error:#}").contains("provider-url"), "{error:#}");
    }
}
