//! The SQL store keeps the books as the rules say.

use stock::{
    Answer, CommitAnswer, Refusal, ReleaseAnswer, ReleaseEffect, ReservationState, ReserveAnswer,
    Shortage, Sku,
};

use crate::support::*;

#[tokio::test]
async fn two_replicas_on_one_hot_sku_sell_every_piece_once() {
    let bench = Bench::start().await;
    bench.product("HOT", 100, "EUR", 150).await;
    let (one, two) = (bench.keeper().await, bench.keeper().await);
    let orders =
        |range: std::ops::Range<i64>| range.map(|n| reserve(n, &[("HOT", 1)])).collect::<Vec<_>>();
    let (first, second) =
        tokio::join!(one.tell_all(orders(0..300)), two.tell_all(orders(300..600)));
    let held = first
        .iter()
        .chain(&second)
        .filter(|answer| is_held(answer))
        .count();
    assert_eq!(held, 150);
    assert!(first.iter().chain(&second).all(Result::is_ok));
    assert_eq!(bench.stock("HOT").await, (150, 150));
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn replicas_that_cross_their_locks_do_not_block_each_other() {
    let bench = Bench::start().await;
    for sku in ["A", "B", "C"] {
        bench.product(sku, 100, "EUR", 100_000).await;
    }
    let (one, two) = (bench.keeper().await, bench.keeper().await);
    let commands = |lines: [(&'static str, i64); 3]| {
        (0..200)
            .map(move |n| reserve(n, &lines))
            .collect::<Vec<_>>()
    };
    // The same reservations at both replicas, with their lines in opposite orders.
    let (first, second) = tokio::join!(
        one.tell_all(commands([("A", 1), ("B", 2), ("C", 3)])),
        two.tell_all(commands([("C", 3), ("B", 2), ("A", 1)])),
    );
    assert!(
        first.iter().chain(&second).all(is_held),
        "both replicas answer with the one hold"
    );
    assert_eq!(
        bench.stock("B").await,
        (100_000, 400),
        "each reservation held once"
    );
    let (first, second) = tokio::join!(
        one.tell_all((0..200).map(release).collect()),
        two.tell_all((0..200).map(commit).collect())
    );
    let released = first
        .iter()
        .filter(|answer| matches!(answer, Ok(Answer::Release(ReleaseAnswer::Released(_)))));
    let committed = second
        .iter()
        .filter(|answer| matches!(answer, Ok(Answer::Commit(CommitAnswer::Committed { .. }))));
    assert_eq!(
        released.count() + committed.count(),
        200,
        "each reservation ends one way"
    );
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn a_repeat_answers_with_the_prices_of_the_first_time() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let keeper = bench.keeper().await;
    let Ok(Answer::Reserve(ReserveAnswer::Held {
        hold,
        repeat: false,
    })) = keeper.tell(reserve(1, &[("A", 2)])).await
    else {
        panic!("not held");
    };
    assert_eq!(hold.total.0, 500);
    bench
        .owner
        .execute("UPDATE products SET unit_price_cents = 999", &[])
        .await
        .unwrap();
    let again = bench.keeper().await.tell(reserve(1, &[("A", 2)])).await;
    assert_eq!(
        again,
        Ok(Answer::Reserve(ReserveAnswer::Held { hold, repeat: true }))
    );
    assert_eq!(bench.stock("A").await, (10, 2));
    let other = keeper.tell(reserve(1, &[("A", 3)])).await;
    assert_eq!(other, Ok(Answer::Reserve(ReserveAnswer::Conflict)));
}

#[tokio::test]
async fn every_refusal_is_a_row_and_comes_back_as_it_was() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 3).await;
    bench.product("B", 100, "USD", 3).await;
    bench.product("FREE", 0, "EUR", 3).await;
    bench.product("DEAR", i64::MAX / 2, "EUR", 9).await;
    bench.product("QUOTE\"\\", 10, "EUR", 1).await;
    let short = |sku: &str, requested, available| Shortage {
        sku: Sku::new(sku).unwrap(),
        requested,
        available,
    };
    let table: Vec<(&[(&str, i64)], Refusal)> = vec![
        (&[], Refusal::InvalidLines),
        (&[("A", 0)], Refusal::InvalidLines),
        (&[("A\0", 1)], Refusal::InvalidLines),
        (&[("A", 1), ("A", 1)], Refusal::InvalidLines),
        (&[("A", 1), ("B", 1)], Refusal::MixedCurrency),
        (&[("FREE", 1)], Refusal::TotalOutOfRange),
        (&[("DEAR", 3)], Refusal::TotalOutOfRange),
        (
            &[("NOPE", 2), ("A", 1)],
            Refusal::UnknownSku(vec![short("NOPE", 2, 0)]),
        ),
        (
            &[("A", 5), ("FREE", 4)],
            Refusal::OutOfStock(vec![short("A", 5, 3), short("FREE", 4, 3)]),
        ),
        (
            &[("QUOTE\"\\", 2)],
            Refusal::OutOfStock(vec![short("QUOTE\"\\", 2, 1)]),
        ),
    ];
    let commands = || {
        (1..)
            .zip(&table)
            .map(|(n, (lines, _))| reserve(n, lines))
            .collect::<Vec<_>>()
    };
    let first = bench.keeper().await.tell_all(commands()).await;
    let again = bench.keeper().await.tell_all(commands()).await;
    for (((lines, refusal), first), again) in table.iter().zip(first).zip(again) {
        let answer = |repeat| {
            Ok(Answer::Reserve(ReserveAnswer::Refused {
                refusal: refusal.clone(),
                repeat,
            }))
        };
        assert_eq!(first, answer(false), "{lines:?}");
        assert_eq!(again, answer(true), "{lines:?}");
    }
    assert_eq!(
        bench
            .number("SELECT count(*) FROM reservations WHERE state = 'REFUSED'")
            .await,
        10
    );
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn an_early_release_keeps_a_late_reserve_from_taking_stock() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let keeper = bench.keeper().await;
    let released = |effect| Ok(Answer::Release(ReleaseAnswer::Released(effect)));
    assert_eq!(
        keeper.tell(release(1)).await,
        released(ReleaseEffect::Tombstone)
    );
    let late = keeper.tell(reserve(1, &[("A", 2)])).await;
    assert_eq!(
        late,
        Ok(Answer::Reserve(ReserveAnswer::Ended(
            ReservationState::Released
        )))
    );
    assert_eq!(
        keeper.tell(release(1)).await,
        released(ReleaseEffect::Repeat)
    );
    assert_eq!(bench.stock("A").await, (10, 0));
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn a_reservation_goes_one_way_and_stays_there() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let keeper = bench.keeper().await;
    keeper
        .tell_all(vec![reserve(1, &[("A", 2)]), reserve(2, &[("A", 3)])])
        .await;
    assert_eq!(bench.stock("A").await, (10, 5));
    let committed = keeper.tell(commit(1)).await;
    assert_eq!(
        committed,
        Ok(Answer::Commit(CommitAnswer::Committed { repeat: false }))
    );
    assert_eq!(bench.stock("A").await, (8, 3));
    assert_eq!(
        keeper.tell(release(1)).await,
        Ok(Answer::Release(ReleaseAnswer::Sold))
    );
    assert!(keeper.tell(release(2)).await.is_ok());
    let late = keeper.tell(commit(2)).await;
    assert_eq!(
        late,
        Ok(Answer::Commit(CommitAnswer::NotHeld(
            ReservationState::Released
        )))
    );
    assert_eq!(
        keeper.tell(commit(3)).await,
        Ok(Answer::Commit(CommitAnswer::Missing))
    );
    assert_eq!(bench.stock("A").await, (8, 0));
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn adjustments_are_booked_once_and_never_below_what_is_held() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    let keeper = bench.keeper().await;
    keeper.tell(reserve(1, &[("A", 4)])).await.unwrap();
    let adjust = "SELECT adjust_stock('00000000-0000-0000-0000-000000000001', 'A', -6, 'broken')";
    for expected in [true, false] {
        assert_eq!(
            bench
                .owner
                .query_one(adjust, &[])
                .await
                .unwrap()
                .get::<_, bool>(0),
            expected
        );
    }
    assert_eq!(bench.stock("A").await, (4, 4));
    let too_much = "SELECT adjust_stock('00000000-0000-0000-0000-000000000002', 'A', -1, 'broken')";
    let refused = bench.owner.query_one(too_much, &[]).await.unwrap_err();
    assert_eq!(
        refused.as_db_error().unwrap().constraint(),
        Some("stock_covers_what_is_held")
    );
    bench.assert_books_balance().await;
}

#[tokio::test]
async fn the_service_may_move_stock_and_nothing_else() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 10).await;
    bench
        .keeper()
        .await
        .tell_all(vec![reserve(1, &[("A", 4)])])
        .await;
    let service = bench
        .stack
        .cluster
        .connect("inventory", "inventorydb")
        .await
        .unwrap();
    for forbidden in [
        "UPDATE products SET unit_price_cents = 1",
        "UPDATE stock SET initial = 1",
        "UPDATE reservations SET lines = '[]'",
        "DELETE FROM stock",
        "SELECT add_product('X', 'X', 1, 'EUR', 1)",
        "SELECT adjust_stock('00000000-0000-0000-0000-000000000001', 'A', 1, 'gift')",
    ] {
        let refused = service.batch_execute(forbidden).await.expect_err(forbidden);
        assert_eq!(refused.code().unwrap().code(), "42501", "{forbidden}");
    }
    let book = service
        .batch_execute("DELETE FROM reservations")
        .await
        .unwrap_err();
    assert_eq!(
        book.code().unwrap().code(),
        "23001",
        "a hold is never deleted"
    );
}

#[tokio::test]
async fn states_change_without_touching_an_index() {
    let bench = Bench::start().await;
    bench.product("A", 250, "EUR", 1_000).await;
    let keeper = bench.keeper().await;
    // One at a time: what counts is the steady flow, not one batch that fills a page.
    for n in 1..=40 {
        assert!(is_held(&keeper.tell(reserve(n, &[("A", 1)])).await));
        keeper.tell(commit(n)).await.unwrap();
    }
    drop(keeper);
    eventually("the server has counted the updates", async || {
        bench
            .number("SELECT n_tup_upd::bigint FROM pg_stat_user_tables WHERE relname = 'stock'")
            .await
            >= 80
    })
    .await;
    let query = "SELECT sum(n_tup_upd - n_tup_hot_upd)::bigint FROM pg_stat_user_tables WHERE relname IN ('stock', 'reservations')";
    assert!(
        bench.number(query).await <= 4,
        "only updates that found their page full may have moved"
    );
}
