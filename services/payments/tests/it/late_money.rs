//! Voids and everything that comes too late.

use payment::Policy;
use shopapi_proto::payments::v1::{PaymentState, RefundState};
use tonic::Code;

use crate::support::{Bench, code, eventually, impatient, parameters};

#[tokio::test]
async fn a_void_before_the_request_leaves_a_tombstone_for_ever() {
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;

    let voided = replica.void(parameters(1, "tok_ok")).await;
    let late = replica.request(parameters(1, "tok_ok")).await;
    let again = replica.void(parameters(1, "tok_ok")).await;
    let mut differs = parameters(1, "tok_ok");
    differs.currency = "USD".to_owned();
    let mut results = replica.try_request(vec![differs]).await.unwrap();

    for answer in [voided, late, again] {
        assert_eq!(answer.state(), PaymentState::Voided);
        assert_eq!(answer.version, 1);
    }
    assert_eq!(code(results.remove(0)), Code::FailedPrecondition);
    assert_eq!(bench.provider_totals().await, (0, 0));
    assert_eq!(
        bench.number("SELECT count(*) FROM payment_attempts").await,
        0
    );
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_flaky_payment_is_voided_between_two_attempts() {
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;
    replica.request(parameters(1, "tok_flaky_50")).await;
    eventually("it was tried twice", async || {
        bench.number("SELECT count(*) FROM payment_attempts").await >= 2
    })
    .await;

    // An attempt may be open at this moment; then the answer is UNKNOWN and its outcome voids.
    replica.void(parameters(1, "tok_flaky_50")).await;

    replica.until(1, PaymentState::Voided).await;
    let attempts = bench.number("SELECT count(*) FROM payment_attempts").await;
    let again = replica.void(parameters(1, "tok_flaky_50")).await;
    assert_eq!(again.state(), PaymentState::Voided);
    assert_eq!(
        bench.number("SELECT count(*) FROM payment_attempts").await,
        attempts
    );
    let watched = "SELECT count(*) FROM payments WHERE wake_at IS NOT NULL";
    assert_eq!(bench.number(watched).await, 1, "watched for a late capture");
    assert_eq!(bench.provider_totals().await, (0, 0));
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_capture_after_the_void_is_given_back_inside_payments() {
    let bench = Bench::start().await;
    let replica = bench.replica(impatient()).await;
    // The provider captures three seconds after it was asked: long after our deadline and the look-up that follows it.
    replica.request(parameters(1, "tok_slow_3000")).await;
    eventually("the call is open", async || {
        bench.number("SELECT count(*) FROM payment_attempts").await == 1
    })
    .await;
    let open = replica.void(parameters(1, "tok_slow_3000")).await;
    assert_eq!(open.state(), PaymentState::Unknown);
    replica.until(1, PaymentState::Voided).await;
    assert_eq!(bench.provider_totals().await, (0, 0));

    let end = replica.until_refund(1, RefundState::Refunded).await;

    assert_eq!(end.state(), PaymentState::Voided);
    assert_eq!(bench.provider_totals().await, (1, 1));
    let told = "SELECT subject FROM outbox WHERE order_id = 1";
    let told = bench.books.query(told, &[]).await.unwrap();
    let subjects: Vec<&str> = told.iter().map(|row| row.get(0)).collect();
    assert_eq!(subjects, ["payments.refunded"], "never payments.succeeded");
    let answer = replica.request(parameters(1, "tok_slow_3000")).await;
    assert_eq!(answer.state(), PaymentState::Voided);
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_payment_that_never_answers_is_voided_by_a_look_up() {
    let bench = Bench::start().await;
    let replica = bench.replica(impatient()).await;
    replica.request(parameters(1, "tok_timeout")).await;
    eventually("the call is open", async || {
        bench.number("SELECT count(*) FROM payment_attempts").await >= 1
    })
    .await;
    replica.void(parameters(1, "tok_timeout")).await;
    replica.until(1, PaymentState::Voided).await;
    assert_eq!(bench.provider_totals().await, (0, 0));
    assert_eq!(
        bench
            .number("SELECT count(*) FROM payment_attempts WHERE state = 'NOT_CHARGED'")
            .await,
        bench.number("SELECT count(*) FROM payment_attempts").await
    );
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn another_replica_goes_on_with_what_a_dead_one_left() {
    let bench = Bench::start().await;
    // As a replica leaves it that dies between the record of an attempt and its answer; one payment was charged, the other not.
    bench
        .books
        .batch_execute(
            "INSERT INTO payments (payment_id, order_id, amount_cents, version, write_id, wake_at, attempt, attempts_left, look_ups,
               refund_attempt, refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method)
             SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, n, 1999, 2, gen_random_uuid(), now(), 1, 4, 0,
               0, 0, false, false, 'UNKNOWN', 'NONE', 'EUR', 'tok_ok' FROM generate_series(1, 2) n;
             INSERT INTO payment_attempts (payment_id, attempt, state) SELECT payment_id, 1, 'OPEN' FROM payments;",
        )
        .await
        .unwrap();
    bench
        .provider
        .batch_execute(
            "INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome)
             VALUES ('00000000-0000-0000-0000-000000000001', 1, 1999, 'EUR', 'tok_ok', 'CAPTURED')",
        )
        .await
        .unwrap();

    let replica = bench.replica(Policy::default()).await;

    eventually("both are captured", async || {
        bench
            .number("SELECT count(*) FROM payments WHERE state = 'CAPTURED'")
            .await
            == 2
    })
    .await;
    let attempts = "SELECT count(*) FROM payment_attempts WHERE payment_id = '00000000-0000-0000-0000-00000000000";
    assert_eq!(
        bench.number(&format!("{attempts}1'")).await,
        1,
        "found by the look-up"
    );
    assert_eq!(
        bench.number(&format!("{attempts}2'")).await,
        2,
        "charged by a second attempt"
    );
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}
