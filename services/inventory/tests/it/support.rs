//! A PostgreSQL per test, stock keepers on it, and short ways to say commands.

use std::time::Duration;

use actor_kit::batch::{WriteResult, write};
use actor_kit::{Mailbox, TraceContext, probe};
use devstack::TestStack;
use shopapi_inventory::SqlStockStore;
use shopapi_postgres::PgConfig;
use stock::{
    Answer, Command, KeeperMsg, OrderId, ReleaseId, RequestedLine, ReservationId, ReserveAnswer,
    StockEntry, keeper,
};
use tokio_postgres::Client;
use uuid::Uuid;

/// Longer than any batch may take on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// The databases and a connection that may do everything in inventorydb.
pub(crate) struct Bench {
    pub(crate) stack: TestStack,
    pub(crate) owner: Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let stack = TestStack::migrated().await.unwrap();
        let owner = stack
            .cluster
            .connect("inventory_owner", "inventorydb")
            .await
            .unwrap();
        Self { stack, owner }
    }

    /// The database as the service's run-time role.
    pub(crate) fn config(&self) -> PgConfig {
        PgConfig::parse(&self.stack.url("inventory"), "inventory-test").unwrap()
    }

    /// Puts a product on offer.
    pub(crate) async fn product(&self, sku: &str, price: i64, currency: &str, initial: i64) {
        let call = "SELECT add_product($1, $1, $2, $3, $4)";
        self.owner
            .execute(call, &[&sku, &price, &currency, &initial])
            .await
            .unwrap();
    }

    /// A stock keeper with a connection of its own: one replica.
    pub(crate) async fn keeper(&self) -> Keeper {
        let store = SqlStockStore::new(&self.config());
        let (mailbox, alone) = probe::start("stock-keeper", 4_096, keeper(store))
            .await
            .unwrap();
        Keeper {
            mailbox,
            _alone: alone,
        }
    }

    /// One number.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.owner.query_one(query, &[]).await.unwrap().get(0)
    }

    /// `on_hand` and `reserved` of a SKU.
    pub(crate) async fn stock(&self, sku: &str) -> (i64, i64) {
        let query = "SELECT on_hand, reserved FROM stock WHERE sku = $1";
        let row = self.owner.query_one(query, &[&sku]).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// The two sums that the audit checks, and one release per RELEASED row.
    pub(crate) async fn assert_books_balance(&self) {
        let wrong = self
            .number(
                "SELECT count(*) FROM stock s WHERE
                   s.on_hand <> s.initial
                     + (SELECT coalesce(sum(quantity), 0) FROM stock_adjustments a WHERE a.sku = s.sku)
                     - (SELECT coalesce(sum(quantity), 0) FROM reservation_lines l WHERE l.sku = s.sku AND l.state = 'COMMITTED')
                   OR s.reserved <>
                     (SELECT coalesce(sum(quantity), 0) FROM reservation_lines l WHERE l.sku = s.sku AND l.state = 'HELD')",
            )
            .await;
        assert_eq!(wrong, 0, "stock rows that do not add up");
        let unrecorded = self
            .number(
                "SELECT (SELECT count(*) FROM reservations WHERE state = 'RELEASED')
                      - (SELECT count(*) FROM processed_releases)",
            )
            .await;
        assert_eq!(unrecorded, 0, "one processed release per RELEASED row");
    }
}

/// One replica's stock keeper.
pub(crate) struct Keeper {
    mailbox: Mailbox<KeeperMsg>,
    _alone: probe::Alone,
}

impl Keeper {
    pub(crate) async fn tell(&self, command: Command) -> WriteResult<Answer> {
        let entry = StockEntry {
            command,
            trace: TraceContext::default(),
        };
        write(&self.mailbox, DEADLINE, entry).await
    }

    /// Sends all at once; the answers stand in the order of the commands.
    pub(crate) async fn tell_all(&self, commands: Vec<Command>) -> Vec<WriteResult<Answer>> {
        futures::future::join_all(commands.into_iter().map(|command| self.tell(command))).await
    }
}

pub(crate) fn id(n: i64) -> ReservationId {
    ReservationId(Uuid::from_u128(u128::try_from(n).unwrap()))
}

pub(crate) fn reserve(n: i64, wanted: &[(&str, i64)]) -> Command {
    let line = |(sku, quantity): &(&str, i64)| RequestedLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
    };
    let lines = wanted.iter().map(line).collect();
    Command::Reserve {
        reservation_id: id(n),
        order_id: OrderId(n),
        lines,
    }
}

pub(crate) fn release(n: i64) -> Command {
    release_as(n, n)
}

/// Releases reservation `n` under the release id of `release`.
pub(crate) fn release_as(n: i64, release: i64) -> Command {
    let release_id = ReleaseId(Uuid::from_u128(u128::try_from(release).unwrap() | 1 << 100));
    Command::Release {
        reservation_id: id(n),
        release_id,
        order_id: OrderId(n),
    }
}

pub(crate) fn commit(n: i64) -> Command {
    Command::Commit {
        reservation_id: id(n),
        order_id: OrderId(n),
    }
}

pub(crate) fn is_held(answer: &WriteResult<Answer>) -> bool {
    matches!(answer, Ok(Answer::Reserve(ReserveAnswer::Held { .. })))
}

/// Waits until `condition` holds, looking again every few milliseconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !condition().await {
            ticks.tick().await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("not within {DEADLINE:?}: {what}");
    }
}
