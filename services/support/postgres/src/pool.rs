//! A few connections shared by readers. Writers own a [`Session`](crate::Session) each.

use std::time::Duration;

use deadpool_postgres::{Client, Pool, Runtime};

use crate::config::PgConfig;
use crate::connect::manager;
use crate::session::pool_error;
use crate::sqlstate::{Disconnected, Failure, FailureClass};

/// Longest wait for a free connection: a reader that waits longer is better told "unavailable" than kept.
const WAIT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time to open a connection.
const CREATE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time to look whether a connection that is given out again still lives.
const RECYCLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time that a question of readiness waits for its answer.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A bounded pool for autocommit reads. It never waits for ever.
#[derive(Clone, Debug)]
pub struct ReadPool {
    pool: Pool,
    shown: String,
}

impl ReadPool {
    /// A pool of at most `connections_max`, opened as they are needed.
    ///
    /// # Errors
    /// [`Disconnected`] only when the pool refuses its own configuration, which is a mistake in this crate.
    pub fn new(config: &PgConfig, connections_max: usize) -> Result<Self, Disconnected> {
        let pool = Pool::builder(manager(config))
            .max_size(connections_max.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CREATE_TIMEOUT))
            .recycle_timeout(Some(RECYCLE_TIMEOUT))
            .build()
            .map_err(|error| Disconnected {
                reason: error.to_string(),
            })?;
        Ok(Self {
            pool,
            shown: config.to_string(),
        })
    }

    /// A connection, given back when it is dropped.
    ///
    /// # Errors
    /// [`Disconnected`] when none is free or can be opened within the timeouts; nothing was sent.
    pub async fn get(&self) -> Result<Client, Disconnected> {
        self.pool.get().await.map_err(|error| Disconnected {
            reason: format!("{}: {}", self.shown, pool_error(&error)),
        })
    }

    /// Classifies the error of a read. The connection is kept out of the pool when its state is in doubt; after a stale plan every
    /// connection forgets its prepared statements, because each of them met the same change of the schema.
    pub fn judge(&self, client: Client, error: &tokio_postgres::Error) -> Failure {
        let failure = Failure::from(error);
        match failure.class {
            FailureClass::Disconnected | FailureClass::Unknown => drop(Client::take(client)),
            FailureClass::StalePlan => self.pool.manager().statement_caches.clear(),
            FailureClass::Data | FailureClass::Retry | FailureClass::Other => {}
        }
        failure
    }

    /// Asks the database for one row, for readiness. Safe to cancel: the question runs to its end in a task of its own, because a
    /// connection that is dropped with a statement on it would be given back.
    ///
    /// # Errors
    /// [`Failure`] when it does not answer within the timeouts of the pool.
    pub async fn ping(&self) -> Result<(), Failure> {
        let asking = tokio::spawn(self.clone().ask_one());
        asking.await.unwrap_or_else(|ended| {
            Err(Failure {
                class: FailureClass::Disconnected,
                text: ended.to_string(),
            })
        })
    }

    async fn ask_one(self) -> Result<(), Failure> {
        let client = self.get().await?;
        match tokio::time::timeout(ANSWER_TIMEOUT, client.simple_query("SELECT 1")).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(client, &error)),
            Err(_elapsed) => {
                drop(Client::take(client));
                Err(Failure {
                    class: FailureClass::Disconnected,
                    text: format!("{}: no answer within {ANSWER_TIMEOUT:?}", self.shown),
                })
            }
        }
    }
}
