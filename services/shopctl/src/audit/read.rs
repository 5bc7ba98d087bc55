//! Reads the books: one read-only snapshot per database, orders in ranges so that memory stays bounded.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use devstack::{AUDIT_ROLE, Cluster};
use tokio_postgres::{Client, Config, NoTls, Row, Transaction};
use uuid::Uuid;

use super::books::{ChargeRow, OrderCase, OrderRow, PaymentRow, ReservationRow, StockRow};
use super::judge::Reading;

/// Orders held in memory at once: about 100 MB at most.
const ORDERS_PER_RANGE: i64 = 100_000;

/// The server whose books are audited.
#[derive(Debug, Clone)]
pub struct Target {
    config: Config,
}

impl Target {
    /// The cluster of a stack, as the audit's read-only role.
    #[must_use]
    pub fn of_cluster(cluster: &Cluster) -> Self {
        Self::new(
            "127.0.0.1",
            cluster.port(),
            cluster.secrets().password(AUDIT_ROLE),
        )
    }

    /// A server by host, port and the password of the audit's role.
    #[must_use]
    pub fn new(host: &str, port: u16, password: &str) -> Self {
        let mut config = Config::new();
        config
            .host(host)
            .port(port)
            .user(AUDIT_ROLE)
            .password(password)
            .application_name("shopctl audit")
            .connect_timeout(std::time::Duration::from_secs(5));
        Self { config }
    }

    /// A server by URL; the database in it does not matter.
    ///
    /// # Errors
    /// When it is no PostgreSQL URL.
    pub fn parse(url: &str) -> Result<Self> {
        let mut config: Config = url.parse().context("not a PostgreSQL URL")?;
        config.application_name("shopctl audit");
        Ok(Self { config })
    }

    async fn connect(&self, database: &str) -> Result<Client> {
        let mut config = self.config.clone();
        config.dbname(database);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .with_context(|| format!("connecting to {database}; is the stack running?"))?;
        // Its error reaches the client's next call.
        tokio::spawn(connection);
        Ok(client)
    }
}

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

const STOCK: &str = "
SELECT s.sku, s.initial, s.on_hand, s.reserved,
       coalesce(a.adjusted, 0)::bigint AS adjusted,
       coalesce(l.held, 0)::bigint AS held,
       coalesce(l.committed, 0)::bigint AS committed
FROM stock s
LEFT JOIN (SELECT sku, sum(quantity) AS adjusted FROM stock_adjustments GROUP BY sku) a USING (sku)
LEFT JOIN (
    SELECT sku, sum(quantity) FILTER (WHERE state = 'HELD') AS held, sum(quantity) FILTER (WHERE state = 'COMMITTED') AS committed
    FROM reservation_lines WHERE state IN ('HELD', 'COMMITTED') GROUP BY sku) l USING (sku)";

const ORDERS: &str = "
SELECT o.order_id, o.version, o.status, o.saga_state, o.details::text AS details, o.total_cents, o.currency,
       extract(epoch FROM now() - o.wake_at)::float8 AS overdue_secs,
       extract(epoch FROM now() - o.created_at)::float8 AS age_secs,
       coalesce(t.entries, 0) AS timeline_rows, coalesce(t.newest, 0) AS timeline_version
FROM orders o
LEFT JOIN (
    SELECT order_id, count(*) AS entries, max(version) AS newest FROM order_timeline
    WHERE order_id >= $1 AND order_id < $2 AND ($3::bigint[] IS NULL OR order_id = ANY($3))
    GROUP BY order_id) t USING (order_id)
WHERE o.order_id >= $1 AND o.order_id < $2 AND ($3::bigint[] IS NULL OR o.order_id = ANY($3))";

const RESERVATIONS: &str = "
SELECT r.order_id, r.state, r.total_cents, r.currency, coalesce(p.releases, 0) AS releases
FROM reservations r
LEFT JOIN (
    SELECT reservation_id, count(*) AS releases FROM processed_releases
    WHERE order_id >= $1 AND order_id < $2 AND ($3::bigint[] IS NULL OR order_id = ANY($3))
    GROUP BY reservation_id) p USING (reservation_id)
WHERE r.order_id >= $1 AND r.order_id < $2 AND ($3::bigint[] IS NULL OR r.order_id = ANY($3))";

const PAYMENTS: &str = "
SELECT p.order_id, p.payment_id, p.version, p.state, p.refund_state, p.late_capture, p.reason, p.amount_cents, p.currency,
       p.wake_at IS NOT NULL AS is_swept,
       coalesce(a.captures, 0) AS captures,
       coalesce(r.ids, '{}') AS refund_ids, coalesce(r.cents, '{}') AS refund_cents
FROM payments p
LEFT JOIN (
    SELECT payment_id, count(*) AS captures FROM payment_attempts WHERE state = 'CAPTURED' GROUP BY payment_id) a USING (payment_id)
LEFT JOIN (
    SELECT payment_id, array_agg(refund_id) AS ids, array_agg(amount_cents) AS cents FROM refunds
    WHERE state = 'REFUNDED' GROUP BY payment_id) r USING (payment_id)
WHERE p.order_id >= $1 AND p.order_id < $2 AND ($3::bigint[] IS NULL OR p.order_id = ANY($3))";

const CHARGES: &str = "
SELECT c.order_id, c.idempotency_key, c.outcome, c.amount_cents, c.currency,
       coalesce(r.ids, '{}') AS refund_ids, coalesce(r.cents, '{}') AS refund_cents
FROM provider_charges c
LEFT JOIN (
    SELECT charge_key, array_agg(idempotency_key) AS ids, array_agg(amount_cents) AS cents FROM provider_refunds
    WHERE outcome = 'REFUNDED' GROUP BY charge_key) r ON r.charge_key = c.idempotency_key
WHERE c.order_id >= $1 AND c.order_id < $2 AND ($3::bigint[] IS NULL OR c.order_id = ANY($3))";
