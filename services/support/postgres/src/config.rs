//! Where a database is and who we are there, parsed once at start-up from a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use shopapi_tls::TrustedRoots;
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
    transport: Transport,
    durable_only: bool,
}

/// How bytes reach the server.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    /// In the clear: asked for with `sslmode=disable`.
    Plaintext,
    /// TLS 1.3, the server's name and chain verified. Without roots no connection can be made.
    Tls(Option<TrustedRoots>),
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
    /// A mode that PostgreSQL does not know, or one that may end in plaintext.
    #[error(
        "has sslmode={0}: leave it out for a verified TLS connection, or say sslmode=disable for plaintext"
    )]
    UnknownSslMode(String),
    /// The certificates to verify the server with cannot be used.
    #[error("cannot verify the server: {0}")]
    Ca(String),
}

impl PgConfig {
    /// Parses `postgres://user:password@host[:port]/database[?sslmode=…&sslrootcert=…]`.
    ///
    /// Connections are TLS with the server's name and chain verified, whatever of `prefer`, `require`, `verify-ca` or `verify-full` the URL
    /// says; `sslmode=disable` means plaintext. `sslrootcert` names the CA file; see [`trusting`](Self::trusting) for another way.
    ///
    /// `application` is shown in `pg_stat_activity`, so that an operator sees which part holds a connection.
    ///
    /// # Errors
    /// [`ConfigError`] names the part to change.
    pub fn parse(url: &str, application: &str) -> Result<Self, ConfigError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(ConfigError::NotAUrl);
        }
        let (url, sslmode) = take_parameter(url, "sslmode");
        let (url, sslrootcert) = take_parameter(&url, "sslrootcert");
        let transport = transport(sslmode.as_deref(), sslrootcert.as_deref())?;
        let parsed =
            Config::from_str(&url).map_err(|error| ConfigError::Invalid(root_cause(&error)))?;
        let user = parsed.get_user().ok_or(ConfigError::Missing("user"))?;
        let database = parsed
            .get_dbname()
            .ok_or(ConfigError::Missing("database name"))?;
        if parsed.get_hosts().is_empty() {
            return Err(ConfigError::Missing("host"));
        }

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
        for address in parsed.get_hostaddrs() {
            base.hostaddr(*address);
        }
        for port in parsed.get_ports() {
            base.port(*port);
        }
        if let Some(options) = parsed.get_options() {
            base.options(options);
        }
        base.channel_binding(parsed.get_channel_binding());
        base.ssl_mode(match transport {
            Transport::Plaintext => SslMode::Disable,
            Transport::Tls(_) => SslMode::Require,
        })
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
            transport,
            durable_only: false,
        })
    }

    /// Verifies the server with the CAs of this file, unless the URL named another or asked for plaintext.
    ///
    /// # Errors
    /// [`ConfigError::Ca`] when the file cannot be used.
    pub fn trusting(mut self, ca: &Path) -> Result<Self, ConfigError> {
        if let Transport::Tls(roots @ None) = &mut self.transport {
            *roots = Some(load(ca.to_owned())?);
        }
        Ok(self)
    }

    /// Refuses every connection to a server that may forget what it has acknowledged (`fsync` or `synchronous_commit` off).
    #[must_use]
    pub fn durable_only(mut self) -> Self {
        self.durable_only = true;
        self
    }

    /// True when nobody has said yet how to verify the server; see [`trusting`](Self::trusting).
    #[must_use]
    pub fn needs_ca(&self) -> bool {
        matches!(self.transport, Transport::Tls(None))
    }

    /// Whether there is a password that answers the question.
    pub fn has_password(&self, question: impl FnOnce(&str) -> bool) -> bool {
        self.password
            .as_ref()
            .is_some_and(|password| question(password.expose_secret()))
    }

    /// True after [`durable_only`](Self::durable_only).
    #[must_use]
    pub fn is_durable_only(&self) -> bool {
        self.durable_only
    }

    /// True when the URL asked for plaintext.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        matches!(self.transport, Transport::Plaintext)
    }

    /// The same server and role, another database.
    #[must_use]
    pub fn database_named(&self, database: &str) -> Self {
        let mut copy = self.clone();
        copy.base.dbname(database);
        copy
    }

    /// The same database under another name in `pg_stat_activity`: one name per part of a service.
    #[must_use]
    pub fn named(&self, application: &str) -> Self {
        let mut copy = self.clone();
        copy.base.application_name(application);
        copy
    }

    /// The same database with these settings (name, value) on every connection from its first statement on. What the URL's own
    /// `options` say wins.
    #[must_use]
    pub fn with_settings(&self, settings: &[(&str, &str)]) -> Self {
        let mut options: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("-c {name}={}", escaped_option(value)))
            .collect();
        options.extend(self.base.get_options().map(str::to_owned));
        let mut copy = self.clone();
        copy.base.options(options.join(" "));
        copy
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        self.base.get_dbname().unwrap_or_default()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
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

fn transport(sslmode: Option<&str>, ca: Option<&str>) -> Result<Transport, ConfigError> {
    match sslmode {
        Some("disable") => Ok(Transport::Plaintext),
        // The driver's `prefer` falls back to plaintext without a word: whoever does not ask for plaintext gets TLS.
        None | Some("prefer" | "require" | "verify-ca" | "verify-full") => {
            Ok(Transport::Tls(match ca {
                Some(file) => Some(load(PathBuf::from(file))?),
                None => None,
            }))
        }
        Some(other) => Err(ConfigError::UnknownSslMode(other.to_owned())),
    }
}

fn load(ca: PathBuf) -> Result<TrustedRoots, ConfigError> {
    TrustedRoots::load(ca).map_err(|error| ConfigError::Ca(error.to_string()))
}

/// Takes one query parameter out of a URL: the driver refuses those it does not know. The last of several counts, as in libpq.
fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((path, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut taken = None;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((key, value)) if key == name => taken = Some(percent_decoded(value)),
            _ => kept.push(pair),
        }
    }
    let url = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", kept.join("&"))
    };
    (url, taken)
}

/// The server splits its options at spaces that no backslash precedes.
fn escaped_option(value: &str) -> String {
    value.replace('\\', "\\\\").replace(' ', "\\ ")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
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
    fn only_an_explicit_wish_ends_in_plaintext() {
        for mode in [
            "",
            "?sslmode=prefer",
            "?sslmode=require",
            "?sslmode=verify-ca",
            "?sslmode=verify-full",
        ] {
            let config =
                PgConfig::parse(&format!("postgres://me:pw@localhost/x{mode}"), "t").unwrap();
            assert!(!config.is_plaintext(), "{mode}");
            assert_eq!(config.driver().get_ssl_mode(), SslMode::Require, "{mode}");
        }
        let plain = PgConfig::parse(
            "postgres://me:pw@db/x?options=-c%20a%3Db&sslmode=disable",
            "t",
        )
        .unwrap();
        assert!(plain.is_plaintext());
        assert_eq!(plain.driver().get_ssl_mode(), SslMode::Disable);
        assert_eq!(plain.driver().get_options(), Some("-c a=b"));
        assert_eq!(
            PgConfig::parse("postgres://me:pw@db/x?sslmode=allow", "t").unwrap_err(),
            ConfigError::UnknownSslMode("allow".to_owned())
        );
    }

    #[test]
    fn settings_go_before_what_the_url_asks_for() {
        let url = "postgres://me:pw@db/x?options=-c%20jit%3Don&sslmode=disable";
        let config = PgConfig::parse(url, "t")
            .unwrap()
            .with_settings(&[("jit", "off"), ("search_path", r"a, b\c")]);
        assert_eq!(
            config.driver().get_options(),
            Some(r"-c jit=off -c search_path=a,\ b\\c -c jit=on")
        );
    }

    #[test]
    fn a_ca_file_that_cannot_be_used_is_named() {
        let url = "postgres://me:pw@db/x?sslrootcert=/no%20where/ca.crt";
        let error = PgConfig::parse(url, "t").unwrap_err().to_string();
        assert!(
            error.contains("/no where/ca.crt") && !error.contains("pw"),
            "{error}"
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
