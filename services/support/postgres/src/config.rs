//! Where a database is and who we are there, parsed once at start-up from a URL.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// How long one attempt to connect may take. Long enough for a loaded server, short enough that a readiness probe sees the outage.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// First keepalive probe on a silent connection: below the idle cut-off of common load balancers and NATs (60 s and more).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// Distance between keepalive probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Probes without an answer before the connection counts as dead: about 30 s after the last byte with the two above.
const KEEPALIVE_RETRIES: u32 = 3;
/// Sent data that nobody acknowledges for this long breaks the connection, so that a black hole is noticed while a statement waits.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// A validated database address with its credentials. `Debug` and `Display` leave the password out.
#[derive(Clone)]
pub struct PgConfig {
    /// Everything but the password.
    base: Config,
    password: Option<SecretString>,
    shown: String,
}

/// Why a database URL was refused. The text says what to change and never repeats the URL, which holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a PostgreSQL URL at all.
    #[error("must look like postgres://user:password@host:5432/database")]
    NotAUrl,
    /// The URL form is right but the driver refuses a part of it.
    #[error("is not a valid PostgreSQL URL: {0}")]
    Invalid(String),
    /// A part that we insist on is missing.
    #[error("has no {0}: use postgres://user:password@host:5432/database")]
    Missing(&'static str),
    /// Credentials and data would cross a network in the clear without anybody having said so.
    #[error(
        "names the host `{0}`, which is not this machine: add ?sslmode=disable to accept a plaintext connection on a private network"
    )]
    PlaintextNotAccepted(String),
    /// Encryption was asked for and cannot be given.
    #[error(
        "asks for sslmode=require, but this build has no TLS for PostgreSQL: use sslmode=disable on a private network"
    )]
    TlsUnavailable,
}

impl PgConfig {
    /// Parses `postgres://user:password@host[:port]/database[?sslmode=disable]`.
    ///
    /// `application` is shown in `pg_stat_activity`, so that an operator sees which part holds a connection.
    ///
    /// # Errors
    /// [`ConfigError`] names the part to change. The default `sslmode=prefer` silently falls back to plaintext, so a host that is not
    /// loopback needs an explicit `sslmode`.
    pub fn parse(url: &str, application: &str) -> Result<Self, ConfigError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(ConfigError::NotAUrl);
        }
        let parsed =
            Config::from_str(url).map_err(|error| ConfigError::Invalid(root_cause(&error)))?;
        let user = parsed.get_user().ok_or(ConfigError::Missing("user"))?;
        let database = parsed
            .get_dbname()
            .ok_or(ConfigError::Missing("database name"))?;
        if parsed.get_hosts().is_empty() {
            return Err(ConfigError::Missing("host"));
        }
        check_transport(&parsed, explicit_sslmode(url))?;

        let mut base = Config::new();
        base.user(user)
            .dbname(database)
            .application_name(application);
        for host in parsed.get_hosts() {
            match host {
                Host::Tcp(name) => base.host(name),
                #[cfg(unix)]
                Host::Unix(path) => base.host_path(path),
            };
        }
        for port in parsed.get_ports() {
            base.port(*port);
        }
        if let Some(options) = parsed.get_options() {
            base.options(options);
        }
        base.ssl_mode(SslMode::Disable)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED_MAX);
        let password = parsed
            .get_password()
            .map(|bytes| SecretString::from(String::from_utf8_lossy(bytes).into_owned()));
        let shown = format!("{user}@{}/{database}", shown_hosts(&parsed));
        Ok(Self {
            base,
            password,
            shown,
        })
    }

    /// The same database under another name in `pg_stat_activity`: one name per part of a service.
    #[must_use]
    pub fn named(&self, application: &str) -> Self {
        let mut copy = self.clone();
        copy.base.application_name(application);
        copy
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        self.base.get_dbname().unwrap_or_default()
    }

    /// The driver's own configuration, password included: for the connector only.
    pub(crate) fn driver(&self) -> Config {
        let mut config = self.base.clone();
        if let Some(password) = &self.password {
            config.password(password.expose_secret());
        }
        config
    }
}

impl fmt::Display for PgConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PgConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PgConfig({})", self.shown)
    }
}

/// True when the URL itself names an `sslmode`; the driver cannot tell its default from a wish.
fn explicit_sslmode(url: &str) -> bool {
    url.split_once('?')
        .is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("sslmode=")))
}

fn check_transport(parsed: &Config, explicit: bool) -> Result<(), ConfigError> {
    match parsed.get_ssl_mode() {
        SslMode::Disable => return Ok(()),
        SslMode::Prefer if !explicit => {}
        _ => return Err(ConfigError::TlsUnavailable),
    }
    for host in parsed.get_hosts() {
        if let Host::Tcp(name) = host
            && !is_loopback(name)
        {
            return Err(ConfigError::PlaintextNotAccepted(name.clone()));
        }
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn shown_hosts(parsed: &Config) -> String {
    let port = parsed.get_ports().first().copied().unwrap_or(5432);
    let hosts: Vec<String> = parsed
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    hosts.join(",")
}

/// The innermost message: the driver's outer one only says "invalid connection string".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_complete_url_is_taken_apart() {
        let config =
            PgConfig::parse("postgres://orders:s3cret@127.0.0.1:5433/ordersdb", "orders").unwrap();
        assert_eq!(config.database(), "ordersdb");
        assert_eq!(config.to_string(), "orders@127.0.0.1:5433/ordersdb");
        assert_eq!(config.driver().get_password(), Some(b"s3cret".as_slice()));
    }

    #[test]
    fn no_rendering_shows_the_password() {
        let config =
            PgConfig::parse("postgres://orders:s3cret@localhost/ordersdb", "orders").unwrap();
        assert!(!format!("{config} {config:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let parse = |url| PgConfig::parse(url, "t").unwrap_err();
        assert_eq!(parse("mysql://a@b/c"), ConfigError::NotAUrl);
        assert_eq!(
            parse("postgres://localhost/db"),
            ConfigError::Missing("user")
        );
        assert_eq!(
            parse("postgres://me@localhost"),
            ConfigError::Missing("database name")
        );
        assert_eq!(
            parse("postgres:///db?user=me"),
            ConfigError::Missing("host")
        );
        assert!(matches!(
            parse("postgres://me@localhost:99999/db"),
            ConfigError::Invalid(_)
        ));
    }

    #[test]
    fn plaintext_over_a_network_needs_to_be_asked_for() {
        let parse = |url| PgConfig::parse(url, "t");
        assert_eq!(
            parse("postgres://me:pw@db.example/x").unwrap_err(),
            ConfigError::PlaintextNotAccepted("db.example".to_owned())
        );
        assert!(parse("postgres://me:pw@db.example/x?sslmode=disable").is_ok());
        assert_eq!(
            parse("postgres://me:pw@localhost/x?sslmode=require").unwrap_err(),
            ConfigError::TlsUnavailable
        );
        assert_eq!(
            parse("postgres://me:pw@localhost/x?sslmode=prefer").unwrap_err(),
            ConfigError::TlsUnavailable
        );
    }

    proptest! {
        #[test]
        fn a_refusal_never_repeats_the_password(junk in "[a-z%@:/?=]{0,40}") {
            let url = format!("postgres://me:hunter2000@{junk}");
            if let Err(error) = PgConfig::parse(&url, "t") {
                prop_assert!(!error.to_string().contains("hunter2000"));
            }
        }
    }
}
