//! Databases, journals on them, and short ways to say orders and their steps.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::batch::{Attempt, BatchError, BatchStore, Verdict};
use actor_kit::probe::{Probe, probe};
use actor_kit::{Mailbox, TraceContext};
use devstack::TestStack;
use jetstream::BusOptions;
use order_saga::saga::{Inputs, ReserveAnswer, Stepped, accept, step};
use order_saga::{
    Accept, Cents, CustomerId, EventId, IdempotencyKey, Installation, JournalEntry, Journaled,
    Line, Order, OrderId, PaymentMethod, PricedLine, Quote, Saga, SagaEvent, SagaLimits, Sku,
    Transition, WriteId,
};
use outbox::DrainerMsg;
use shopapi_orders::SqlJournal;
use shopapi_postgres::PgConfig;
use shopapi_rpc::Trust;
use tokio_postgres::Client;
use uuid::Uuid;

/// Longer than anything may take on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A first try.
pub(crate) const FIRST: Attempt = Attempt {
    number: 0,
    maybe_committed: false,
};

/// A try after one whose outcome stayed unknown.
pub(crate) const AGAIN: Attempt = Attempt {
    number: 1,
    maybe_committed: true,
};

/// The servers and a connection that may do everything in ordersdb.
pub(crate) struct Bench {
    pub(crate) stack: TestStack,
    pub(crate) owner: Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let stack = TestStack::migrated().await.unwrap();
        let owner = connect(&stack).await;
        Self { stack, owner }
    }

    /// The database as the service's run-time role.
    pub(crate) fn config(&self) -> PgConfig {
        PgConfig::parse(&self.stack.url("orders"), "orders-test").unwrap()
    }

    /// The identity of a service.
    pub(crate) fn trust(&self, service: &str) -> Trust {
        Trust::in_set(service, self.stack.pki().dir()).unwrap()
    }

    /// The way to the bus as a service.
    pub(crate) fn bus(&self, service: &str) -> BusOptions {
        let identity = self.stack.pki().identity(service).unwrap();
        BusOptions::new(self.stack.nats.url(), service)
            .secured(identity.client_config(&[]), service)
    }

    /// Another connection of the owner.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.stack).await
    }

    /// A journal with a connection of its own: one replica.
    pub(crate) fn journal(&self) -> Journal {
        let (drainer, handed_over) = probe(1_024);
        Journal {
            store: SqlJournal::new(&self.config(), drainer),
            handed_over,
        }
    }

    /// One number.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.owner.query_one(query, &[]).await.unwrap().get(0)
    }

    /// One text.
    pub(crate) async fn text(&self, query: &str) -> String {
        self.owner.query_one(query, &[]).await.unwrap().get(0)
    }

    /// The name of this installation.
    pub(crate) async fn installation(&self) -> Installation {
        let query = "SELECT installation_id FROM installation";
        Installation(self.owner.query_one(query, &[]).await.unwrap().get(0))
    }

    /// Rows of all the tables that an order writes: orders, timeline, keys, outbox.
    pub(crate) async fn rows(&self) -> [i64; 4] {
        let mut rows = [0; 4];
        let tables = ["orders", "order_timeline", "idempotency_keys", "outbox"];
        for (count, table) in rows.iter_mut().zip(tables) {
            *count = self.number(&format!("SELECT count(*) FROM {table}")).await;
        }
        rows
    }
}

async fn connect(stack: &TestStack) -> Client {
    let owner = stack.cluster.connect("orders_owner", "ordersdb");
    owner.await.unwrap()
}

/// One replica's journal, without the writer around it.
pub(crate) struct Journal {
    pub(crate) store: SqlJournal,
    pub(crate) handed_over: Probe<DrainerMsg>,
}

impl Journal {
    pub(crate) async fn commit(&mut self, batch: &[JournalEntry]) -> Vec<Verdict<Journaled>> {
        self.try_commit(batch, FIRST).await.unwrap()
    }

    pub(crate) async fn try_commit(
        &mut self,
        batch: &[JournalEntry],
        attempt: Attempt,
    ) -> Result<Vec<Verdict<Journaled>>, BatchError> {
        self.store.commit(batch, attempt).await
    }

    /// The subjects of what the drainer was handed over since the last look.
    pub(crate) fn handed_over(&mut self) -> Vec<String> {
        let mut subjects = vec![];
        while let Some(message) = self.handed_over.try_next() {
            let DrainerMsg::HandOver(events) = message else {
                panic!("the journal only hands over");
            };
            subjects.extend(events.into_iter().map(|event| event.subject));
        }
        subjects
    }
}

/// A mailbox that nobody serves, for journals whose hand-overs do not matter.
pub(crate) fn nowhere() -> Mailbox<DrainerMsg> {
    Mailbox::new("nowhere", 1)
}

pub(crate) fn customer(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(n))
}

/// Order `id` of customer 1: two pieces of A.
pub(crate) fn order(id: i64) -> Arc<Order> {
    let installation = Installation(Uuid::from_u128(1));
    Arc::new(
        Order::new(
            installation,
            OrderId(id),
            customer(1),
            vec![Line {
                sku: Sku::new("A"),
                quantity: 2,
            }]
            .into(),
            PaymentMethod::new("tok_ok"),
            TraceContext::default(),
        )
        .unwrap(),
    )
}

pub(crate) fn key(text: &str, fingerprint: u8) -> Option<IdempotencyKey> {
    Some(IdempotencyKey {
        key: text.to_owned(),
        fingerprint: vec![fingerprint; 32],
    })
}

/// The entry that accepts order `id`, and the saga it begins with.
pub(crate) fn accepting(id: i64, key: Option<IdempotencyKey>) -> (JournalEntry, Saga) {
    let limits = SagaLimits::default();
    let inputs = Inputs {
        limits: &limits,
        jitter: 0.5,
    };
    let next = accept(order(id), &inputs);
    let entry = Accept::from_next(&next, key, WriteId::random(), TraceContext::default());
    (JournalEntry::Accept(Box::new(entry)), next.saga)
}

/// The entry that moves `saga` by `event`, and the saga after it.
pub(crate) fn moving(saga: &Saga, event: &SagaEvent) -> (JournalEntry, Saga) {
    let limits = SagaLimits::default();
    let inputs = Inputs {
        limits: &limits,
        jitter: 0.5,
    };
    let Stepped::Next(next) = step(saga, event, &inputs) else {
        panic!("{event:?} does not move {:?}", saga.step);
    };
    let entry = Transition::from_next(
        &next,
        saga.version,
        EventId::random(),
        WriteId::random(),
        TraceContext::default(),
    );
    (JournalEntry::Transition(Box::new(entry)), next.saga)
}

pub(crate) fn held() -> SagaEvent {
    SagaEvent::ReserveAnswered(ReserveAnswer::Held(Quote {
        total: Cents(500),
        currency: "EUR".parse().unwrap(),
        lines: vec![PricedLine {
            sku: Sku::new("A"),
            quantity: 2,
            unit_price: Cents(250),
        }],
    }))
}

pub(crate) fn captured(saga: &Saga) -> SagaEvent {
    SagaEvent::PaymentSucceeded {
        payment_id: saga.order.ids.payment_id,
    }
}

pub(crate) fn is_accepted(verdict: &Verdict<Journaled>) -> bool {
    matches!(verdict, Verdict::Done(Journaled::Accepted { .. }))
}

pub(crate) fn is_written(verdict: &Verdict<Journaled>) -> bool {
    matches!(verdict, Verdict::Done(Journaled::Written { .. }))
}

pub(crate) fn is_stale(verdict: &Verdict<Journaled>) -> bool {
    *verdict == Verdict::Done(Journaled::Stale)
}

pub(crate) fn key_taken(order_id: i64, same_fingerprint: bool) -> Verdict<Journaled> {
    Verdict::Done(Journaled::KeyTaken {
        order_id: OrderId(order_id),
        same_fingerprint,
    })
}

/// Waits until `condition` holds, looking again every few milliseconds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let look = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !condition().await {
            ticks.tick().await;
        }
    };
    if tokio::time::timeout(DEADLINE, look).await.is_err() {
        panic!("not within {DEADLINE:?}: {what}");
    }
}
