//! One connection, owned by one actor.
//!
//! ```text
//!            client()                    judge(error): Unknown, Disconnected, overdue()
//!  absent ───────────► connected ────────────────────────────────────────────► absent
//!     │  ▲                                                                       │
//!     └──┘ connecting failed: refuse at once until the backoff has passed ◄──────┘ next client() connects again
//! ```
//!
//! Connecting is lazy: building a session does no I/O, so it can be built in a child's factory while the database is down.

use std::time::Duration;

use deadpool_postgres::{Client, Pool, Runtime};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::PgConfig;
use crate::connect::manager;
use crate::sqlstate::{Disconnected, Failure, FailureClass, describe};

/// Longest wait for a new connection, above the driver's own connect timeout so that its better message wins.
const CREATE_TIMEOUT: Duration = Duration::from_secs(4);
/// First pause after a failed attempt; doubles up to the cap. Small, because a database restart takes about a second.
const BACKOFF_BASE: Duration = Duration::from_millis(50);
/// Longest pause between two attempts: bounds how long a service stays away from a database that is back.
const BACKOFF_CAP: Duration = Duration::from_secs(1);

/// A connection that reconnects when it is next needed. Prepared statements live as long as their connection.
pub struct Session {
    /// A pool of one, because its connections carry the statement cache that the generated code uses.
    pool: Pool,
    client: Option<Client>,
    shown: String,
    database: String,
    failures: u32,
    /// No attempt before then, and why the last one failed.
    pausing: Option<(Instant, String)>,
}

impl Session {
    /// A session that connects at its first use.
    ///
    /// # Errors
    /// [`Disconnected`] only when the connection pool refuses its own configuration, which is a mistake in this crate.
    pub fn new(config: &PgConfig) -> Result<Self, Disconnected> {
        let pool = Pool::builder(manager(config))
            .max_size(1)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CREATE_TIMEOUT))
            .wait_timeout(Some(CREATE_TIMEOUT))
            .build()
            .map_err(|error| Disconnected {
                reason: error.to_string(),
            })?;
        Ok(Self {
            pool,
            client: None,
            shown: config.to_string(),
            database: config.database().to_owned(),
            failures: 0,
            pausing: None,
        })
    }

    /// The live connection, opened when there is none.
    ///
    /// # Errors
    /// [`Disconnected`]: no connection, and nothing was sent. Within the backoff after a failed attempt it answers at once, so callers may
    /// ask as often as they like.
    pub async fn client(&mut self) -> Result<&mut Client, Disconnected> {
        if self
            .client
            .as_ref()
            .is_some_and(|client| client.is_closed())
        {
            self.discard();
        }
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connect().await?,
        };
        Ok(self.client.insert(client))
    }

    async fn connect(&mut self) -> Result<Client, Disconnected> {
        if let Some((not_before, why)) = &self.pausing
            && Instant::now() < *not_before
        {
            return Err(Disconnected {
                reason: format!("{why} (waiting before the next attempt)"),
            });
        }
        match self.pool.get().await {
            Ok(client) => {
                if self.failures > 0 {
                    info!(database = %self.shown, attempts = self.failures, "database is back");
                }
                self.failures = 0;
                self.pausing = None;
                Ok(client)
            }
            Err(error) => {
                let pause = pause_after(self.failures, rand::random());
                self.failures = self.failures.saturating_add(1);
                let reason = format!("{}: {}", self.shown, pool_error(&error));
                self.pausing = Some((Instant::now() + pause, reason.clone()));
                // The first failure of an outage is news, the others are noise.
                if self.failures == 1 {
                    warn!(reason, "cannot connect");
                }
                Err(Disconnected { reason })
            }
        }
    }

    /// Classifies the error of a statement and leaves the session in a state that is safe for the next one: the connection is dropped
    /// when its outcome is unknown or it is lost, the prepared statements are forgotten when a plan is stale.
    pub fn judge(&mut self, error: &tokio_postgres::Error) -> Failure {
        let failure = Failure::from(error);
        match failure.class {
            FailureClass::Disconnected | FailureClass::Unknown => self.discard(),
            FailureClass::StalePlan => {
                if let Some(client) = &self.client {
                    client.statement_cache.clear();
                }
            }
            FailureClass::Data | FailureClass::Retry | FailureClass::Other => {}
        }
        failure
    }

    /// The caller's own deadline for a statement passed: its outcome is unknown and the connection is dropped, because the server may
    /// still be working on it.
    pub fn overdue(&mut self) -> Failure {
        self.discard();
        Failure {
            class: FailureClass::Unknown,
            text: format!("{}: no answer within the deadline", self.shown),
        }
    }

    /// Drops the connection; the next [`Session::client`] opens another.
    pub fn discard(&mut self) {
        if let Some(client) = self.client.take() {
            // Taken out of the pool for good: a connection in doubt must not be handed out again.
            drop(Client::take(client));
        }
    }

    /// The name of the database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// True while a connection is open, as far as is known without asking the server.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client
            .as_ref()
            .is_some_and(|client| !client.is_closed())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("database", &self.shown)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

/// Exponential backoff with jitter on its upper half, so that replicas do not come back in step. `jitter` is in 0..1.
fn pause_after(failures: u32, jitter: f64) -> Duration {
    let full = BACKOFF_BASE
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .min(BACKOFF_CAP);
    full.div_f64(2.0) + full.div_f64(2.0).mul_f64(jitter.clamp(0.0, 1.0))
}

/// The server's or the system's own words about a failed attempt; the pool's say only "error occurred".
pub(crate) fn pool_error(error: &deadpool_postgres::PoolError) -> String {
    match error {
        deadpool_postgres::PoolError::Backend(error) => describe(error).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_and_stays_below_its_cap() {
        assert_eq!(pause_after(0, 1.0), BACKOFF_BASE);
        assert_eq!(pause_after(0, 0.0), BACKOFF_BASE / 2);
        assert!(pause_after(3, 0.5) > pause_after(2, 0.5));
        assert_eq!(pause_after(40, 1.0), BACKOFF_CAP);
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_an_answer_and_the_next_one_comes_at_once() {
        // A port that was free a moment ago and has no listener.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = PgConfig::parse(&format!("postgres://u:p@127.0.0.1:{port}/x"), "t").unwrap();
        let mut session = Session::new(&config).unwrap();

        let first = session.client().await.unwrap_err();
        let second = session.client().await.unwrap_err();

        assert!(first.reason.contains("refused"), "{first}");
        assert!(second.reason.contains("waiting"), "{second}");
        assert!(second.reason.contains("refused"), "{second}");
        assert!(!session.is_connected());
    }
}
