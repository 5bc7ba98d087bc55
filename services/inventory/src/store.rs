//! The books of stock in PostgreSQL, behind the stock keeper's port. Two round trips per batch:
//!
//! ```text
//!   1  BEGIN · lock reservations · lock stock          (pipelined: one flight)
//!      decide, in the stock crate
//!   2  insert · move · releases · stock · COMMIT       (pipelined: one flight)
//! ```
//!
//! **Locks.** Reservations by id, then stock by SKU, then inserts by id: every replica in the same order, so they do not deadlock. A
//! reservation that somebody else has locked is skipped and its command comes back; stock is waited for, at most a quarter of a second.
//! When that was too long, locked stock rows are skipped as well for a while, so that one stuck row does not hold up the others.
//!
//! **Failures.** Until the second flight nothing can be committed, so a broken connection is repeated; from there on the outcome is
//! unknown, and the identical batch is repeated, which finds its own rows as repeats. A row that another replica inserted between the
//! two flights is a unique violation, after which the whole batch is read again.

mod flights;

use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError};
use shopapi_postgres::{Disconnected, Failure, FailureClass, PgConfig, Session, sqlstate, timed};
use stock::{Answer, Changes, OrderId, Snapshot, StockStore, Wanted};
use tokio::time::{Instant, timeout};
use tracing::field::Empty;
use tracing::{Span, error, info_span};

use crate::telemetry::Counters;
use flights::{ReadError, read_under_lock, write_and_commit};

/// The longest wait for one flight; far beyond a loaded server's, short of the callers' patience.
const FLIGHT_DEADLINE: Duration = Duration::from_secs(3);

/// How long locked stock rows are left out after a wait for one was too long. Whoever holds a row for a quarter of a second has hung, and
/// holds it until the server ends its transaction after seconds; waiting again with every batch would hold up everybody else.
const SKIP_LOCKED_FOR: Duration = Duration::from_secs(2);

/// The unique constraint that tells of a row inserted since the snapshot.
const RESERVATIONS_KEY: &str = "reservations_pkey";

/// What a batch does to which tables.
const WRITE_SUMMARY: &str =
    "INSERT reservations UPDATE reservations INSERT processed_releases UPDATE stock";

/// What a batch writes, for traces: placeholders, never values.
const WRITE_TEXT: &str = "INSERT INTO reservations … unnest($1, …); UPDATE reservations … unnest($1, $2); \
     INSERT INTO processed_releases … unnest($1, $2, $3); UPDATE stock … unnest($1, $2, $3); COMMIT";

/// The stock keeper's store. Owns one connection, opened when it is first needed and again after a failure.
#[derive(Debug)]
pub struct SqlStockStore {
    session: Result<Session, Disconnected>,
    database: String,
    counters: Counters,
    /// A transaction is open: between `lock` and `write`.
    open: bool,
    /// Locked stock rows are left out until then.
    skip_locked_until: Option<Instant>,
}

impl SqlStockStore {
    /// A store that connects with its first batch.
    #[must_use]
    pub fn new(config: &PgConfig) -> Self {
        Self {
            session: Session::new(config),
            database: config.database().to_owned(),
            counters: Counters::new(),
            open: false,
            skip_locked_until: None,
        }
    }

    /// Ends the transaction after a failure; a connection that cannot even do that is dropped.
    async fn roll_back(session: &mut Session) {
        if !session.is_connected() {
            return;
        }
        let Ok(client) = session.client().await else {
            return;
        };
        let ended = timeout(FLIGHT_DEADLINE, client.batch_execute("ROLLBACK")).await;
        if !matches!(ended, Ok(Ok(()))) {
            session.discard();
        }
    }
}

fn connected(session: &mut Result<Session, Disconnected>) -> Result<&mut Session, BatchError> {
    session
        .as_mut()
        .map_err(|gone| BatchError::Disconnected(gone.to_string()))
}

impl StockStore for SqlStockStore {
    async fn lock(&mut self, wanted: &Wanted, _: Attempt) -> Result<Snapshot, BatchError> {
        let session = connected(&mut self.session)?;
        if std::mem::take(&mut self.open) {
            // The batch before was dropped between its two flights: its transaction goes with the connection.
            session.discard();
        }
        let skip_locked = self
            .skip_locked_until
            .is_some_and(|until| Instant::now() < until);
        let client = session
            .client()
            .await
            .map_err(|gone| BatchError::Disconnected(gone.to_string()))?;
        let reading = read_under_lock(client, wanted, skip_locked);
        match timed("lock_stock", timeout(FLIGHT_DEADLINE, reading)).await {
            Ok(Ok(snapshot)) => {
                self.open = true;
                Ok(snapshot)
            }
            Ok(Err(ReadError::Corrupt(row))) => {
                error!(%row, "the books hold a row that makes no sense");
                Self::roll_back(session).await;
                Err(BatchError::Data(row.to_string()))
            }
            Ok(Err(ReadError::Database(cause))) => {
                let failure = session.judge(&cause);
                if failure.class == FailureClass::Retry {
                    self.skip_locked_until = Some(Instant::now() + SKIP_LOCKED_FOR);
                }
                Self::roll_back(session).await;
                Err(before_commit(failure))
            }
            Err(_elapsed) => Err(before_commit(session.overdue())),
        }
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), BatchError> {
        let session = connected(&mut self.session)?;
        self.open = false;
        if !session.is_connected() {
            // Lost while the batch was decided; its transaction is rolled back by the server.
            return Err(BatchError::Retry(
                "the connection closed before the commit".into(),
            ));
        }
        let client = session
            .client()
            .await
            .map_err(|gone| BatchError::Retry(gone.to_string()))?;
        let writing = write_and_commit(client, changes);
        match timed("commit_stock", timeout(FLIGHT_DEADLINE, writing)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => {
                let inserted_elsewhere = sqlstate::constraint(&cause) == Some(RESERVATIONS_KEY);
                let failure = session.judge(&cause);
                // A failed statement turned the COMMIT behind it into a rollback.
                Err(if inserted_elsewhere {
                    BatchError::Retry(failure.text)
                } else {
                    around_commit(failure)
                })
            }
            Err(_elapsed) => Err(around_commit(session.overdue())),
        }
    }

    fn decided(&self, answer: &Answer) {
        self.counters.decided(answer);
    }

    fn span(&self, order_id: OrderId) -> Span {
        info_span!(
            parent: None,
            "commit",
            otel.kind = "client",
            otel.status_code = Empty,
            order.id = order_id.0,
            db.system.name = "postgresql",
            db.namespace = self.database,
            db.operation.name = "COMMIT",
            db.query.summary = WRITE_SUMMARY,
            db.query.text = WRITE_TEXT,
        )
    }
}

/// What a failure of the first flight asks of the writer: nothing can have been committed.
fn before_commit(failure: Failure) -> BatchError {
    match failure.class {
        FailureClass::Unknown => BatchError::Retry(failure.text),
        _ => around_commit(failure),
    }
}

/// What a failure of the second flight asks of the writer.
fn around_commit(failure: Failure) -> BatchError {
    match failure.class {
        FailureClass::Data => BatchError::Data(failure.text),
        FailureClass::Retry | FailureClass::StalePlan => BatchError::Retry(failure.text),
        FailureClass::Unknown => BatchError::Unknown(failure.text),
        FailureClass::Disconnected => BatchError::Disconnected(failure.text),
        FailureClass::Other => {
            error!(
                error = failure.text,
                "stock cannot be written: this needs a person"
            );
            BatchError::Disconnected(failure.text)
        }
    }
}
