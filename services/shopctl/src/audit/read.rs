//! Reads the books: one read-only snapshot per database, orders in ranges so that memory stays bounded.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use tokio_postgres::{Client, Row, Transaction};
use uuid::Uuid;

use super::books::{ChargeRow, OrderCase, OrderRow, PaymentRow, ReservationRow, StockRow};
use super::judge::Reading;
use super::target::Target;

/// Orders held in memory at once: about 100 MB at most.
const ORDERS_PER_RANGE: i64 = 100_000;

/// Connections to the four databases that keep books.
pub(super) struct Reader {
    orders: Client,
    inventory: Client,
    payments: Client,
    provider: Client,
}

impl Reader {
    /// Connects to all of them.
    ///
    /// # Errors
    /// When one does not answer.
    pub(super) async fn connect(target: &Target) -> Result<Self> {
        Ok(Self {
            orders: target.connect("ordersdb").await?,
            inventory: target.connect("inventorydb").await?,
            payments: target.connect("paymentsdb").await?,
            provider: target.connect("providerdb").await?,
        })
    }

    /// Reads everything, or only the given orders (and all stock).
    ///
    /// # Errors
    /// When a database refuses.
    pub(super) async fn read(&mut self, only: Option<&[i64]>) -> Result<Reading> {
        let mut books = Books {
            orders: snapshot(&mut self.orders).await?,
            inventory: snapshot(&mut self.inventory).await?,
            payments: snapshot(&mut self.payments).await?,
            provider: snapshot(&mut self.provider).await?,
        };
        let mut reading = Reading::default();
        for row in books.stock().await? {
            reading.stock(&row);
        }
        match only {
            Some(ids) => {
                for case in books.cases(Range::only(ids)).await?.values() {
                    reading.order(case);
                }
            }
            None => {
                let (mut from, until) = books.bounds().await?;
                while from < until {
                    let to = from.saturating_add(ORDERS_PER_RANGE);
                    for case in books.cases(Range::between(from, to)).await?.values() {
                        reading.order(case);
                    }
                    from = to;
                }
            }
        }
        Ok(reading)
    }
}

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>> {
    client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .context("starting a snapshot")
}

/// Which orders to read.
struct Range<'a> {
    from: i64,
    to: i64,
    only: Option<&'a [i64]>,
}

impl<'a> Range<'a> {
    fn between(from: i64, to: i64) -> Self {
        Self {
            from,
            to,
            only: None,
        }
    }

    fn only(ids: &'a [i64]) -> Self {
        Self {
            from: i64::MIN,
            to: i64::MAX,
            only: Some(ids),
        }
    }
}

struct Books<'a> {
    orders: Transaction<'a>,
    inventory: Transaction<'a>,
    payments: Transaction<'a>,
    provider: Transaction<'a>,
}

async fn rows(books: &Transaction<'_>, sql: &str, range: &Range<'_>) -> Result<Vec<Row>> {
    Ok(books
        .query(sql, &[&range.from, &range.to, &range.only])
        .await?)
}

impl Books<'_> {
    async fn stock(&mut self) -> Result<Vec<StockRow>> {
        let rows = self
            .inventory
            .query(STOCK, &[])
            .await
            .context("reading stock")?;
        Ok(rows
            .iter()
            .map(|row| StockRow {
                sku: row.get("sku"),
                initial: row.get("initial"),
                on_hand: row.get("on_hand"),
                reserved: row.get("reserved"),
                adjusted: row.get("adjusted"),
                held: row.get("held"),
                committed: row.get("committed"),
            })
            .collect())
    }

    /// The lowest order id in any database and the one after the highest.
    async fn bounds(&mut self) -> Result<(i64, i64)> {
        let mut low = i64::MAX;
        let mut high = i64::MIN;
        for (books, table) in [
            (&self.orders, "orders"),
            (&self.inventory, "reservations"),
            (&self.payments, "payments"),
            (&self.provider, "provider_charges"),
        ] {
            let sql = format!("SELECT min(order_id), max(order_id) FROM {table}");
            let row = books
                .query_one(&sql, &[])
                .await
                .with_context(|| format!("reading {table}"))?;
            if let (Some(min), Some(max)) =
                (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1))
            {
                low = low.min(min);
                high = high.max(max);
            }
        }
        Ok(if low > high {
            (0, 0)
        } else {
            (low, high.saturating_add(1))
        })
    }

    async fn cases(&mut self, range: Range<'_>) -> Result<BTreeMap<i64, OrderCase>> {
        let mut cases = BTreeMap::<i64, OrderCase>::new();
        for row in rows(&self.orders, ORDERS, &range)
            .await
            .context("reading orders")?
        {
            case(&mut cases, &row).order = Some(order(&row));
        }
        for row in rows(&self.inventory, RESERVATIONS, &range)
            .await
            .context("reading reservations")?
        {
            case(&mut cases, &row).reservations.push(ReservationRow {
                state: row.get("state"),
                total_cents: row.get("total_cents"),
                currency: row.get("currency"),
                releases: row.get("releases"),
            });
        }
        for row in rows(&self.payments, PAYMENTS, &range)
            .await
            .context("reading payments")?
        {
            case(&mut cases, &row).payment = Some(payment(&row));
        }
        for row in rows(&self.provider, CHARGES, &range)
            .await
            .context("reading the provider's ledger")?
        {
            case(&mut cases, &row).charges.push(ChargeRow {
                key: row.get("idempotency_key"),
                outcome: row.get("outcome"),
                amount_cents: row.get("amount_cents"),
                currency: row.get("currency"),
                refunded: refunds(&row),
            });
        }
        Ok(cases)
    }
}

fn case<'a>(cases: &'a mut BTreeMap<i64, OrderCase>, row: &Row) -> &'a mut OrderCase {
    let order_id = row.get("order_id");
    cases.entry(order_id).or_insert_with(|| OrderCase {
        order_id,
        ..OrderCase::default()
    })
}

fn order(row: &Row) -> OrderRow {
    OrderRow {
        version: row.get("version"),
        status: row.get("status"),
        saga_state: row.get("saga_state"),
        details: row.get("details"),
        total_cents: row.get("total_cents"),
        currency: row.get("currency"),
        overdue_secs: row.get("overdue_secs"),
        age_secs: row.get("age_secs"),
        timeline_rows: row.get("timeline_rows"),
        timeline_version: row.get("timeline_version"),
        settled_by_hand: row.get("settled_by_hand"),
    }
}

fn payment(row: &Row) -> PaymentRow {
    PaymentRow {
        payment_id: row.get("payment_id"),
        version: row.get("version"),
        state: row.get("state"),
        refund_state: row.get("refund_state"),
        late_capture: row.get("late_capture"),
        reason: row.get("reason"),
        amount_cents: row.get("amount_cents"),
        currency: row.get("currency"),
        is_swept: row.get("is_swept"),
        captures: row.get("captures"),
        refunded: refunds(row),
    }
}

fn refunds(row: &Row) -> Vec<(Uuid, i64)> {
    let ids: Vec<Uuid> = row.get("refund_ids");
    let cents: Vec<i64> = row.get("refund_cents");
    ids.into_iter().zip(cents).collect()
}

const STOCK: &str = include_str!("sql/stock.sql");
const ORDERS: &str = include_str!("sql/orders.sql");
const RESERVATIONS: &str = include_str!("sql/reservations.sql");
const PAYMENTS: &str = include_str!("sql/payments.sql");
const CHARGES: &str = include_str!("sql/charges.sql");
