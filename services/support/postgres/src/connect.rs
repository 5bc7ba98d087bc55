//! The one place that opens connections, and the seam for TLS: plaintext today means `NoTls` here and nowhere else.

use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::{Connect, Manager, ManagerConfig, RecyclingMethod};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};
use tracing::{debug, warn};

use crate::config::PgConfig;
use crate::sqlstate;

/// Opens connections and drives them in a task each, which ends with the connection.
#[derive(Debug)]
struct Connector {
    database: String,
}

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move {
            let (client, connection) = config.connect(NoTls).await?;
            let database = self.database.clone();
            let driver = tokio::spawn(async move {
                match connection.await {
                    Ok(()) => debug!(%database, "connection closed"),
                    Err(error) => {
                        warn!(%database, error = %sqlstate::describe(&error), "connection lost");
                    }
                }
            });
            Ok((client, driver))
        })
    }
}

/// What both the session and the pool build their connections with. Recycling only looks whether the connection is closed: a connection
/// in doubt is never given back (see [`sqlstate`]).
pub(crate) fn manager(config: &PgConfig) -> Manager {
    Manager::from_connect(
        config.driver(),
        Connector {
            database: config.to_string(),
        },
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    )
}
