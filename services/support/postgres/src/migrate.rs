//! Forward-only migrations, embedded from `migrations/<schema>/V*.sql` and run under a lock.
//!
//! Safe to run twice and by several processes at once: an advisory lock on the connection lets one work while the others wait and then
//! find nothing to do. A database that is *newer* than this program is refused, because an old program must not judge a schema it does
//! not know; so is one whose applied files were edited afterwards.
//!
//! Run it as the owner of the database. It is the only part that holds a session lock, and it ends with the process.

use std::time::Duration;

use deadpool_postgres::Client;
use refinery::{Migration, Runner};
use tracing::{info, warn};

use crate::config::PgConfig;
use crate::session::Session;
use crate::sqlstate::{Disconnected, Failure, FailureClass, describe};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
    pub(super) const fn of(schema: super::Schema) -> &'static [(&'static str, &'static str)] {
        match schema {
            super::Schema::Gateway => GATEWAY,
            super::Schema::Orders => ORDERS,
            super::Schema::Inventory => INVENTORY,
            super::Schema::Payments => PAYMENTS,
            super::Schema::Provider => PROVIDER,
        }
    }
}

/// Key of the advisory lock: an arbitrary number that nothing else in these databases uses ("shopmigr" in ASCII).
const LOCK_KEY: i64 = 0x7368_6f70_6d69_6772;
/// How long to wait for another process that migrates; its work is short or it needs a person.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How long a migration may wait for a table lock before it gives up and lets the traffic through again.
const TABLE_LOCK_WAIT: Duration = Duration::from_secs(10);

/// The databases that have migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `gatewaydb`
    Gateway,
    /// `ordersdb`
    Orders,
    /// `inventorydb`
    Inventory,
    /// `paymentsdb`
    Payments,
    /// `providerdb`, the books of the simulated payment provider
    Provider,
}

impl Schema {
    /// Every schema, in the order in which they are migrated.
    pub const ALL: [Self; 5] = [
        Self::Gateway,
        Self::Orders,
        Self::Inventory,
        Self::Payments,
        Self::Provider,
    ];

    /// The name of its directory below `migrations/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Orders => "orders",
            Self::Inventory => "inventory",
            Self::Payments => "payments",
            Self::Provider => "provider",
        }
    }

    /// The newest version that this program knows; 0 when it has no migrations.
    ///
    /// # Errors
    /// [`MigrateError::BadFile`] when an embedded file has a name that refinery refuses.
    pub fn version(self) -> Result<i32, MigrateError> {
        Ok(newest(&migrations(embedded::of(self))?))
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The migrations that this run applied, oldest first; empty when there was nothing to do.
    pub applied: Vec<String>,
    /// The version of the schema afterwards.
    pub version: i32,
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database is not reachable.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    /// Somebody else holds the migration lock.
    #[error("another process has been migrating `{database}` for more than {} s: look for it in pg_stat_activity, then run this again", LOCK_WAIT.as_secs())]
    Busy {
        /// The database.
        database: String,
    },
    /// The schema comes from a newer program.
    #[error(
        "`{database}` has schema version {found}, this program knows only up to {known}: use the newer program, migrations do not go backwards"
    )]
    SchemaTooNew {
        /// The database.
        database: String,
        /// The version found there.
        found: i32,
        /// The newest version embedded here.
        known: i32,
    },
    /// An applied file was edited, a migration failed, or a file is missing.
    #[error("`{database}`: {text}")]
    Failed {
        /// The database.
        database: String,
        /// What the database or refinery said.
        text: String,
    },
    /// An embedded file is not called `V<version>__<name>.sql`.
    #[error("migration file `{0}` is not called V<version>__<name>.sql")]
    BadFile(String),
}

/// Brings a database to the newest version that this program knows.
///
/// # Errors
/// [`MigrateError`]; what was applied before the failure stays applied, each migration in its own transaction.
pub async fn run(config: &PgConfig, schema: Schema) -> Result<Report, MigrateError> {
    run_files(config, embedded::of(schema)).await
}

/// As [`run`], on a session of the caller's, who can wait for a database that is not there yet: the session tells of an outage once and
/// paces its attempts. It is left without a connection.
///
/// # Errors
/// As [`run`].
pub async fn run_on(session: &mut Session, schema: Schema) -> Result<Report, MigrateError> {
    run_files_on(session, embedded::of(schema)).await
}

/// As [`run`], over files (`V0001__name`, SQL) of the caller's choice.
///
/// # Errors
/// As [`run`].
pub async fn run_files(config: &PgConfig, files: &[(&str, &str)]) -> Result<Report, MigrateError> {
    run_files_on(&mut Session::new(config)?, files).await
}

async fn run_files_on(
    session: &mut Session,
    files: &[(&str, &str)],
) -> Result<Report, MigrateError> {
    let outcome = apply(session, files).await;
    // Closing the connection gives the lock back, also when this process dies before it gets here.
    session.discard();
    outcome
}

async fn apply(session: &mut Session, files: &[(&str, &str)]) -> Result<Report, MigrateError> {
    let migrations = migrations(files)?;
    let known = newest(&migrations);
    let database = session.database().to_owned();
    let failed = |text: String| MigrateError::Failed {
        database: database.clone(),
        text,
    };
    let client = session.client().await?;
    lock(client, &database).await?;

    let found = applied_version(client)
        .await
        .map_err(|error| failed(describe(&error).to_string()))?;
    if found > known {
        return Err(MigrateError::SchemaTooNew {
            database,
            found,
            known,
        });
    }
    let report = Runner::new(&migrations)
        .run_async(&mut ***client)
        .await
        .map_err(|error| failed(refinery_text(&error)))?;
    // Every role may read the version, so that a service can say "run the migrations" instead of failing on a missing column.
    client
        .batch_execute("GRANT SELECT ON refinery_schema_history TO PUBLIC")
        .await
        .map_err(|error| failed(describe(&error).to_string()))?;
    let applied: Vec<String> = report
        .applied_migrations()
        .iter()
        .map(ToString::to_string)
        .collect();
    if applied.is_empty() {
        info!(%database, version = known, "schema is up to date");
    } else {
        info!(%database, version = known, applied = applied.len(), "schema migrated");
    }
    Ok(Report {
        applied,
        version: known,
    })
}

/// What a database has against what this program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// As new as the program or newer: newer is fine for a running program, because migrations expand before they contract.
    Ready,
    /// The migrations have to run first.
    Behind {
        /// The version found.
        found: i32,
        /// The version needed.
        needed: i32,
    },
}

/// Compares a database with the embedded migrations without changing it; needs only the run-time role.
///
/// # Errors
/// [`MigrateError`] when the database cannot be asked.
pub async fn state(client: &Client, schema: Schema) -> Result<SchemaState, MigrateError> {
    let needed = schema.version()?;
    let found = applied_version(client)
        .await
        .map_err(|error| MigrateError::Failed {
            database: schema.name().to_owned(),
            text: describe(&error).to_string(),
        })?;
    Ok(if found < needed {
        SchemaState::Behind { found, needed }
    } else {
        SchemaState::Ready
    })
}

async fn lock(client: &Client, database: &str) -> Result<(), MigrateError> {
    let settings = format!(
        "SET statement_timeout = 0; SET lock_timeout = '{}s'; SET client_min_messages = warning",
        LOCK_WAIT.as_secs()
    );
    let take = format!("SELECT pg_advisory_lock({LOCK_KEY})");
    let relax = format!("SET lock_timeout = '{}s'", TABLE_LOCK_WAIT.as_secs());
    for statement in [settings, take, relax] {
        client.batch_execute(&statement).await.map_err(|error| {
            let Failure { class, text } = Failure::from(&error);
            warn!(%database, error = text, "migration lock not taken");
            let database = database.to_owned();
            match class {
                FailureClass::Retry => MigrateError::Busy { database },
                // Nothing was begun: as if it had not been reached.
                FailureClass::Disconnected | FailureClass::Unknown => {
                    MigrateError::Disconnected(Disconnected { reason: text })
                }
                FailureClass::Data | FailureClass::StalePlan | FailureClass::Other => {
                    MigrateError::Failed { database, text }
                }
            }
        })?;
    }
    Ok(())
}

/// The newest applied version; 0 in a database without a history.
async fn applied_version(client: &Client) -> Result<i32, tokio_postgres::Error> {
    let exists: bool = client
        .query_one(
            "SELECT to_regclass('refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?
        .try_get(0)?;
    if !exists {
        return Ok(0);
    }
    client
        .query_one(
            "SELECT COALESCE(max(version), 0)::int4 FROM refinery_schema_history",
            &[],
        )
        .await?
        .try_get(0)
}

fn migrations(files: &[(&str, &str)]) -> Result<Vec<Migration>, MigrateError> {
    files
        .iter()
        .map(|(name, sql)| {
            Migration::unapplied(name, sql).map_err(|_| MigrateError::BadFile((*name).to_owned()))
        })
        .collect()
}

fn newest(migrations: &[Migration]) -> i32 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

/// refinery wraps the driver's error, whose text is only "db error".
fn refinery_text(error: &refinery::Error) -> String {
    let refinery::error::Kind::Connection(step, cause) = error.kind() else {
        return error.to_string();
    };
    match cause.downcast_ref::<tokio_postgres::Error>() {
        Some(cause) => {
            let position = match cause.as_db_error().and_then(|db| db.position()) {
                Some(tokio_postgres::error::ErrorPosition::Original(position)) => {
                    format!(" at character {position}")
                }
                _ => String::new(),
            };
            format!("{step}: {}{position}", describe(cause))
        }
        None => error.to_string(),
    }
}
