//! Locked rows, refused data, lost connections, a lost server.

use std::cell::Cell;
use std::ops::Range;
use std::time::Duration;

use actor_kit::batch::WriteError;
use stock::{Answer, CommitAnswer, ReleaseAnswer, ReleaseEffect};

use crate::support::*;

#[tokio::test]
async fn a_reservation_locked_elsewhere_holds_up_only_itself() {
    let bench = Bench::start().await;
    bench.product("A", 100, "EUR", 10).await;
    let keeper = bench.keeper().await;
    keeper
        .tell_all(vec![reserve(1, &[("A", 1)]), reserve(2, &[("A", 1)])])
        .await;
    let lock = format!(
        "BEGIN; SELECT 1 FROM reservations WHERE reservation_id = '{}' FOR UPDATE",
        id(1)
    );
    bench.owner.batch_execute(&lock).await.unwrap();
    let both = keeper.tell_all(vec![commit(1), commit(2)]);
    let unlocking = async {
        let watcher = bench
            .stack
            .cluster
            .connect("inventory_owner", "inventorydb")
            .await
            .unwrap();
        eventually("the neighbour is committed", async || {
            let row = watcher
                .query_one("SELECT on_hand FROM stock WHERE sku = 'A'", &[])
                .await
                .unwrap();
            row.get::<_, i64>(0) == 9
        })
        .await;
        bench.owner.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = tokio::join!(both, unlocking);
    let committed = Ok(Answer::Commit(CommitAnswer::Committed { repeat: false }));
    assert_eq!(answers, [committed.clone(), committed]);
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn a_stock_row_locked_for_long_holds_up_only_those_who_need_it() {
    let bench = Bench::start().await;
    bench.product("FREE", 100, "EUR", 10).await;
    bench.product("STUCK", 100, "EUR", 10).await;
    let keeper = bench.keeper().await;
    bench
        .owner
        .batch_execute("BEGIN; SELECT 1 FROM stock WHERE sku = 'STUCK' FOR UPDATE")
        .await
        .unwrap();
    let stuck = keeper.tell(reserve(1, &[("STUCK", 1)]));
    let others = async {
        let free = keeper
            .tell_all((2..20).map(|n| reserve(n, &[("FREE", 1)])).collect())
            .await;
        assert_eq!(free.iter().filter(|answer| is_held(answer)).count(), 10);
        bench.owner.batch_execute("COMMIT").await.unwrap();
    };
    let (stuck, ()) = tokio::join!(stuck, others);
    assert!(is_held(&stuck), "{stuck:?}");
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn one_entry_that_the_database_refuses_is_found_and_its_neighbours_go_on() {
    let bench = Bench::start().await;
    bench.product("A", 100, "EUR", 100).await;
    let keeper = bench.keeper().await;
    keeper
        .tell_all((1..=32).map(|n| reserve(n, &[("A", 1)])).collect())
        .await;
    // Release 7 names the release id of 3, which the primary key of processed_releases refuses.
    let commands = (1..=32)
        .map(|n| if n == 7 { release_as(7, 3) } else { release(n) })
        .collect();
    let answers = keeper.tell_all(commands).await;
    let refused: Vec<usize> = (0..32)
        .filter(|index| answers[*index] == Err(WriteError::Poisoned))
        .collect();
    assert_eq!(refused.len(), 1, "{answers:?}");
    assert!(
        refused[0] == 6 || refused[0] == 2,
        "one of the two that share a release id: {refused:?}"
    );
    assert_eq!(bench.stock("A").await, (100, 1));
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn a_row_changed_by_hand_poisons_only_its_own_commands() {
    let bench = Bench::start().await;
    bench.product("A", 100, "EUR", 100).await;
    let keeper = bench.keeper().await;
    keeper
        .tell_all((1..=8).map(|n| reserve(n, &[("A", 1)])).collect())
        .await;
    let damage = format!(
        "UPDATE reservations SET lines = '[{{\"sku\": 5}}]' WHERE reservation_id = '{}'",
        id(5)
    );
    bench.owner.batch_execute(&damage).await.unwrap();
    let answers = keeper.tell_all((1..=8).map(commit).collect()).await;
    for (n, answer) in (1..).zip(&answers) {
        assert_eq!(
            *answer == Err(WriteError::Poisoned),
            n == 5,
            "{n}: {answer:?}"
        );
    }
    assert_eq!(bench.stock("A").await, (93, 1));
}

/// Connections to kill under traffic: enough to hit locks, decisions and commits.
const KILLS: i64 = 30;

/// Reservations per round of traffic.
const ROUND: i64 = 20;

#[tokio::test]
async fn killed_connections_lose_and_double_nothing() {
    let bench = Bench::start().await;
    bench.product("A", 100, "EUR", 1_000_000).await;
    // pg_terminate_backend needs the role's membership.
    let superuser = bench
        .stack
        .cluster
        .connect("postgres", "postgres")
        .await
        .unwrap();
    superuser
        .batch_execute("GRANT inventory TO inventory_owner")
        .await
        .unwrap();
    let (one, two) = (bench.keeper().await, bench.keeper().await);
    let kills = Cell::new(0);
    let reserves =
        |numbers: Range<i64>| numbers.map(|n| reserve(n, &[("A", 2)])).collect::<Vec<_>>();
    let ends = |numbers: Range<i64>| {
        numbers
            .map(|n| if n % 2 == 0 { commit(n) } else { release(n) })
            .collect::<Vec<_>>()
    };
    let traffic = async {
        let (mut sent, mut answered) = (0, 0);
        while kills.get() < KILLS {
            let numbers = sent..sent + ROUND;
            sent += ROUND;
            // Both replicas get the same commands, as after a caller's retry elsewhere.
            let (first, second) = tokio::join!(
                one.tell_all(reserves(numbers.clone())),
                two.tell_all(reserves(numbers.clone()))
            );
            answered += first
                .iter()
                .chain(&second)
                .filter(|answer| is_held(answer))
                .count();
            // A release that overtook its reservation would be a tombstone: ends are sent for what is surely held.
            if first
                .iter()
                .zip(&second)
                .all(|(first, second)| is_held(first) || is_held(second))
            {
                tokio::join!(
                    one.tell_all(ends(numbers.clone())),
                    two.tell_all(ends(numbers))
                );
            }
        }
        (sent, answered)
    };
    let killing = async {
        // Between two kills there is time for a TLS handshake and a batch, also on a busy machine.
        let mut ticks = tokio::time::interval(Duration::from_millis(60));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while kills.get() < KILLS {
            ticks.tick().await;
            let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                         WHERE usename = 'inventory' AND application_name = 'inventory-test'";
            kills.set(kills.get() + bench.number(query).await);
        }
    };
    let ((sent, answered), ()) = tokio::join!(traffic, killing);
    assert!(
        answered > 0,
        "some commands are answered in spite of the kills"
    );
    // Whatever was not answered is repeated by its caller, and then all is as if nothing had happened.
    one.tell_all(reserves(0..sent)).await;
    let ended = one.tell_all(ends(0..sent)).await;
    for (n, answer) in (0..).zip(&ended) {
        let fine = match answer {
            Ok(Answer::Commit(CommitAnswer::Committed { .. })) => n % 2 == 0,
            Ok(Answer::Release(ReleaseAnswer::Released(effect))) => {
                n % 2 == 1 && *effect != ReleaseEffect::Tombstone
            }
            _ => false,
        };
        assert!(fine, "{n}: {answer:?}");
    }
    assert_eq!(bench.stock("A").await, (1_000_000 - sent, 0));
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn a_lost_server_is_an_answer_and_its_return_is_noticed() {
    let mut bench = Bench::start().await;
    bench.product("A", 100, "EUR", 10).await;
    let keeper = bench.keeper().await;
    assert!(is_held(&keeper.tell(reserve(1, &[("A", 1)])).await));
    bench.stack.cluster.kill().await.unwrap();
    assert_eq!(
        keeper.tell(reserve(2, &[("A", 1)])).await,
        Err(WriteError::Unavailable)
    );
    bench.stack.cluster.start().await.unwrap();
    eventually("the keeper works again", async || {
        is_held(&keeper.tell(reserve(3, &[("A", 1)])).await)
    })
    .await;
    bench.owner = bench
        .stack
        .cluster
        .connect("inventory_owner", "inventorydb")
        .await
        .unwrap();
    assert_eq!(bench.stock("A").await, (10, 2));
    bench.assert_books_balance().await;
}
