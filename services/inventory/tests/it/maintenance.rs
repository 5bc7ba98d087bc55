//! What is forgotten, and what never is.

use std::time::Duration;

use actor_kit::probe;
use shopapi_inventory::{Limits, Maintenance};

use crate::support::*;

#[tokio::test]
async fn old_refusals_and_tombstones_go_and_the_books_stay() {
    let bench = Bench::start().await;
    bench.product("A", 100, "EUR", 1_000).await;
    let keeper = bench.keeper().await;
    // Of each kind: held, committed, released after a hold, tombstone, refused.
    for base in [0, 100] {
        keeper
            .tell_all((1..=8).map(|n| reserve(base + n, &[("A", 1)])).collect())
            .await;
        keeper
            .tell_all(vec![
                commit(base + 1),
                commit(base + 2),
                release(base + 3),
                release(base + 4),
            ])
            .await;
        keeper
            .tell_all(vec![
                release(base + 20),
                release(base + 21),
                release(base + 22),
            ])
            .await;
        keeper
            .tell_all(vec![
                reserve(base + 30, &[("GONE", 1)]),
                reserve(base + 31, &[("A", 5_000)]),
            ])
            .await;
    }
    // Those below 100 happened long ago.
    bench
        .owner
        .batch_execute(
            "UPDATE reservations SET created_at = now() - interval '30 days', updated_at = now() - interval '30 days' WHERE order_id < 100;
             UPDATE processed_releases SET released_at = now() - interval '30 days' WHERE order_id < 100",
        )
        .await
        .unwrap();
    let before = bench.number("SELECT count(*) FROM reservations").await;

    // Two rows at a time, so that it takes several rounds.
    let limits = Limits {
        prune_interval: Duration::from_millis(1),
        prune_rows_max: 2,
        ..Limits::default()
    };
    let pruner = Maintenance::new(&bench.config(), &limits);
    let (_mailbox, alone) = probe::start("maintenance", 1, pruner).await.unwrap();
    eventually("seven old rows are gone", async || {
        bench.number("SELECT count(*) FROM reservations").await == before - 7
    })
    .await;
    alone.stop().await;

    let left = |state: &str| {
        format!("SELECT count(*) FROM reservations WHERE order_id < 100 AND state = '{state}'")
    };
    assert_eq!(bench.number(&left("HELD")).await, 4);
    assert_eq!(bench.number(&left("COMMITTED")).await, 2);
    assert_eq!(bench.number(&left("RELEASED")).await, 0);
    assert_eq!(bench.number(&left("REFUSED")).await, 0);
    assert_eq!(
        bench
            .number("SELECT count(*) FROM processed_releases WHERE order_id < 100")
            .await,
        0
    );
    assert_eq!(
        bench
            .number("SELECT count(*) FROM processed_releases WHERE order_id > 100")
            .await,
        5
    );
    bench.assert_books_balance().await;
}
