//! The books of stock in PostgreSQL, behind the stock keeper's port. Two round trips per batch:
//!
//! ```text
//!   1  BEGIN · lock reservations · lock stock          (pipelined: one flight)
//!      decide, in the stock crate
//!   2  insert · move · releases · stock · COMMIT       (pipelined: one flight)
//! ```
//!
//! **Locks.** Reservations by id, then stock by SKU, then inserts by id: every replica in the same order, so they do not deadlock. A
//! reservation that somebody else has locked is skipped and its command comes back; stock is waited for, at most [`LOCK_WAIT_MAX`].
//! When that was too long, the next attempt skips the locked stock rows as well, so that one stuck row does not hold up the others.
//!
//! **Failures.** Until the second flight nothing can be committed, so a broken connection is repeated; from there on the outcome is
//! unknown, and the identical batch is repeated, which finds its own rows as repeats. A row that another replica inserted between the
//! two flights is a unique violation, after which the whole batch is read again.

use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError};
use inventory_sql::queries::keeper::{self as sql, LockFreeStockBorrowed, LockStockBorrowed};
use shopapi_postgres::{Client, Disconnected, Failure, FailureClass, PgConfig, Session, sqlstate};
use stock::{Changes, Content, OrderId, Reservation, Snapshot, StockStore, Wanted};
use tokio::time::timeout;
use tokio_postgres::types::Json;
use tracing::{Span, error, info_span};
use uuid::Uuid;

use crate::rows::{self, CorruptRow, LockedRow};

/// The longest wait for a stock row that somebody else has locked. Other replicas hold one for milliseconds.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(250);

/// The longest wait for one flight; far beyond a loaded server's, short of the callers' patience.
const FLIGHT_DEADLINE: Duration = Duration::from_secs(3);

/// The unique constraint that tells of a row inserted since the snapshot.
const RESERVATIONS_KEY: &str = "reservations_pkey";

/// What a batch writes, for traces: placeholders, never values.
const WRITE_TEXT: &str = "INSERT INTO reservations … unnest($1, …); UPDATE reservations … unnest($1, $2); \
     INSERT INTO processed_releases … unnest($1, $2, $3); UPDATE stock … unnest($1, $2, $3); COMMIT";

/// The stock keeper's store. Owns one connection, opened when it is first needed and again after a failure.
#[derive(Debug)]
pub struct SqlStockStore {
    session: Result<Session, Disconnected>,
    database: String,
    /// A transaction is open: between `lock` and `write`.
    open: bool,
    /// The last attempt met a lock it could not get: leave locked stock rows out this time.
    skip_locked_stock: bool,
}

impl SqlStockStore {
    /// A store that connects with its first batch.
    #[must_use]
    pub fn new(config: &PgConfig) -> Self {
        Self {
            session: Session::new(config),
            database: config.database().to_owned(),
            open: false,
            skip_locked_stock: false,
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
        let skip_locked = std::mem::take(&mut self.skip_locked_stock);
        let client = session
            .client()
            .await
            .map_err(|gone| BatchError::Disconnected(gone.to_string()))?;
        match timeout(
            FLIGHT_DEADLINE,
            read_under_lock(client, wanted, skip_locked),
        )
        .await
        {
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
                self.skip_locked_stock = failure.class == FailureClass::Retry;
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
        match timeout(FLIGHT_DEADLINE, write_and_commit(client, changes)).await {
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

    fn span(&self, order_id: OrderId) -> Span {
        info_span!(
            "commit",
            otel.kind = "client",
            order.id = order_id.0,
            db.system.name = "postgresql",
            db.namespace = self.database,
            db.operation.name = "COMMIT",
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

enum ReadError {
    Database(tokio_postgres::Error),
    Corrupt(CorruptRow),
}

impl From<tokio_postgres::Error> for ReadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<CorruptRow> for ReadError {
    fn from(row: CorruptRow) -> Self {
        Self::Corrupt(row)
    }
}

/// The first flight.
async fn read_under_lock(
    client: &Client,
    wanted: &Wanted,
    skip_locked: bool,
) -> Result<Snapshot, ReadError> {
    let ids: Vec<Uuid> = wanted.reservations.iter().map(|id| id.0).collect();
    let skus: Vec<&str> = wanted.skus.iter().map(stock::Sku::as_str).collect();
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = {}",
        LOCK_WAIT_MAX.as_millis()
    );
    // Prepared ahead: what follows is only sent, in the order in which `join!` polls.
    let lock_reservations = sql::lock_reservations().prepare(client).await?;
    let mut snapshot = Snapshot::default();
    if skip_locked {
        let lock_stock = sql::lock_free_stock().prepare(client).await?;
        let known_skus = sql::known_skus().prepare(client).await?;
        let (begun, reservations, stock, known) = futures::join!(
            client.batch_execute(&begin),
            lock_reservations
                .bind(client, &ids)
                .map(rows::reservation)
                .all(),
            lock_stock
                .bind(client, &skus, &ids)
                .map(free_stock_row)
                .all(),
            known_skus
                .bind(client, &skus, &ids)
                .map(stock::Sku::new)
                .all(),
        );
        begun?;
        add_reservations(&mut snapshot, reservations?)?;
        add_stock(&mut snapshot, stock?)?;
        let locked_elsewhere = known?
            .into_iter()
            .flatten()
            .filter(|sku| !snapshot.stock.contains_key(sku));
        snapshot.busy_skus = locked_elsewhere.collect();
    } else {
        let lock_stock = sql::lock_stock().prepare(client).await?;
        let (begun, reservations, stock) = futures::join!(
            client.batch_execute(&begin),
            lock_reservations
                .bind(client, &ids)
                .map(rows::reservation)
                .all(),
            lock_stock
                .bind(client, &skus, &ids)
                .map(rows::stock_row)
                .all(),
        );
        begun?;
        add_reservations(&mut snapshot, reservations?)?;
        add_stock(&mut snapshot, stock?)?;
    }
    Ok(snapshot)
}

fn free_stock_row(
    row: LockFreeStockBorrowed<'_>,
) -> Result<(stock::Sku, stock::StockRow), CorruptRow> {
    let LockFreeStockBorrowed {
        sku,
        on_hand,
        reserved,
        unit_price_cents,
        currency,
    } = row;
    rows::stock_row(LockStockBorrowed {
        sku,
        on_hand,
        reserved,
        unit_price_cents,
        currency,
    })
}

fn add_reservations(
    snapshot: &mut Snapshot,
    rows: Vec<Result<LockedRow, CorruptRow>>,
) -> Result<(), CorruptRow> {
    for row in rows {
        match row? {
            LockedRow::Busy(id) => {
                snapshot.busy_reservations.insert(id);
            }
            LockedRow::Ours(reservation) => {
                snapshot.reservations.insert(reservation.id, reservation);
            }
        }
    }
    Ok(())
}

fn add_stock(
    snapshot: &mut Snapshot,
    rows: Vec<Result<(stock::Sku, stock::StockRow), CorruptRow>>,
) -> Result<(), CorruptRow> {
    for row in rows {
        let (sku, row) = row?;
        snapshot.stock.insert(sku, row);
    }
    Ok(())
}

/// The second flight. The error is the first statement's: those after it only say that the transaction has failed.
async fn write_and_commit(client: &Client, changes: &Changes) -> Result<(), tokio_postgres::Error> {
    if changes.is_empty() {
        // Only locks to give back: a rollback does it without a flush.
        return client.batch_execute("ROLLBACK").await;
    }
    let insert = Insert::of(&changes.inserted);
    let moved_ids: Vec<Uuid> = changes.moved.iter().map(|(id, _)| id.0).collect();
    let moved_states: Vec<&str> = changes
        .moved
        .iter()
        .map(|(_, state)| rows::state_column(*state))
        .collect();
    let release_ids: Vec<Uuid> = changes
        .releases
        .iter()
        .map(|row| row.release_id.0)
        .collect();
    let released_ids: Vec<Uuid> = changes
        .releases
        .iter()
        .map(|row| row.reservation_id.0)
        .collect();
    let released_orders: Vec<i64> = changes.releases.iter().map(|row| row.order_id.0).collect();
    let skus: Vec<&str> = changes.stock.keys().map(stock::Sku::as_str).collect();
    let on_hand: Vec<i64> = changes.stock.values().map(|delta| delta.on_hand).collect();
    let reserved: Vec<i64> = changes.stock.values().map(|delta| delta.reserved).collect();

    // Prepared ahead, so that nothing can slip behind the COMMIT: `join!` polls in order, and a first poll only sends.
    let insert_reservations = sql::insert_reservations().prepare(client).await?;
    let move_reservations = sql::move_reservations().prepare(client).await?;
    let insert_releases = sql::insert_releases().prepare(client).await?;
    let move_stock = sql::move_stock().prepare(client).await?;
    let (inserted, moved, released, shifted, committed) = futures::join!(
        unless(insert.ids.is_empty(), || insert_reservations
            .bind(
                client,
                &insert.ids,
                &insert.order_ids,
                &insert.states,
                &insert.totals,
                &insert.currencies,
                &insert.lines,
                &insert.refusals,
                &insert.shortages,
            )
            .all()),
        unless(moved_ids.is_empty(), || move_reservations
            .bind(client, &moved_ids, &moved_states)
            .all()),
        unless(release_ids.is_empty(), || insert_releases
            .bind(client, &release_ids, &released_ids, &released_orders)
            .all()),
        unless(skus.is_empty(), || move_stock
            .bind(client, &skus, &on_hand, &reserved)
            .all()),
        client.batch_execute("COMMIT"),
    );
    inserted?;
    moved?;
    released?;
    shifted?;
    committed
}

/// Runs a statement that has rows to write.
async fn unless<T, F>(
    empty: bool,
    statement: impl FnOnce() -> F,
) -> Result<Vec<T>, tokio_postgres::Error>
where
    F: Future<Output = Result<Vec<T>, tokio_postgres::Error>>,
{
    if empty {
        Ok(Vec::new())
    } else {
        statement().await
    }
}

/// New rows as the columns of `insert_reservations`.
struct Insert<'a> {
    ids: Vec<Uuid>,
    order_ids: Vec<i64>,
    states: Vec<&'static str>,
    totals: Vec<Option<i64>>,
    currencies: Vec<Option<&'a str>>,
    lines: Vec<Json<Vec<rows::LineJson<'a>>>>,
    refusals: Vec<Option<&'static str>>,
    shortages: Vec<Json<Vec<rows::ShortageJson<'a>>>>,
}

impl<'a> Insert<'a> {
    fn of(inserted: &'a [Reservation]) -> Self {
        let mut columns = Self {
            ids: inserted.iter().map(|row| row.id.0).collect(),
            order_ids: inserted.iter().map(|row| row.order_id.0).collect(),
            states: inserted
                .iter()
                .map(|row| rows::state_column(row.state))
                .collect(),
            totals: Vec::new(),
            currencies: Vec::new(),
            lines: Vec::new(),
            refusals: Vec::new(),
            shortages: Vec::new(),
        };
        for row in inserted {
            let hold = match &row.content {
                Content::Granted(hold) => Some(hold),
                Content::Refused(_) | Content::Tombstone => None,
            };
            let (refusal, shortages) = match &row.content {
                Content::Refused(refusal) => {
                    let (reason, shortages) = rows::refusal_columns(refusal);
                    (Some(reason), shortages)
                }
                Content::Granted(_) | Content::Tombstone => (None, Vec::new()),
            };
            columns.totals.push(hold.map(|hold| hold.total.0));
            columns
                .currencies
                .push(hold.map(|hold| hold.currency.as_str()));
            columns.lines.push(Json(rows::lines_json(row.lines())));
            columns.refusals.push(refusal);
            columns.shortages.push(Json(shortages));
        }
        columns
    }
}
