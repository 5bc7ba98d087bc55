//! The one place that opens connections: how they are encrypted, and what is asked of the server before they are used.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, RecyclingMethod};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::{debug, warn};

use crate::config::{PgConfig, Transport};
use crate::sqlstate::{self, Disconnected};

/// Raises an error on a server that may forget what it has acknowledged. An error of the server's own, because that is what the driver
/// can hand on; `synchronous_commit` is also a setting of roles and databases, so every session asks for its own.
const DEMAND_DURABILITY: &str = "DO $$ BEGIN \
    IF 'off' IN (current_setting('fsync'), current_setting('synchronous_commit')) THEN \
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', \
            MESSAGE = 'fsync or synchronous_commit is off: this server may forget acknowledged writes'; \
    END IF; END $$";

/// An answer to [`check_durability`] that takes longer is a database that is not there.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);

/// Opens connections and drives them in a task each, which ends with the connection.
#[derive(Debug)]
struct Connector {
    database: String,
    transport: Transport,
    durable_only: bool,
}

impl Connector {
    fn of(config: &PgConfig) -> Self {
        Self {
            database: config.to_string(),
            transport: config.transport().clone(),
            durable_only: config.is_durable_only(),
        }
    }

    async fn open(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, driver) = match &self.transport {
            // Without roots nobody can be verified; the driver then refuses, because `config` insists on TLS.
            Transport::Plaintext | Transport::Tls(None) => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, self.drive(connection))
            }
            Transport::Tls(Some(roots)) => {
                // A renewed file holds from the next connection on.
                let _ = roots.look();
                let tls =
                    MakeRustlsConnect::new(rustls::ClientConfig::clone(&roots.client_config(&[])));
                let (client, connection) = config.connect(tls).await?;
                (client, self.drive(connection))
            }
        };
        if self.durable_only {
            client.batch_execute(DEMAND_DURABILITY).await?;
        }
        Ok((client, driver))
    }

    fn drive(
        &self,
        connection: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> JoinHandle<()> {
        let database = self.database.clone();
        tokio::spawn(async move {
            match connection.await {
                Ok(()) => debug!(%database, "connection closed"),
                Err(error) => {
                    warn!(%database, error = %sqlstate::describe(&error), "connection lost");
                }
            }
        })
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { self.open(&config).await })
    }
}

/// What both the session and the pool build their connections with. Recycling only looks whether the connection is closed: a connection
/// in doubt is never given back (see [`sqlstate`]).
pub(crate) fn manager(config: &PgConfig) -> Manager {
    Manager::from_connect(
        config.driver(),
        Connector::of(config),
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    )
}

/// One connection of the driver's own kind, for tools and tests; services use [`Session`](crate::Session) and
/// [`ReadPool`](crate::ReadPool).
///
/// # Errors
/// The driver's.
pub async fn connect(config: &PgConfig) -> Result<Client, Error> {
    let (client, _driver) = Connector::of(config).open(&config.driver()).await?;
    Ok(client)
}

/// The server may forget what it has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{database} runs with {setting}=off and may forget acknowledged orders: set {setting}=on at the server"
)]
pub struct NotDurable {
    /// Role, server and database.
    pub database: String,
    /// The setting to change.
    pub setting: &'static str,
}

/// Asks the server whether it keeps what it acknowledges.
///
/// # Errors
/// [`Disconnected`] when it cannot be asked: then the answer comes with the first connection, see [`PgConfig::durable_only`].
pub async fn check_durability(config: &PgConfig) -> Result<Result<(), NotDurable>, Disconnected> {
    let mut connector = Connector::of(config);
    connector.durable_only = false;
    let asked = async {
        let (client, _driver) = connector.open(&config.driver()).await?;
        client
            .query_one(
                "SELECT current_setting('fsync') = 'off', current_setting('synchronous_commit') = 'off'",
                &[],
            )
            .await
    };
    let disconnected = |reason: String| Disconnected {
        reason: format!("{config}: {reason}"),
    };
    let row = tokio::time::timeout(CHECK_DEADLINE, asked)
        .await
        .map_err(|_| disconnected("no answer".to_owned()))?
        .map_err(|error| disconnected(sqlstate::describe(&error).to_string()))?;
    let settings = ["fsync", "synchronous_commit"];
    let off = settings
        .into_iter()
        .enumerate()
        .find(|(column, _)| row.try_get::<_, bool>(*column).unwrap_or(true));
    Ok(match off {
        Some((_, setting)) => Err(NotDurable {
            database: config.to_string(),
            setting,
        }),
        None => Ok(()),
    })
}
