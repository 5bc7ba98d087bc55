//! `shopctl provision` and `shopctl offer`: what database servers need before the migrations, and a shop after them.
//!
//! ```text
//! provision: roles, databases, time limits (as the superuser)  →  shopapi migrate (as the owners)  →  offer (as inventory's owner)
//! ```
//!
//! The roles and their limits are those of `devstack`: one truth for development, compose and Kubernetes. Both commands may be repeated.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use devstack::{DATABASES, DatabaseSpec, SUPERUSER, provision_with};
use shopapi_postgres::PgConfig;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::catalogue::{offer as put_on_offer, small, wide};
use crate::ui::Ui;

/// How long a server may take to accept connections: platforms start us beside it.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const APPLICATION: &str = "shopctl provision";

/// `shopctl provision`
#[derive(Debug, Args)]
pub struct ProvisionArgs {
    /// What lives where: `orders@orders-db:5432`, `payments,provider@payments-db:5432`
    #[arg(required = true, value_name = "SERVICE[,SERVICE]@HOST:PORT")]
    servers: Vec<Server>,
    /// A folder with a file for each password: named by the role, and by the host for its superuser
    #[arg(long, value_name = "DIR", env = "SHOPCTL_PASSWORDS")]
    passwords: PathBuf,
    /// The CAs that vouch for the servers; without it the connections are plaintext
    #[arg(long, value_name = "FILE", env = "SHOPCTL_DATABASE_CA")]
    ca: Option<PathBuf>,
}

/// `shopctl offer`
#[derive(Debug, Args)]
pub struct OfferArgs {
    /// A file with the URL of `inventorydb` as its owner
    #[arg(long, value_name = "FILE", env = "SHOPCTL_OFFER_URL_FILE")]
    url_file: PathBuf,
    /// The CAs that vouch for the server
    #[arg(long, value_name = "FILE", env = "SHOPCTL_DATABASE_CA")]
    ca: Option<PathBuf>,
    /// Also this many products that no load can sell out, for load and fault tests
    #[arg(
        long,
        value_name = "N",
        env = "SHOPCTL_OFFER_FOR_LOAD",
        default_value_t = 0
    )]
    for_load: usize,
}

/// One database server and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    specs: Vec<DatabaseSpec>,
    host: String,
    port: u16,
}

impl FromStr for Server {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('@').and_then(|(services, address)| {
            let (host, port) = address.rsplit_once(':')?;
            Some((services, host, port.parse().ok()?))
        });
        let Some((services, host, port)) = parts else {
            bail!("`{text}` is not of the form SERVICE@HOST:PORT");
        };
        let specs = services
            .split(',')
            .map(|service| {
                let spec = DATABASES.iter().find(|spec| spec.service == service);
                spec.copied().ok_or_else(|| {
                    let known = DATABASES.map(|spec| spec.service).join(", ");
                    anyhow!("`{service}` has no database; those that have: {known}")
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            specs,
            host: host.to_owned(),
            port,
        })
    }
}

/// Creates what is missing on every server.
///
/// # Errors
/// Names the server, and what it said.
pub async fn run(args: &ProvisionArgs, ui: &Ui) -> Result<ExitCode> {
    for server in &args.servers {
        let Server { specs, host, port } = server;
        let password = secret(&args.passwords.join(host))?;
        let sslmode = if args.ca.is_some() {
            "require"
        } else {
            "disable"
        };
        let url =
            format!("postgres://{SUPERUSER}:{password}@{host}:{port}/postgres?sslmode={sslmode}");
        let client = patiently(&config(&url, args.ca.as_deref())?, ui).await?;
        let mut passwords = std::collections::BTreeMap::new();
        for role in roles(specs) {
            passwords.insert(role, secret(&args.passwords.join(role))?);
        }
        provision_with(&client, specs, &|role| {
            passwords.get(role).cloned().unwrap_or_default()
        })
        .await
        .with_context(|| format!("provisioning {host}"))?;
        let names: Vec<&str> = specs.iter().map(|spec| spec.database).collect();
        ui.line(format!("{host}: {} and their roles", names.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the small catalogue on offer, as soon as the migration has been there; what is on offer already stays as it is.
///
/// # Errors
/// When the database refuses, or is not migrated within a minute.
pub async fn offer(args: &OfferArgs, ui: &Ui) -> Result<ExitCode> {
    let config = config(&secret(&args.url_file)?, args.ca.as_deref())?;
    let mut products = small();
    products.extend(wide(args.for_load));
    let client = patiently(&config, ui).await?;
    let give_up = Instant::now() + WAIT_MAX;
    while let Err(error) = put_on_offer(&client, &products).await {
        if !is_before_migration(&error) || Instant::now() > give_up {
            return Err(error);
        }
        ui.busy("waiting for the migration of inventorydb");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ui.line(format!("{} products are on offer", products.len()));
    Ok(ExitCode::SUCCESS)
}

/// Platforms start chores side by side: what the migration makes may not be there yet.
fn is_before_migration(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<tokio_postgres::Error>()
        .and_then(tokio_postgres::Error::code)
        .is_some_and(|code| {
            [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_TABLE].contains(code)
        })
}

fn roles(specs: &[DatabaseSpec]) -> impl Iterator<Item = &'static str> {
    specs
        .iter()
        .flat_map(|spec| [spec.owner, spec.runtime])
        .chain([devstack::AUDIT_ROLE])
}

/// A secret is a file's content without the line end that editors add.
fn secret(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading {}; make it with gen-secrets.sh", file.display()))?;
    let text = text.trim();
    if text.is_empty() {
        bail!("{} is empty", file.display());
    }
    Ok(text.to_owned())
}

fn config(url: &str, ca: Option<&Path>) -> Result<PgConfig> {
    let config = PgConfig::parse(url, APPLICATION).context("the database URL")?;
    Ok(match ca {
        Some(ca) => config.trusting(ca)?,
        None => config,
    })
}

/// Waits for a server that is not there yet; an answer that says no is final.
async fn patiently(config: &PgConfig, ui: &Ui) -> Result<Client> {
    let give_up = Instant::now() + WAIT_MAX;
    loop {
        match shopapi_postgres::connect(config).await {
            Ok(client) => return Ok(client),
            Err(error) if error.as_db_error().is_none() && Instant::now() < give_up => {
                ui.busy(&format!("waiting for {config}"));
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("connecting to {config}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_hold_several_databases() {
        let server: Server = "payments,provider@payments-db:5432".parse().unwrap();
        let databases: Vec<&str> = server.specs.iter().map(|spec| spec.database).collect();
        assert_eq!(databases, ["paymentsdb", "providerdb"]);
        assert_eq!((server.host.as_str(), server.port), ("payments-db", 5432));
    }

    #[test]
    fn what_is_no_server_is_refused_with_the_way_out() {
        for (text, reason) in [
            ("orders", "SERVICE@HOST:PORT"),
            ("orders@host", "SERVICE@HOST:PORT"),
            ("orders@host:many", "SERVICE@HOST:PORT"),
            ("oders@host:5432", "those that have: orders, inventory"),
        ] {
            let error = text.parse::<Server>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_is_read_without_its_line_end_and_never_empty() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("orders");
        std::fs::write(&file, "abc\n").unwrap();
        assert_eq!(secret(&file).unwrap(), "abc");
        std::fs::write(&file, "\n").unwrap();
        assert!(secret(&file).unwrap_err().to_string().contains("is empty"));
        assert!(secret(&dir.path().join("absent")).is_err());
    }
}
