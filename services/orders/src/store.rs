//! Reads of the books of orders, on a pool of connections shared by all readers. Implements the saga's reading port; the journal is the
//! only one that writes orders.
//!
//! Every read is bounded in time. A database that is away is an answer, logged here once per read; a row that cannot be understood is
//! logged as an error and told apart from one that is not there, and its neighbours go on.

mod rows;

use std::sync::Arc;
use std::time::Duration;

use order_saga::ports::PortFuture;
use order_saga::{
    Cents, Currency, CustomerId, Found, Installation, OrderId, OrderStatus, SagaStore, Snapshot,
    StoreUnavailable, Version,
};
use orders_sql::queries::{reads, sagas};
use shopapi_postgres::{Client, ReadPool, timed};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::{error, warn};

pub(crate) use rows::{OrderView, TimelineView};

/// How plans are made on a connection of this service. Tables start empty and grow by thousands of rows a second: a plan that was made
/// while a table was small and reads all of it would be kept until the next ANALYZE. Every statement here has an index, so sequential
/// scans are priced out and plans are made once.
///
/// Asked for while connecting, so that no connection is without them and none costs a statement more.
pub(crate) const PLAN_SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// A net under the saga's reads, whose callers wait without a deadline of their own. Above everything that is bounded inside (twice a
/// connection and a statement), because whoever is cut off by it may leave a connection in doubt in the pool.
const PORT_DEADLINE: Duration = Duration::from_secs(20);

/// The reads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OrderStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: ReadPool,
    deadline: Duration,
    installation: OnceCell<Installation>,
}

/// Some of a customer's orders.
pub(crate) struct OrderPage {
    pub(crate) orders: Vec<OrderView>,
    /// Below which order the next page begins; `None` when this is the last.
    pub(crate) next_before: Option<OrderId>,
}

/// A statement's end: its rows, its error, or none within the deadline.
pub(crate) type Read<T> = Result<Result<T, tokio_postgres::Error>, tokio::time::error::Elapsed>;

impl OrderStore {
    /// Reads over `pool`, each within `deadline`.
    #[must_use]
    pub fn new(pool: ReadPool, deadline: Duration) -> Self {
        Self(Arc::new(Inner {
            pool,
            deadline,
            installation: OnceCell::new(),
        }))
    }

    pub(crate) async fn client(&self) -> Result<Client, StoreUnavailable> {
        self.0.pool.get().await.map_err(|error| {
            warn!(%error, "orders cannot be read");
            StoreUnavailable
        })
    }

    fn failed(&self, client: Client, error: &tokio_postgres::Error) -> StoreUnavailable {
        let failure = self.0.pool.judge(client, error);
        warn!(%failure, "orders cannot be read");
        StoreUnavailable
    }

    /// A statement within the deadline.
    pub(crate) async fn bounded<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Read<T> {
        timed("read", timeout(self.0.deadline, statement)).await
    }

    /// Gives the connection back, or drops it when its state is in doubt.
    pub(crate) fn settle<T>(&self, client: Client, read: Read<T>) -> Result<T, StoreUnavailable> {
        match read {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(self.failed(client, &error)),
            Err(_elapsed) => {
                // The server may still be working on it.
                drop(Client::take(client));
                warn!(deadline = ?self.0.deadline, "a read took too long");
                Err(StoreUnavailable)
            }
        }
    }

    /// The name of this installation, the namespace of derived ids. Read once.
    pub(crate) async fn installation(&self) -> Result<Installation, StoreUnavailable> {
        let read = async {
            let client = self.client().await?;
            let read = self
                .bounded(sagas::installation_id().bind(&client).one())
                .await;
            self.settle(client, read).map(Installation)
        };
        self.0.installation.get_or_try_init(|| read).await.copied()
    }

    /// The next `count` order ids, from the one returned on.
    pub(crate) async fn take_order_ids(&self, count: i64) -> Result<i64, StoreUnavailable> {
        let client = self.client().await?;
        let taken = self
            .bounded(sagas::take_order_ids().bind(&client, &count).one())
            .await;
        self.settle(client, taken)
    }

    /// What these orders were quoted; unknown and unquoted ones are left out.
    pub(crate) async fn quoted_totals(
        &self,
        ids: Vec<i64>,
    ) -> Result<Vec<(OrderId, Cents, Currency)>, StoreUnavailable> {
        let client = self.client().await?;
        let read = self
            .bounded(sagas::quoted_totals().bind(&client, &ids).all())
            .await;
        let totals = self.settle(client, read)?;
        Ok(totals
            .into_iter()
            .filter_map(|row| {
                let currency = row.currency?.parse().ok()?;
                Some((OrderId(row.order_id), Cents(row.total_cents?), currency))
            })
            .collect())
    }

    /// How many sagas on their way forward are older than `age`, but for those that nobody can move; counts up to `count_max`.
    pub(crate) async fn overdue_sagas(
        &self,
        age: Duration,
        count_max: u32,
    ) -> Result<i64, StoreUnavailable> {
        let client = self.client().await?;
        let read = self
            .bounded(
                sagas::overdue_sagas()
                    .bind(&client, &age.as_secs_f64(), &i64::from(count_max))
                    .one(),
            )
            .await;
        self.settle(client, read)
    }

    /// One order of one customer.
    pub(crate) async fn order(
        &self,
        order_id: OrderId,
        customer_id: CustomerId,
    ) -> Result<Option<OrderView>, StoreUnavailable> {
        let client = self.client().await?;
        let read = self
            .bounded(
                reads::get_order()
                    .bind(&client, &order_id.0, &customer_id.0)
                    .opt(),
            )
            .await;
        let row = self.settle(client, read)?;
        row.map(OrderView::try_from)
            .transpose()
            .map_err(|error| rows::misunderstood(order_id, &error))
    }

    /// A page of up to `limit` orders of one customer below `before`, newest first. An order that cannot be understood is left out, so that it
    /// does not hide the others.
    pub(crate) async fn orders(
        &self,
        customer_id: CustomerId,
        status: Option<OrderStatus>,
        before: OrderId,
        limit: usize,
    ) -> Result<OrderPage, StoreUnavailable> {
        let client = self.client().await?;
        let status = status.map(OrderStatus::as_str);
        // One more than asked for tells whether there is another page.
        let rows_max = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let read = self
            .bounded(
                reads::list_orders()
                    .bind(&client, &customer_id.0, &before.0, &status, &rows_max)
                    .all(),
            )
            .await;
        let mut found = self.settle(client, read)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|row| OrderId(row.order_id));
        let understood = |row: reads::OrderRow| {
            let order_id = OrderId(row.order_id);
            OrderView::try_from(row)
                .map_err(|error| rows::misunderstood(order_id, &error))
                .ok()
        };
        Ok(OrderPage {
            orders: found.into_iter().filter_map(understood).collect(),
            next_before: last.filter(|_| more),
        })
    }

    /// The transitions of one customer's order above `after`, oldest first.
    pub(crate) async fn timeline(
        &self,
        order_id: OrderId,
        customer_id: CustomerId,
        after: Version,
    ) -> Result<Vec<TimelineView>, StoreUnavailable> {
        let client = self.client().await?;
        let read = self
            .bounded(
                reads::get_timeline()
                    .bind(&client, &order_id.0, &customer_id.0, &after.0)
                    .all(),
            )
            .await;
        Ok(self
            .settle(client, read)?
            .into_iter()
            .map(TimelineView::from)
            .collect())
    }

    async fn load(&self, ids: Vec<OrderId>) -> Result<Vec<Found>, StoreUnavailable> {
        let installation = self.installation().await?;
        let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let read = self
            .bounded(sagas::load_sagas().bind(&client, &ids).all())
            .await;
        let stored = self.settle(client, read)?;
        Ok(rows::found(stored, installation))
    }

    async fn claim_due(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<Snapshot>, StoreUnavailable> {
        let installation = self.installation().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let client = self.client().await?;
        let claim = self
            .bounded(
                sagas::claim_due()
                    .bind(&client, &limit, &lease.as_secs_f64())
                    .all(),
            )
            .await;
        let stored = self.settle(client, claim)?;
        let claimed = rows::found(stored, installation).into_iter();
        Ok(claimed
            .filter_map(|one| match one {
                Found::Saga(snapshot) => Some(snapshot),
                Found::Unreadable(_) => None,
            })
            .collect())
    }

    async fn versions(
        &self,
        ids: Vec<OrderId>,
    ) -> Result<Vec<(OrderId, Version)>, StoreUnavailable> {
        let ids: Vec<i64> = ids.into_iter().map(|id| id.0).collect();
        let client = self.client().await?;
        let read = self
            .bounded(sagas::versions().bind(&client, &ids).all())
            .await;
        Ok(self
            .settle(client, read)?
            .into_iter()
            .map(|row| (OrderId(row.order_id), Version(row.version)))
            .collect())
    }
}

impl SagaStore for OrderStore {
    fn load(&self, ids: Vec<OrderId>) -> PortFuture<Vec<Found>> {
        let store = self.clone();
        Box::pin(ends("load", async move { Self::load(&store, ids).await }))
    }

    fn claim_due(&self, limit: usize, lease: Duration) -> PortFuture<Vec<Snapshot>> {
        let store = self.clone();
        Box::pin(ends("claim", async move {
            Self::claim_due(&store, limit, lease).await
        }))
    }

    fn versions(&self, ids: Vec<OrderId>) -> PortFuture<Vec<(OrderId, Version)>> {
        let store = self.clone();
        Box::pin(ends("versions", async move {
            Self::versions(&store, ids).await
        }))
    }
}

/// Bounds a whole call of the port by [`PORT_DEADLINE`].
async fn ends<T>(
    call: &'static str,
    reading: impl Future<Output = Result<T, StoreUnavailable>>,
) -> Result<T, StoreUnavailable> {
    timeout(PORT_DEADLINE, reading)
        .await
        .unwrap_or_else(|_elapsed| {
            error!(call, deadline = ?PORT_DEADLINE, "a read of orders had no end of its own");
            Err(StoreUnavailable)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_that_never_ends_is_an_answer() {
        let never = std::future::pending::<Result<(), StoreUnavailable>>();
        assert!(ends("load", never).await.is_err());
        assert!(ends("load", async { Ok(1) }).await.is_ok());
    }
}
