//! What migrations make of rows that were there before them.

use order_saga::OrderId;
use order_saga::saga::SagaEvent;

use crate::support::*;

const NO_OPERATOR_NAMED: &str =
    include_str!("../../../../migrations/orders/V0003__causes_name_no_operator.sql");

#[tokio::test]
async fn old_causes_lose_the_operators_name_and_reason_and_other_causes_stay() {
    let bench = Bench::start().await;
    let mut journal = bench.journal();
    let (accept, saga) = accepting(1, None);
    journal.commit(&[accept]).await;
    let (hold, saga) = moving(&saga, &held());
    journal.commit(&[hold]).await;
    let (retry, _) = moving(&saga, &SagaEvent::OperatorRetried);
    journal.commit(&[retry]).await;
    let (neighbour, _) = accepting(2, None);
    journal.commit(&[neighbour]).await;
    let old = "INSERT INTO operator_actions (action_id, who, why, action, target, outcome)
        VALUES (gen_random_uuid(), 'ada', 'card: lost (her words)', 'saga.retry', '1', 'DONE'),
               (gen_random_uuid(), 'bob', 'a letter', 'dead-letter.discard', gen_random_uuid()::text, 'DONE');
        UPDATE order_timeline SET cause = 'Operator ada retried: card: lost (her words)' WHERE order_id = 1 AND version = 3;
        UPDATE order_timeline SET cause = 'Operator ada retried: nobody recorded it' WHERE order_id = 2";
    bench.owner.batch_execute(old).await.unwrap();
    let held = bench.text(&cause(OrderId(1), 2)).await;

    bench.owner.batch_execute(NO_OPERATOR_NAMED).await.unwrap();

    assert_eq!(
        bench.text(&cause(OrderId(1), 3)).await,
        "An operator asked again."
    );
    assert_eq!(bench.text(&cause(OrderId(1), 2)).await, held);
    assert_eq!(
        bench.text(&cause(OrderId(2), 1)).await,
        "Operator ada retried: nobody recorded it"
    );
}

fn cause(OrderId(id): OrderId, version: i64) -> String {
    format!("SELECT cause FROM order_timeline WHERE order_id = {id} AND version = {version}")
}
