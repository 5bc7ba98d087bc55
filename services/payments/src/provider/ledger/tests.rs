//! The provider's promises, against a real PostgreSQL and from two replicas.

use actor_kit::batch::{Attempt, BatchStore, Verdict};
use devstack::TestStack;
use payment::{
    AttemptOutcome, Cents, ChargeCall, OrderId, PaymentId, PaymentMethod, RefundCall, RefundOutcome,
};
use shopapi_postgres::PgConfig;
use uuid::Uuid;

use super::{ProviderAnswer, ProviderEntry, ProviderStore};
use crate::provider::script::ChargeScript;

fn store(stack: &TestStack) -> ProviderStore {
    ProviderStore::new(&PgConfig::parse(&stack.url("provider"), "test").unwrap())
}

fn call(order: i64, token: &str) -> ChargeCall {
    ChargeCall {
        payment_id: PaymentId(Uuid::from_u128(u128::try_from(order).unwrap())),
        order_id: OrderId(order),
        amount: Cents(1_999),
        currency: "EUR".to_owned(),
        payment_method: PaymentMethod::new(token.to_owned()),
    }
}

async fn charge(store: &mut ProviderStore, call: ChargeCall) -> AttemptOutcome {
    let script = ChargeScript::of(call.payment_method.expose());
    let batch = [ProviderEntry::Charge { call, script }];
    match store
        .commit(&batch, Attempt::default())
        .await
        .unwrap()
        .remove(0)
    {
        Verdict::Done(ProviderAnswer::Charge(outcome)) => outcome,
        other => panic!("no answer to a charge: {other:?}"),
    }
}

async fn refund(store: &mut ProviderStore, order: i64, refund: u128) -> RefundOutcome {
    let batch = [ProviderEntry::Refund {
        call: RefundCall {
            refund_id: Uuid::from_u128(refund),
            payment_id: call(order, "").payment_id,
            amount: Cents(1_999),
            currency: "EUR".to_owned(),
        },
    }];
    loop {
        let mut verdicts = store.commit(&batch, Attempt::default()).await.unwrap();
        match verdicts.remove(0) {
            Verdict::Done(ProviderAnswer::Refund(outcome)) => return outcome,
            // It met the other replica's: the writer sends it again.
            Verdict::Busy => {}
            other => panic!("no answer to a refund: {other:?}"),
        }
    }
}

fn refused(reason: &str) -> RefundOutcome {
    RefundOutcome::Refused {
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn charges_are_unique_by_key_and_replayed_on_every_replica() {
    let stack = TestStack::migrated().await.unwrap();
    let (mut one, mut two) = (store(&stack), store(&stack));
    let books = stack
        .cluster
        .connect("provider", "providerdb")
        .await
        .unwrap();

    let (first, second) = tokio::join!(
        charge(&mut one, call(1, "tok_ok")),
        charge(&mut two, call(1, "tok_ok"))
    );
    assert_eq!(
        [first, second],
        [AttemptOutcome::Captured, AttemptOutcome::Captured]
    );
    let declined = charge(&mut one, call(2, "tok_insufficient_funds")).await;
    let reason = "insufficient_funds".to_owned();
    assert_eq!(declined, AttemptOutcome::Declined { reason });
    assert_eq!(
        charge(&mut two, call(2, "tok_insufficient_funds")).await,
        declined
    );

    // Another question under a known key is not answered with a known answer.
    let mut dearer = call(1, "tok_ok");
    dearer.amount = Cents(2_000);
    assert_eq!(charge(&mut two, dearer).await, AttemptOutcome::Unknown);

    let rows = books
        .query("SELECT outcome FROM provider_charges", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
}

#[tokio::test]
async fn transient_errors_are_counted_over_replicas_and_never_stored() {
    let stack = TestStack::migrated().await.unwrap();
    let (mut one, mut two) = (store(&stack), store(&stack));
    let books = stack
        .cluster
        .connect("provider", "providerdb")
        .await
        .unwrap();

    let flaky = || call(1, "tok_flaky_2");
    assert_eq!(charge(&mut one, flaky()).await, AttemptOutcome::NotCharged);
    assert_eq!(charge(&mut two, flaky()).await, AttemptOutcome::NotCharged);
    let stored = "SELECT count(*) FROM provider_charges";
    assert_eq!(
        books.query_one(stored, &[]).await.unwrap().get::<_, i64>(0),
        0
    );
    assert_eq!(charge(&mut one, flaky()).await, AttemptOutcome::Captured);
    assert_eq!(charge(&mut two, flaky()).await, AttemptOutcome::Captured);
    assert_eq!(
        books.query_one(stored, &[]).await.unwrap().get::<_, i64>(0),
        1
    );
}

#[tokio::test]
async fn a_charge_is_given_back_once_and_refusals_keep_their_id() {
    let stack = TestStack::migrated().await.unwrap();
    let (mut one, mut two) = (store(&stack), store(&stack));
    charge(&mut one, call(1, "tok_refund_fails_1")).await;
    charge(&mut one, call(2, "tok_declined")).await;

    assert_eq!(refund(&mut one, 1, 10).await, refused("refund_refused"));
    assert_eq!(
        refund(&mut two, 1, 10).await,
        refused("refund_refused"),
        "replayed"
    );
    let (first, second) = tokio::join!(refund(&mut one, 1, 11), refund(&mut two, 1, 11));
    assert_eq!(
        [first, second],
        [RefundOutcome::Refunded, RefundOutcome::Refunded]
    );
    assert_eq!(refund(&mut two, 1, 12).await, refused("already_refunded"));
    assert_eq!(refund(&mut one, 2, 20).await, refused("not_charged"));
    assert_eq!(refund(&mut one, 3, 30).await, refused("not_charged"));
}
