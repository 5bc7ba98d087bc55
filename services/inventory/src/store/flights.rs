//! The two flights of statements: what is sent, and what the rows that come back mean.

use std::time::Duration;

use inventory_sql::queries::keeper::{self as sql, LockFreeStockBorrowed, LockStockBorrowed};
use shopapi_postgres::Client;
use stock::{Changes, Content, Reservation, Sku, Snapshot, StockRow, Wanted};
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::rows::{self, CorruptRow, LockedRow};

/// The longest wait for a stock row that somebody else has locked. Other replicas hold one for milliseconds.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(250);

/// Why the first flight failed.
pub(super) enum ReadError {
    /// The database's own error.
    Database(tokio_postgres::Error),
    /// A row that makes no sense.
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
pub(super) async fn read_under_lock(
    client: &Client,
    wanted: &Wanted,
    skip_locked: bool,
) -> Result<Snapshot, ReadError> {
    let ids: Vec<Uuid> = wanted.reservations.iter().map(|id| id.0).collect();
    let skus: Vec<&str> = wanted.skus.iter().map(Sku::as_str).collect();
    // A plan made while a table was small would read the whole table for as long as the plan is cached: indexes only.
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = {}; SET LOCAL enable_seqscan = off",
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
            known_skus.bind(client, &skus, &ids).map(Sku::new).all(),
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

#[expect(
    clippy::needless_pass_by_value,
    reason = "a mapper's signature is clorinde's"
)]
fn free_stock_row(row: LockFreeStockBorrowed<'_>) -> Result<(Sku, StockRow), CorruptRow> {
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
    rows: Vec<Result<(Sku, StockRow), CorruptRow>>,
) -> Result<(), CorruptRow> {
    for row in rows {
        let (sku, row) = row?;
        snapshot.stock.insert(sku, row);
    }
    Ok(())
}

/// The second flight. The error is the first statement's: those after it only say that the transaction has failed.
pub(super) async fn write_and_commit(
    client: &Client,
    changes: &Changes,
) -> Result<(), tokio_postgres::Error> {
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
    let skus: Vec<&str> = changes.stock.keys().map(Sku::as_str).collect();
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
