//! ```text
//! orders (one_for_one, 5 crashes / 60 s, then the process exits non-zero)
//! ├── health              /livez and /readyz
//! ├── journal             group-commit writer: accepts and saga transitions
//! ├── publisher           owns the publish window on the stream ORDERS
//! ├── outbox-drainer      publishes committed events, own connection
//! ├── maintenance         pruning, retention, own connection
//! ├── inventory-client    owns the gRPC channel to inventory
//! ├── payments-client     owns the gRPC channel to payments: request, get, void, refund
//! ├── letter-publisher    publishes dead letters again, to itself through the stream PAYMENTS
//! ├── saga-registry
//! │   └── saga/<order_id> coordinator, Temporary: exists only while a step runs or a local caller waits
//! ├── saga-sweeper        claims due sagas
//! ├── payments-consumer   JetStream durable pull consumer on PAYMENTS
//! ├── order-tail          wakes waiters and streams on this replica: NATS core hint `hint.orders`, and every 500 ms the versions of the
//! │                       locally awaited ids (`= ANY($1)`)
//! ├── order-hints         sends and hears `hint.orders`
//! └── grpc                adapter; started last, stopped first
//! ```
//!
//! The only place that spawns. `health` comes first and goes last, so that probes are answered while the others start and stop.

mod mailboxes;

use std::sync::Arc;
use std::time::Duration;

use actor_kit::StopSignal;
use actor_kit::batch::{BatchLimits, BatchWriter};
use actor_kit::tree::{ChildSpec, Tree, TreeWindow};
use jetstream::{Connection, ConsumerSpec, JetStreamConsumer, JetStreamPublisher, StreamSpec};
use order_saga::{Links, OrderTail, SagaRegistry, SagaSweeper, random_jitter};
use outbox::{OutboxDrainer, PlanLimits};
use shopapi_health::Readiness;
use shopapi_proto::subjects;
use tokio::sync::Semaphore;

use crate::admission::Admission;
use crate::bus::hints::OrderHints;
use crate::bus::outbox::{MarksInJournal, OutboxRows, ToStream};
use crate::bus::payments_events::PaymentsEvents;
use crate::clients::{CallLimits, InventoryClient, PaymentsClient};
use crate::config::{Config, Limits};
use crate::grpc::{self, Api};
use crate::journal::SqlJournal;
use crate::maintenance::Maintenance;
use crate::operators::OperatorDesk;
use crate::order_ids::OrderIds;
use crate::service::Port;
use crate::store::OrderStore;
use mailboxes::Mailboxes;

/// The durable consumer that all replicas of orders share.
pub(crate) const CONSUMER: &str = "orders";

/// How long a stopping consumer waits for the events in hand. With a healthy database milliseconds do; without one they are delivered
/// again anyway, and the rest of the stop needs its time.
const CONSUMER_DRAIN: Duration = Duration::from_secs(2);

/// What the tree is made of beside its configuration.
pub(crate) struct Parts {
    pub(crate) readiness: Readiness,
    pub(crate) store: OrderStore,
    pub(crate) bus: Connection,
    pub(crate) grpc: Port,
    pub(crate) health: Port,
}

/// The tree of the service, not yet started.
pub(crate) fn tree(config: &Config, parts: Parts) -> Tree {
    let limits = Arc::new(config.limits.clone());
    let boxes = Mailboxes::new(&limits);
    let admission = Admission::new(limits.creates_in_flight_max);
    let links = links(config, &boxes, &parts.store);
    let api = Api {
        registry: boxes.registry.clone(),
        store: parts.store.clone(),
        ids: OrderIds::new(parts.store.clone(), limits.order_ids_block),
        admission: admission.clone(),
        operators: OperatorDesk {
            store: parts.store.clone(),
            registry: boxes.registry.clone(),
            publisher: boxes.publisher.clone(),
            letters: boxes.letters.clone(),
            decision_deadline: limits.request_deadline,
        },
        watches: Arc::new(Semaphore::new(limits.watches_max)),
        stock_deadline: config.saga.inventory_call,
        limits,
    };
    let tree = Tree::new("orders")
        .intensity(5, Duration::from_secs(60))
        .child(health(&parts));
    let tree = writers(tree, config, &boxes, &parts, admission);
    let tree = clients(tree, config, &boxes);
    let tree = tree.child(letters(&boxes, &parts));
    let tree = sagas(tree, &boxes, &parts, links);
    let (port, trust) = (parts.grpc, config.trust.clone());
    let window = TreeWindow::default();
    let tree = tree.seen_through(&window);
    tree.child(ChildSpec::task(
        "grpc",
        "adapter; started last, stopped first",
        move |stop| {
            let window = window.clone();
            let (port, api, trust) = (port.clone(), api.clone(), trust.clone());
            async move { grpc::serve(port.listener()?, api, trust, window, stop).await }
        },
    ))
}

fn letters(boxes: &Mailboxes, parts: &Parts) -> ChildSpec {
    let bus = parts.bus.clone();
    ChildSpec::new(
        "letter-publisher",
        "publishes dead letters again, to itself through the stream PAYMENTS",
        &boxes.letters,
        move || {
            let stream = StreamSpec::new(subjects::STREAM_PAYMENTS, [subjects::PAYMENTS_REPLAYED]);
            JetStreamPublisher::as_guest(bus.clone(), stream)
        },
    )
}

fn links(config: &Config, boxes: &Mailboxes, store: &OrderStore) -> Links {
    Links {
        journal: boxes.journal.clone(),
        inventory: boxes.inventory.clone(),
        payments: boxes.payments.clone(),
        registry: boxes.registry.clone(),
        tail: boxes.tail.clone(),
        hints: Some(boxes.hints.clone()),
        store: Arc::new(store.clone()),
        limits: Arc::new(config.saga.clone()),
        jitter: random_jitter(),
    }
}

fn health(parts: &Parts) -> ChildSpec {
    let (port, readiness) = (parts.health.clone(), parts.readiness.clone());
    ChildSpec::task("health", "/livez and /readyz", move |stop: StopSignal| {
        let (port, readiness) = (port.clone(), readiness.clone());
        async move {
            shopapi_health::serve(port.listener()?, readiness, stop.cancelled_owned()).await;
            Ok(())
        }
    })
}

/// What writes and what publishes.
fn writers(
    tree: Tree,
    config: &Config,
    boxes: &Mailboxes,
    parts: &Parts,
    admission: Admission,
) -> Tree {
    let journal_database = config.database.named("orders-journal");
    let drainer_database = config.database.named("orders-outbox-drainer");
    let maintenance_database = config.database.named("orders-maintenance");
    let committed = boxes.drainer.clone();
    let bus = parts.bus.clone();
    let to_stream = ToStream(boxes.publisher.clone());
    let marks = MarksInJournal(boxes.journal.clone());
    let store = parts.store.clone();
    let limits = config.limits.clone();
    tree.child(ChildSpec::new(
        "journal",
        "group-commit writer: accepts and saga transitions",
        &boxes.journal,
        move || {
            let store = SqlJournal::new(&journal_database, committed.clone());
            BatchWriter::new(store, BatchLimits::default())
        },
    ))
    .child(ChildSpec::new(
        "publisher",
        "owns the publish window on the stream ORDERS",
        &boxes.publisher,
        move || {
            let subjects = [subjects::ORDERS_ALL, subjects::ORDERS_REPLAYED];
            let stream = StreamSpec::new(subjects::STREAM_ORDERS, subjects)
                .replicated(bus.stream_replicas());
            JetStreamPublisher::new(bus.clone(), stream)
        },
    ))
    .child(ChildSpec::new(
        "outbox-drainer",
        "publishes committed events, own connection",
        &boxes.drainer,
        move || {
            let rows = Arc::new(OutboxRows::new(&drainer_database));
            OutboxDrainer::new(
                rows,
                to_stream.clone(),
                marks.clone(),
                PlanLimits::default(),
            )
        },
    ))
    .child(ChildSpec::new(
        "maintenance",
        "pruning, retention, own connection",
        &boxes.maintenance,
        move || {
            Maintenance::new(
                &maintenance_database,
                store.clone(),
                admission.clone(),
                limits.clone(),
            )
        },
    ))
}

fn clients(tree: Tree, config: &Config, boxes: &Mailboxes) -> Tree {
    let Limits {
        calls_in_flight_max: calls_max,
        call_items_max: items_max,
        message_bytes_max,
        inventory_call,
        payments_call,
        ..
    } = config.limits;
    let limits = move |deadline| CallLimits {
        calls_max,
        items_max,
        deadline,
        message_bytes_max,
    };
    let (inventory, payments) = (config.inventory.clone(), config.payments.clone());
    let to_inventory = config.trust.towards("inventory");
    let to_payments = config.trust.towards("payments");
    tree.child(ChildSpec::new(
        "inventory-client",
        "owns the gRPC channel to inventory",
        &boxes.inventory,
        move || {
            InventoryClient::new(
                inventory.clone(),
                to_inventory.clone(),
                limits(inventory_call),
            )
        },
    ))
    .child(ChildSpec::new(
        "payments-client",
        "owns the gRPC channel to payments: request, get, void, refund",
        &boxes.payments,
        move || PaymentsClient::new(payments.clone(), to_payments.clone(), limits(payments_call)),
    ))
}

fn sagas(tree: Tree, boxes: &Mailboxes, parts: &Parts, links: Links) -> Tree {
    let sweeper = links.clone();
    let tail = links.clone();
    let (consumer_bus, hints_bus) = (parts.bus.clone(), parts.bus.clone());
    let store = parts.store.clone();
    let events = Arc::new(PaymentsEvents::new(
        boxes.registry.clone(),
        parts.store.clone(),
    ));
    let hint_to = boxes.tail.clone();
    tree.child(
        ChildSpec::new("saga-registry", "", &boxes.registry, move || {
            SagaRegistry::new(links.clone())
        })
        .dynamic(
            "saga/<order_id>",
            "coordinator, Temporary: exists only while a step runs or a local caller waits",
        ),
    )
    .child(ChildSpec::new(
        "saga-sweeper",
        "claims due sagas",
        &boxes.sweeper,
        move || {
            SagaSweeper::new(
                Arc::clone(&sweeper.store),
                sweeper.registry.clone(),
                Arc::clone(&sweeper.limits),
                Arc::clone(&sweeper.jitter),
            )
        },
    ))
    .child(ChildSpec::new(
        "payments-consumer",
        "JetStream durable pull consumer on PAYMENTS",
        &boxes.consumer,
        move || {
            JetStreamConsumer::new(
                consumer_bus.clone(),
                ConsumerSpec {
                    drain_timeout: CONSUMER_DRAIN,
                    ..ConsumerSpec::new(subjects::STREAM_PAYMENTS, CONSUMER)
                },
                Arc::clone(&events),
                Arc::new(store.clone()),
            )
        },
    ))
    .child(ChildSpec::new(
        "order-tail",
        "wakes waiters and streams on this replica: NATS core hint `hint.orders`, and every 500 ms the versions of the\n\
         locally awaited ids (`= ANY($1)`)",
        &boxes.tail,
        move || {
            OrderTail::new(
                Arc::clone(&tail.store),
                tail.registry.clone(),
                Arc::clone(&tail.limits),
            )
        },
    ))
    .child(ChildSpec::new(
        "order-hints",
        "sends and hears `hint.orders`",
        &boxes.hints,
        move || OrderHints::new(hints_bus.clone(), hint_to.clone()),
    ))
}
