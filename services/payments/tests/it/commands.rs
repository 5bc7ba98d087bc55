//! What the RPCs answer, for every token of the simulated provider.

use payment::Policy;
use shopapi_proto::payments::v1::{PaymentState, RefundState};
use tonic::Code;

use crate::support::{Bench, code, eventually, id, impatient, parameters, payment};

#[tokio::test]
async fn every_token_does_what_it_says() {
    let bench = Bench::start().await;
    let replica = bench.replica(impatient()).await;
    let tokens = [
        ("tok_ok", PaymentState::Captured),
        ("tok_declined", PaymentState::Declined),
        ("tok_insufficient_funds", PaymentState::Declined),
        ("tok_slow_50", PaymentState::Captured),
        ("tok_flaky_2", PaymentState::Captured),
        ("tok_timeout_after_charge", PaymentState::Captured),
        ("tok_refund_fails_1", PaymentState::Captured),
        ("tok_refund_fails", PaymentState::Captured),
        ("tok_nonsense", PaymentState::Declined),
    ];

    let items = (1..)
        .zip(tokens)
        .map(|(order, (token, _))| parameters(order, token));
    let results = replica.try_request(items.collect()).await.unwrap();
    assert_eq!(results.len(), tokens.len());
    for (order, (token, state)) in (1..).zip(tokens) {
        let end = replica.until(order, state).await;
        assert_eq!(end.order_id, order, "{token}");
    }
    assert_eq!(
        replica.until(2, PaymentState::Declined).await.reason,
        "declined"
    );
    assert_eq!(
        replica.until(3, PaymentState::Declined).await.reason,
        "insufficient_funds"
    );
    assert_eq!(
        replica.until(9, PaymentState::Declined).await.reason,
        "unknown_payment_method"
    );

    for order in [1, 7, 8] {
        payment(replica.try_refund(order).await);
    }
    replica.until_refund(1, RefundState::Refunded).await;
    replica.until_refund(7, RefundState::Refunded).await;
    let stuck = replica.until_refund(8, RefundState::Refused).await;
    assert_eq!(stuck.reason, "refund_refused");
    assert_eq!(stuck.state(), PaymentState::Captured);

    assert_eq!(
        bench
            .number("SELECT max(attempt)::bigint FROM refunds")
            .await,
        3,
        "two of them were refused before"
    );
    let flaky = bench
        .provider
        .query_one("SELECT calls FROM provider_calls", &[])
        .await;
    assert_eq!(flaky.unwrap().get::<_, i32>(0), 3);
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn commands_are_idempotent_and_their_parameters_frozen() {
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;

    let items: Vec<_> = (0..64).map(|n| parameters(1 + n % 4, "tok_ok")).collect();
    let results = replica.try_request(items).await.unwrap();
    for (n, result) in (0..).zip(results) {
        assert_eq!(
            payment(result).order_id,
            1 + n % 4,
            "results stand in the order of the items"
        );
    }
    for order in 1..=4 {
        replica.until(order, PaymentState::Captured).await;
    }
    assert_eq!(
        bench.number("SELECT count(*) FROM payment_attempts").await,
        4
    );

    let mut differs = parameters(1, "tok_ok");
    differs.amount_cents += 1;
    let mut twin = parameters(1, "tok_ok");
    twin.payment_id = id(77).to_string();
    let mut free = parameters(5, "tok_ok");
    free.amount_cents = 0;
    let mut nameless = parameters(6, "tok_ok");
    nameless.payment_id = "six".to_owned();
    let items = vec![differs, twin, free, nameless, parameters(7, "tok_ok")];
    let mut results = replica.try_request(items).await.unwrap();
    let last = payment(results.pop().unwrap());
    assert_eq!(last.order_id, 7, "bad neighbours cost a good item nothing");
    let codes: Vec<Code> = results.into_iter().map(code).collect();
    let (failed, invalid) = (Code::FailedPrecondition, Code::InvalidArgument);
    assert_eq!(codes, [failed, failed, invalid, invalid]);

    assert_eq!(code(replica.try_get(99).await), Code::NotFound);
    assert_eq!(code(replica.try_refund(99).await), Code::NotFound);
    let too_many = (0..300).map(|n| parameters(100 + n, "tok_ok")).collect();
    let refused = replica.try_request(too_many).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    // Two books are compared by two reads: no charge may be between them.
    replica.until(7, PaymentState::Captured).await;
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn replicas_race_for_the_same_payments_and_charge_each_once() {
    let bench = Bench::start().await;
    let one = bench.replica(Policy::default()).await;
    let two = bench.replica(Policy::default()).await;

    let items = || (1..=100).map(|order| parameters(order, "tok_ok")).collect();
    let (first, second) = tokio::join!(one.try_request(items()), two.try_request(items()));

    for result in first.unwrap().into_iter().chain(second.unwrap()) {
        payment(result);
    }
    for order in 1..=100 {
        two.until(order, PaymentState::Captured).await;
    }
    assert_eq!(bench.number("SELECT count(*) FROM payments").await, 100);
    assert_eq!(
        bench.number("SELECT count(*) FROM payment_attempts").await,
        100
    );
    bench.assert_books_balance().await;
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

#[tokio::test]
async fn the_happy_path_keeps_its_attempt_within_the_page() {
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;
    let items = (1..=50).map(|order| parameters(order, "tok_ok")).collect();
    replica.try_request(items).await.unwrap();
    for order in 1..=50 {
        replica.until(order, PaymentState::Captured).await;
    }
    // A backend hands its counts in when it goes.
    replica.stop().await.unwrap();

    let query =
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'payments'";
    eventually("the statistics are there", async || {
        bench
            .books
            .query_one(query, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            >= 100
    })
    .await;
    let row = bench.books.query_one(query, &[]).await.unwrap();
    let (updates, hot): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(updates, 100, "UNKNOWN and CAPTURED");
    // A full page sends a few elsewhere.
    assert!(hot >= 40, "only {hot} of the 50 attempts were HOT");
}

#[tokio::test]
async fn the_service_may_not_rewrite_its_books() {
    let bench = Bench::start().await;
    let service = bench
        .stack
        .cluster
        .connect("payments", "paymentsdb")
        .await
        .unwrap();
    for statement in [
        "DELETE FROM payments",
        "DELETE FROM payment_attempts",
        "DELETE FROM refunds",
        "UPDATE payments SET amount_cents = 1",
        "UPDATE payments SET payment_method = 'tok_ok'",
        "UPDATE refunds SET amount_cents = 1",
    ] {
        let refused = service.execute(statement, &[]).await.unwrap_err();
        let code = refused.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
    let provider = bench
        .stack
        .cluster
        .connect("provider", "providerdb")
        .await
        .unwrap();
    for statement in [
        "DELETE FROM provider_charges",
        "UPDATE provider_refunds SET outcome = 'REFUSED'",
    ] {
        assert!(
            provider.execute(statement, &[]).await.is_err(),
            "{statement}"
        );
    }
    let audit = bench
        .stack
        .cluster
        .connect(devstack::AUDIT_ROLE, "paymentsdb")
        .await
        .unwrap();
    for table in [
        "payments",
        "payment_attempts",
        "refunds",
        "outbox",
        "dead_letters",
    ] {
        audit
            .query(&format!("SELECT * FROM {table}"), &[])
            .await
            .unwrap();
        assert!(
            audit
                .execute(&format!("DELETE FROM {table}"), &[])
                .await
                .is_err()
        );
    }
}
