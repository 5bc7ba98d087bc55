//! The saga's reading port.

use std::time::Duration;

use order_saga::{Found, OrderId, SagaStore, Snapshot, Version};
use shopapi_orders::OrderStore;
use shopapi_postgres::ReadPool;

use crate::support::*;

fn store(bench: &Bench) -> OrderStore {
    let pool = ReadPool::new(&bench.config(), 4).unwrap();
    OrderStore::new(pool, Duration::from_secs(10))
}

#[tokio::test]
async fn a_saga_is_loaded_as_it_was_written() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept, one) = accepting(1, None);
    let (other, two) = accepting(2, None);
    journal.commit(&[accept, other]).await;
    let (hold, mut one) = moving(&one, &held());
    journal.commit(&[hold]).await;
    // Derived ids come from the installation's own namespace.
    let ids = order_saga::SagaIds::derive(bench.installation().await, OrderId(1));
    std::sync::Arc::make_mut(&mut one.order).ids = ids;

    let wanted = vec![OrderId(1), OrderId(2), OrderId(3)];
    let found = store(&bench).load(wanted.clone()).await.unwrap();
    let mut found: Vec<Snapshot> = found
        .into_iter()
        .map(|one| match one {
            Found::Saga(snapshot) => snapshot,
            Found::Unreadable(order_id) => panic!("{order_id} cannot be read"),
        })
        .collect();
    found.sort_by_key(|snapshot| snapshot.saga.order.order_id);

    assert_eq!(found.len(), 2, "an unknown id is left out");
    assert_eq!(found[0].saga, one);
    assert!(found[0].updated_at > found[0].created_at);
    assert_eq!(found[1].saga.version, two.version);
    let mut versions = store(&bench).versions(wanted).await.unwrap();
    versions.sort();
    assert_eq!(
        versions,
        [(OrderId(1), Version(2)), (OrderId(2), Version(1))]
    );
}

#[tokio::test]
async fn due_sagas_are_claimed_by_one_replica_for_the_length_of_a_lease() {
    let bench = Bench::start().await;
    let (entries, _): (Vec<_>, Vec<_>) = (1..=20).map(|id| accepting(id, None)).unzip();
    bench.journal().commit(&entries).await;
    let (here, there) = (store(&bench), store(&bench));
    let lease = Duration::from_secs(60);
    assert_eq!(here.claim_due(20, lease).await.unwrap(), [], "none is due");
    let due = "UPDATE orders SET wake_at = now() - interval '1 s' * order_id";
    bench.owner.execute(due, &[]).await.unwrap();

    let oldest = here.claim_due(5, lease).await.unwrap();
    let mut ids: Vec<i64> = oldest.iter().map(|one| one.saga.order.order_id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [16, 17, 18, 19, 20], "the longest overdue first");

    let (mine, theirs) = tokio::join!(here.claim_due(20, lease), there.claim_due(20, lease));
    let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
    let claimed: std::collections::HashSet<_> = mine
        .iter()
        .chain(&theirs)
        .map(|one| one.saga.order.order_id)
        .collect();
    assert_eq!(claimed.len(), mine.len() + theirs.len(), "nobody twice");
    assert_eq!(claimed.len(), 15);
    assert_eq!(here.claim_due(20, lease).await.unwrap(), []);
    let spread = "SELECT count(DISTINCT wake_at) FROM orders WHERE wake_at BETWEEN now() + interval '40 s' AND now() + interval '80 s'";
    assert_eq!(bench.number(spread).await, 20, "each at its own moment");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_no_missing_one_and_its_neighbours_are_loaded() {
    let bench = Bench::start().await;
    let (entries, _): (Vec<_>, Vec<_>) = (1..=3).map(|id| accepting(id, None)).unzip();
    bench.journal().commit(&entries).await;
    let damage = "UPDATE orders SET details = '{\"step\": \"dancing\"}' WHERE order_id = 2";
    bench.owner.execute(damage, &[]).await.unwrap();
    let found = store(&bench)
        .load((1..=4).map(OrderId).collect())
        .await
        .unwrap();
    let mut read: Vec<(i64, bool)> = found
        .into_iter()
        .map(|one| match one {
            Found::Saga(snapshot) => (snapshot.saga.order.order_id.0, true),
            Found::Unreadable(order_id) => (order_id.0, false),
        })
        .collect();
    read.sort_unstable();
    assert_eq!(read, [(1, true), (2, false), (3, true)]);
}

#[tokio::test]
async fn without_a_database_a_read_is_an_answer() {
    let mut bench = Bench::start().await;
    let store = store(&bench);
    store.versions(vec![OrderId(1)]).await.unwrap();
    bench.stack.cluster.kill().await.unwrap();
    store.versions(vec![OrderId(1)]).await.unwrap_err();
    bench.stack.cluster.start().await.unwrap();
    eventually("reads are back", async || {
        store.versions(vec![OrderId(1)]).await.is_ok()
    })
    .await;
}
