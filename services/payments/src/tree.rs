//! The payments tree. The only place that spawns.
//!
//! ```text
//! payments (one_for_one, 5 crashes / 60 s, then the process exits non-zero)
//! ├── payment-ledger    group-commit writer: requests, voids, attempts, outcomes, refunds; own connection
//! ├── publisher         publishes to the stream PAYMENTS, which it creates when missing
//! ├── letter-publisher  publishes dead letters again, to itself through the stream ORDERS
//! ├── outbox-drainer    hands committed events to the publisher, own connection for its net
//! ├── provider-ledger   the simulated provider's own group-commit writer, in its own database
//! ├── payment-processor charges, looks up and refunds what is due, own connection for its net
//! ├── maintenance       pruning, retention, own connections
//! ├── orders-consumer   JetStream durable pull consumer on ORDERS
//! └── grpc              adapter; started last, stopped first
//! ```

use std::sync::Arc;
use std::time::Duration;

use actor_kit::Mailbox;
use actor_kit::batch::{BatchLimits, BatchWriter};
use actor_kit::tree::{ChildSpec, Tree, TreeWindow};
use jetstream::{
    Connection, ConsumerMsg, Each, JetStreamConsumer, JetStreamPublisher, PublisherMsg, StreamSpec,
};
use outbox::{DrainerMsg, OutboxDrainer, PlanLimits};
use payment::ledger::{Ledger, LedgerMsg};
use payment::{PaymentDesk, PaymentProcessor, Policy, ProcessorMsg};
use shopapi_postgres::{PgConfig, ReadPool};
use shopapi_proto::subjects;
use shopapi_rpc::Trust;
use tokio::net::TcpListener;

use crate::books::Books;
use crate::bus::{Marks, Outbox, Publisher};
use crate::config::Limits;
use crate::ledger::LedgerStore;
use crate::operators::{AdminBooks, OperatorDesk};
use crate::orders_consumer::{self, DeadLetters};
use crate::provider::{ProviderMsg, ProviderStore, SimulatedProvider};
use crate::{grpc, maintenance};

/// Provider bookings that wait at once: every call the processor may have in flight, and some that were left behind.
const PROVIDER_MAILBOX: usize = 1_024;
/// Publishes that wait: the drainer has no more than its window in flight.
const PUBLISHER_MAILBOX: usize = 256;
/// Letters are replayed one by one, by people.
const LETTERS_MAILBOX: usize = 8;
/// Questions to the consumer about itself.
const CONSUMER_MAILBOX: usize = 16;

/// The addresses of the actors; they outlive every restart.
#[derive(Clone)]
pub(crate) struct Mailboxes {
    pub(crate) ledger: Mailbox<LedgerMsg>,
    pub(crate) processor: Mailbox<ProcessorMsg>,
    pub(crate) provider: Mailbox<ProviderMsg>,
    pub(crate) drainer: Mailbox<DrainerMsg>,
    pub(crate) publisher: Mailbox<PublisherMsg>,
    pub(crate) letters: Mailbox<PublisherMsg>,
    pub(crate) consumer: Mailbox<ConsumerMsg>,
}

impl Mailboxes {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            ledger: Mailbox::new("payment-ledger", limits.ledger_mailbox),
            processor: Mailbox::new("payment-processor", limits.processor_mailbox),
            provider: Mailbox::new("provider-ledger", PROVIDER_MAILBOX),
            drainer: Mailbox::new("outbox-drainer", limits.drainer_mailbox),
            publisher: Mailbox::new("publisher", PUBLISHER_MAILBOX),
            letters: Mailbox::new("letter-publisher", LETTERS_MAILBOX),
            consumer: Mailbox::new("orders-consumer", CONSUMER_MAILBOX),
        }
    }
}

/// What lies outside the tree.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) database: PgConfig,
    pub(crate) reads: ReadPool,
    pub(crate) provider_database: PgConfig,
    pub(crate) provider_reads: ReadPool,
    pub(crate) bus: Connection,
    pub(crate) trust: Trust,
    pub(crate) listener: Arc<TcpListener>,
}

/// Declares the tree. The listener is bound before, so that a taken port is an error of the start and survives restarts of `grpc`.
pub(crate) fn tree(
    outside: &Outside,
    mailboxes: &Mailboxes,
    policy: Policy,
    limits: Limits,
) -> Tree {
    let admin_policy = policy.clone();
    let ledger = Ledger::new(
        mailboxes.ledger.clone(),
        Arc::new(policy),
        limits.write_deadline,
    );
    let books = Arc::new(Books::new(&outside.database, outside.reads.clone()));
    let desk = PaymentDesk::new(
        ledger.clone(),
        Arc::clone(&books),
        mailboxes.processor.clone(),
    );
    let operators = OperatorDesk {
        books: AdminBooks(outside.reads.clone()),
        desk: desk.clone(),
        policy: admin_policy,
        publisher: mailboxes.publisher.clone(),
        letters: mailboxes.letters.clone(),
    };
    let window = TreeWindow::default();
    Tree::new("payments")
        .seen_through(&window)
        .intensity(5, Duration::from_secs(60))
        .child(ledger_child(outside, mailboxes))
        .child(publisher_child(outside, mailboxes))
        .child(letters_child(outside, mailboxes))
        .child(drainer_child(outside, mailboxes))
        .child(provider_child(outside, mailboxes))
        .child(processor_child(outside, mailboxes, ledger, books, limits))
        .child(maintenance_child(outside, limits))
        .child(consumer_child(outside, mailboxes, desk.clone()))
        .child(grpc_child(outside, desk, operators, window.clone(), limits))
}

fn ledger_child(outside: &Outside, mailboxes: &Mailboxes) -> ChildSpec {
    let (database, drainer) = (outside.database.clone(), mailboxes.drainer.clone());
    ChildSpec::new(
        "payment-ledger",
        "group-commit writer: requests, voids, attempts, outcomes, refunds; own connection",
        &mailboxes.ledger,
        move || {
            let store = LedgerStore::new(&database, drainer.clone());
            BatchWriter::new(store, BatchLimits::default())
        },
    )
}

fn publisher_child(outside: &Outside, mailboxes: &Mailboxes) -> ChildSpec {
    let bus = outside.bus.clone();
    ChildSpec::new(
        "publisher",
        "publishes to the stream PAYMENTS, which it creates when missing",
        &mailboxes.publisher,
        move || {
            let subjects = [subjects::PAYMENTS_ALL, subjects::PAYMENTS_REPLAYED];
            let stream = StreamSpec::new(subjects::STREAM_PAYMENTS, subjects)
                .replicated(bus.stream_replicas());
            JetStreamPublisher::new(bus.clone(), stream)
        },
    )
}

fn letters_child(outside: &Outside, mailboxes: &Mailboxes) -> ChildSpec {
    let bus = outside.bus.clone();
    ChildSpec::new(
        "letter-publisher",
        "publishes dead letters again, to itself through the stream ORDERS",
        &mailboxes.letters,
        move || {
            let stream = StreamSpec::new(subjects::STREAM_ORDERS, [subjects::ORDERS_REPLAYED]);
            JetStreamPublisher::as_guest(bus.clone(), stream)
        },
    )
}

fn drainer_child(outside: &Outside, mailboxes: &Mailboxes) -> ChildSpec {
    let outbox = Arc::new(Outbox::new(&outside.database));
    let (publisher, ledger) = (mailboxes.publisher.clone(), mailboxes.ledger.clone());
    ChildSpec::new(
        "outbox-drainer",
        "hands committed events to the publisher, own connection for its net",
        &mailboxes.drainer,
        move || {
            OutboxDrainer::new(
                Arc::clone(&outbox),
                Publisher(publisher.clone()),
                Marks(ledger.clone()),
                PlanLimits::default(),
            )
        },
    )
}

fn provider_child(outside: &Outside, mailboxes: &Mailboxes) -> ChildSpec {
    let database = outside.provider_database.clone();
    ChildSpec::new(
        "provider-ledger",
        "the simulated provider's own group-commit writer, in its own database",
        &mailboxes.provider,
        move || BatchWriter::new(ProviderStore::new(&database), BatchLimits::default()),
    )
}

fn processor_child(
    outside: &Outside,
    mailboxes: &Mailboxes,
    ledger: Ledger,
    books: Arc<Books>,
    limits: Limits,
) -> ChildSpec {
    let provider =
        SimulatedProvider::new(mailboxes.provider.clone(), outside.provider_reads.clone());
    ChildSpec::new(
        "payment-processor",
        "charges, looks up and refunds what is due, own connection for its net",
        &mailboxes.processor,
        move || {
            PaymentProcessor::new(
                ledger.clone(),
                Arc::clone(&books),
                provider.clone(),
                limits.processor,
            )
        },
    )
}

fn maintenance_child(outside: &Outside, limits: Limits) -> ChildSpec {
    let (ours, theirs) = (outside.database.clone(), outside.provider_database.clone());
    ChildSpec::task(
        "maintenance",
        "pruning, retention, own connections",
        move |stop| maintenance::run(ours.clone(), theirs.clone(), limits, stop),
    )
}

fn consumer_child(outside: &Outside, mailboxes: &Mailboxes, desk: PaymentDesk<Books>) -> ChildSpec {
    let bus = outside.bus.clone();
    let letters = Arc::new(DeadLetters::new(&outside.database));
    let handler = Arc::new(Each::new(move |event| {
        orders_consumer::handle(desk.clone(), event)
    }));
    ChildSpec::new(
        "orders-consumer",
        "JetStream durable pull consumer on ORDERS",
        &mailboxes.consumer,
        move || {
            JetStreamConsumer::new(
                bus.clone(),
                orders_consumer::consumer(),
                Arc::clone(&handler),
                Arc::clone(&letters),
            )
        },
    )
}

fn grpc_child(
    outside: &Outside,
    desk: PaymentDesk<Books>,
    operators: OperatorDesk,
    window: TreeWindow,
    limits: Limits,
) -> ChildSpec {
    let (listener, trust) = (Arc::clone(&outside.listener), outside.trust.clone());
    ChildSpec::task(
        "grpc",
        "adapter; started last, stopped first",
        move |stop| {
            grpc::serve(
                Arc::clone(&listener),
                desk.clone(),
                operators.clone(),
                trust.clone(),
                window.clone(),
                limits,
                stop,
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jetstream::BusOptions;

    #[tokio::test]
    async fn the_tree_runs_as_it_is_drawn() {
        let set = tempfile::tempdir().unwrap();
        devstack::Pki::load_or_create(set.path()).unwrap();
        // Nothing listens there: a lost database and a lost bus are states.
        let nowhere = PgConfig::parse("postgres://u:p@127.0.0.1:1/x", "test").unwrap();
        let outside = Outside {
            reads: ReadPool::new(&nowhere, 1).unwrap(),
            provider_reads: ReadPool::new(&nowhere, 1).unwrap(),
            database: nowhere.clone(),
            provider_database: nowhere,
            bus: Connection::open(&BusOptions::new("nats://127.0.0.1:1", "test"))
                .await
                .unwrap(),
            trust: Trust::in_set("payments", set.path()).unwrap(),
            listener: Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()),
        };
        let limits = Limits::default();
        let mailboxes = Mailboxes::new(&limits);

        let running = tree(&outside, &mailboxes, Policy::default(), limits)
            .start()
            .await
            .unwrap();

        assert_eq!(
            running.render(),
            actor_kit::tree::picture_in(include_str!("tree.rs"))
        );
        running.stop(limits.stop_deadline).await;
    }
}
