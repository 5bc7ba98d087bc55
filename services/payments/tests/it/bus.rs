//! Events in and out: the streams ORDERS and PAYMENTS, duplicates, poison, and a bus that is away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::Mailbox;
use actor_kit::probe::{self, Alone};
use devstack::get_status;
use jetstream::{
    Connection, ConsumerSpec, DeadLetter, DeadLetterStore, DeadLetterUnavailable, Each,
    InboundEvent, JetStreamConsumer, JetStreamPublisher, OutboundEvent, Outcome, PublisherMsg,
    StreamSpec,
};
use payment::Policy;
use prost::Message as _;
use shopapi_proto::events::v1::{OrderCreated, PaymentFailed, PaymentSucceeded};
use shopapi_proto::payments::v1::PaymentState;
use shopapi_proto::subjects;
use uuid::Uuid;

use crate::support::{Bench, DEADLINE, eventually, id, parameters};

/// The orders service's end of the bus.
struct Orders {
    publisher: Mailbox<PublisherMsg>,
    heard: Arc<Mutex<Vec<InboundEvent>>>,
    _actors: (Alone, Alone),
}

/// What every payload of the stream PAYMENTS begins with.
#[derive(Clone, PartialEq, prost::Message)]
struct AnyPayment {
    #[prost(int64, tag = "2")]
    order_id: i64,
}

struct NoLetters;

impl DeadLetterStore for NoLetters {
    async fn commit(&self, letter: DeadLetter) -> Result<(), DeadLetterUnavailable> {
        panic!("payments published something unreadable: {letter:?}");
    }
}

impl Orders {
    async fn start(bench: &Bench) -> Self {
        let options = bench.bus("orders");
        let connection = Connection::open(&options).await.unwrap();
        let subjects = [subjects::ORDERS_ALL, subjects::ORDERS_REPLAYED];
        let stream = StreamSpec::new(subjects::STREAM_ORDERS, subjects);
        let actor = JetStreamPublisher::new(connection.clone(), stream);
        let (publisher, publishing) = probe::start("publisher", 1_024, actor).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listen = Arc::clone(&heard);
        let handler = Each::new(move |event: InboundEvent| {
            listen.lock().unwrap().push(event);
            std::future::ready(Outcome::Done)
        });
        let spec = ConsumerSpec::new(subjects::STREAM_PAYMENTS, "orders");
        let actor =
            JetStreamConsumer::new(connection, spec, Arc::new(handler), Arc::new(NoLetters));
        let (_, consuming) = probe::start("consumer", 16, actor).await.unwrap();
        Self {
            publisher,
            heard,
            _actors: (publishing, consuming),
        }
    }

    /// Publishes until the bus has it.
    async fn publish(&self, order: i64, subject: &str, payload: Vec<u8>) {
        let event_id = Uuid::now_v7();
        eventually("the event is published", async || {
            let event = OutboundEvent {
                event_id,
                message_id: event_id,
                order_id: order,
                aggregate_seq: 2,
                subject: subject.to_owned(),
                schema_version: subjects::SCHEMA_VERSION,
                payload: payload.clone().into(),
                traceparent: None,
            };
            let answer = self
                .publisher
                .ask(DEADLINE, |reply| PublisherMsg::Publish { event, reply })
                .await;
            matches!(answer, Ok(Ok(_)))
        })
        .await;
    }

    async fn created(&self, order: i64, token: &str) {
        let payload = OrderCreated {
            order_id: order,
            customer_id: Uuid::from_u128(1).to_string(),
            payment_id: id(order).to_string(),
            amount_cents: 1_999,
            currency: "EUR".to_owned(),
            payment_method: token.to_owned(),
            lines: Vec::new(),
        };
        self.publish(order, subjects::ORDERS_CREATED, payload.encode_to_vec())
            .await;
    }

    /// Waits for an event of this subject.
    async fn hears(&self, subject: &str, order: i64) -> InboundEvent {
        let mut found = None;
        eventually(&format!("{subject} of order {order}"), async || {
            let heard = self.heard.lock().unwrap();
            found = heard
                .iter()
                .find(|event| {
                    let about = AnyPayment::decode(event.payload.clone());
                    event.subject == subject && about.is_ok_and(|about| about.order_id == order)
                })
                .cloned();
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}

#[tokio::test]
async fn an_order_that_was_created_is_paid_and_told() {
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;
    let orders = Orders::start(&bench).await;

    orders.created(1, "tok_ok").await;
    orders.created(2, "tok_declined").await;
    let paid = orders.hears(subjects::PAYMENTS_SUCCEEDED, 1).await;
    let failed = orders.hears(subjects::PAYMENTS_FAILED, 2).await;

    let succeeded = PaymentSucceeded::decode(paid.payload).unwrap();
    assert_eq!(succeeded.payment_id, id(1).to_string());
    assert_eq!(
        (succeeded.amount_cents, succeeded.currency.as_str()),
        (1_999, "EUR")
    );
    assert_eq!(paid.aggregate_seq, 3);
    assert_eq!(
        PaymentFailed::decode(failed.payload).unwrap().reason,
        "declined"
    );
    eventually("the outbox rows are marked", async || {
        bench
            .number("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            .await
            == 0
    })
    .await;

    // The same order again, under another message id: acknowledged and nothing more.
    orders.created(1, "tok_ok").await;
    // Things that can never be handled, and a neighbour that can.
    orders
        .publish(3, subjects::ORDERS_CREATED, vec![0xff; 9])
        .await;
    orders.created(4, "").await;
    orders.created(5, "tok_ok").await;
    orders.hears(subjects::PAYMENTS_SUCCEEDED, 5).await;
    eventually("the poison is in the dead letters", async || {
        bench
            .number("SELECT count(*) FROM dead_letters WHERE reason = 'poison'")
            .await
            == 2
    })
    .await;
    assert_eq!(bench.number("SELECT count(*) FROM payments").await, 3);
    assert_eq!(bench.provider_totals().await, (2, 0));
    bench.assert_books_balance().await;
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn without_the_bus_payments_are_made_and_told_when_it_is_back() {
    let mut bench = Bench::start().await;
    bench.stack.nats.stop().await.unwrap();
    let replica = bench.replica(Policy::default()).await;

    replica.request(parameters(1, "tok_ok")).await;
    replica.until(1, PaymentState::Captured).await;
    let waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
    assert_eq!(bench.number(waiting).await, 1);
    assert_eq!(
        get_status(replica.health, "/readyz").await,
        Some(200),
        "degraded, not unready"
    );

    bench.stack.nats.start().await.unwrap();
    let orders = Orders::start(&bench).await;
    orders.hears(subjects::PAYMENTS_SUCCEEDED, 1).await;
    eventually("the row is marked", async || {
        bench.number(waiting).await == 0
    })
    .await;

    bench.stack.nats.wipe().await.unwrap();
    orders.created(2, "tok_ok").await;
    replica.until(2, PaymentState::Captured).await;
    tokio::time::timeout(
        Duration::from_secs(30),
        orders.hears(subjects::PAYMENTS_SUCCEEDED, 2),
    )
    .await
    .unwrap();
    assert!(replica.is_running());
    replica.stop().await.unwrap();
}
