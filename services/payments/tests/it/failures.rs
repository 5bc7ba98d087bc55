//! The database under the service's feet, ports that are taken, and the end of a replica.

use std::time::Duration;

use devstack::{get_status, lease};
use payment::Policy;
use shopapi_payments::{RunError, run};
use shopapi_proto::payments::v1::PaymentState;
use shopapi_proto::payments::v1::payment_result::Outcome;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::support::{Bench, Replica, eventually, impatient, parameters, start};

/// Requests until the service has taken it, as orders does.
async fn insist(replica: &Replica, order: i64) {
    eventually(&format!("order {order} is taken"), async || {
        match replica.try_request(vec![parameters(order, "tok_ok")]).await {
            Ok(mut results) => match results.remove(0).outcome.unwrap() {
                Outcome::Payment(_) => true,
                Outcome::Error(error) => {
                    assert_eq!(Code::from(error.code), Code::Unavailable, "{error:?}");
                    false
                }
            },
            Err(_cut) => false,
        }
    })
    .await;
}

#[tokio::test]
async fn connections_that_are_cut_in_the_middle_lose_and_double_nothing() {
    let bench = Bench::start().await;
    let replica = bench.replica(impatient()).await;
    let cutting = async {
        for _ in 0..25 {
            for client in [&bench.books, &bench.provider] {
                client
                    .execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE usename IN ('payments', 'provider') AND state = 'active'",
                        &[],
                    )
                    .await
                    .unwrap();
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let requesting = async {
        for order in 1..=300 {
            insist(&replica, order).await;
        }
    };
    tokio::join!(cutting, requesting);

    eventually("all are captured", async || {
        bench
            .number("SELECT count(*) FROM payments WHERE state = 'CAPTURED'")
            .await
            == 300
    })
    .await;
    assert!(replica.is_running());
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_restarts_is_waited_for() {
    let mut bench = Bench::start().await;
    let replica = bench.replica(impatient()).await;
    for order in 1..=20 {
        insist(&replica, order).await;
    }
    bench.stack.cluster.stop().await.unwrap();
    let results = replica.try_request(vec![parameters(21, "tok_ok")]).await;
    if let Ok(mut results) = results {
        let Some(Outcome::Error(error)) = results.remove(0).outcome else {
            panic!("an answer without a database");
        };
        assert_eq!(Code::from(error.code), Code::Unavailable);
        assert!(
            !error.message.contains("127.0.0.1"),
            "internal text left the service: {}",
            error.message
        );
    }
    eventually("it is unready", async || {
        get_status(replica.health, "/readyz").await == Some(503)
    })
    .await;
    assert_eq!(get_status(replica.health, "/livez").await, Some(200));

    bench.stack.cluster.start().await.unwrap();
    bench.reconnect().await;
    insist(&replica, 22).await;
    for order in (1..=20).chain([22]) {
        replica.until(order, PaymentState::Captured).await;
    }
    assert!(replica.is_running());
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_ends_the_start_with_its_address() {
    let bench = Bench::start().await;
    let ports = [lease().unwrap(), lease().unwrap()];
    let taken = std::net::TcpListener::bind(ports[1].addr()).unwrap();

    let config = bench.config(&ports, Policy::default());
    let error = run(config, CancellationToken::new()).await.unwrap_err();

    assert!(matches!(error, RunError::Listen { .. }));
    assert!(
        error
            .to_string()
            .contains(&taken.local_addr().unwrap().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_stop_loses_nothing_and_the_next_replica_goes_on() {
    let bench = Bench::start().await;
    let first = bench.replica(impatient()).await;
    for order in 1..=50 {
        first.request(parameters(order, "tok_slow_100")).await;
    }
    first.stop().await.unwrap();
    let open = "SELECT count(*) FROM payments WHERE state <> 'CAPTURED' AND wake_at IS NULL";
    assert_eq!(
        bench.number(open).await,
        0,
        "unfinished payments that nobody would wake"
    );

    let second = bench.replica(impatient()).await;
    for order in 1..=50 {
        second.until(order, PaymentState::Captured).await;
    }
    bench.assert_books_balance().await;
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_replica_is_not_ready_before_its_schema_is() {
    let bench = Bench::start().await;
    let owner = bench.stack.cluster.connect("payments_owner", "paymentsdb");
    let owner = owner.await.unwrap();
    let history = "ALTER TABLE refinery_schema_history";
    let hide = format!("{history} RENAME TO not_migrated_yet");
    owner.batch_execute(&hide).await.unwrap();
    let ports = [lease().unwrap(), lease().unwrap()];
    let config = bench.config(&ports, Policy::default());
    let shutdown = CancellationToken::new();
    let (_thread, ended) = start(config, shutdown.clone());
    bench.connected(&ports).await;
    let health = ports[1].addr();

    assert_eq!(get_status(health, "/readyz").await, Some(503));
    let show = "ALTER TABLE not_migrated_yet RENAME TO refinery_schema_history";
    owner.batch_execute(show).await.unwrap();
    eventually("the replica is ready", async || {
        get_status(health, "/readyz").await == Some(200)
    })
    .await;
    shutdown.cancel();
    ended.await.unwrap().unwrap();
}
