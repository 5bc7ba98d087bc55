//! A stage for the saga's actors: everything around them is a probe or kept in memory, and time is paused.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::batch::{WriteError, WriteResult, WriterMsg};
use actor_kit::probe::{Alone, Probe, probe, settle, start};
use actor_kit::{Answer, Mailbox, Reply, TraceContext};
use order_saga::ports::PortFuture;
use order_saga::saga::{CommitAnswer, Next, ReleaseAnswer, ReserveAnswer, Stepped, VoidAnswer};
use order_saga::{
    Await, Awaited, Cents, Create, Created, CustomerId, Delivery, Found, IdempotencyKey,
    Installation, InventoryRequest, JournalEntry, JournalMsg, Journaled, Line, Links, Order,
    OrderId, OrderMoved, Outcome, PaymentMethod, PaymentsRequest, PricedLine, Quote, RegistryMsg,
    RegistryView, SagaEvent, SagaLimits, SagaRegistry, SagaStep, SagaStore, Sku, Snapshot,
    StoreUnavailable, TailMsg, Transition, Until, Version,
};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// When everything in these tests is written.
pub(crate) const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

pub(crate) fn customer() -> CustomerId {
    CustomerId(Uuid::from_u128(2))
}

pub(crate) fn order(id: i64) -> Arc<Order> {
    let line = Line {
        sku: Sku::new("TEA"),
        quantity: 2,
    };
    Arc::new(
        Order::new(
            Installation(Uuid::from_u128(1)),
            OrderId(id),
            customer(),
            Arc::from([line]),
            PaymentMethod::new("tok_ok"),
            TraceContext::default(),
        )
        .unwrap(),
    )
}

pub(crate) fn quote() -> Quote {
    Quote {
        total: Cents(1190),
        currency: "EUR".parse().unwrap(),
        lines: vec![PricedLine {
            sku: Sku::new("TEA"),
            quantity: 2,
            unit_price: Cents(595),
        }],
    }
}

/// The orders database, in memory.
#[derive(Default)]
pub(crate) struct MemoryStore {
    rows: Mutex<HashMap<OrderId, Snapshot>>,
    keys: Mutex<HashMap<String, (OrderId, Vec<u8>)>>,
    pub(crate) due: Mutex<Vec<OrderId>>,
    pub(crate) loads: AtomicU32,
    pub(crate) claims: AtomicU32,
    pub(crate) down: AtomicBool,
    /// Whose rows make no sense.
    pub(crate) damaged: Mutex<HashSet<OrderId>>,
    /// While a test holds all of its permits, loads hang.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
}

impl MemoryStore {
    pub(crate) fn get(&self, id: i64) -> Snapshot {
        self.rows.lock().unwrap()[&OrderId(id)].clone()
    }

    pub(crate) fn put(&self, snapshot: Snapshot) {
        let id = snapshot.saga.order.order_id;
        self.rows.lock().unwrap().insert(id, snapshot);
    }

    /// An order that stands in `step`.
    pub(crate) fn insert(&self, id: i64, step: SagaStep) {
        let saga = order_saga::Saga {
            order: order(id),
            version: Version(5),
            quote: Some(Arc::new(quote())),
            step,
            missed_deadlines: 0,
            late_money: order_saga::saga::LateMoney::None,
        };
        self.put(Snapshot {
            saga,
            created_at: NOW,
            updated_at: NOW,
        });
    }

    /// What the journal would do with `entry`.
    pub(crate) fn write(&self, entry: &JournalEntry) -> Journaled {
        let mut rows = self.rows.lock().unwrap();
        match entry {
            JournalEntry::Accept(accept) => {
                let order_id = accept.saga.order.order_id;
                if let Some(key) = &accept.key {
                    let mut keys = self.keys.lock().unwrap();
                    if let Some((order_id, fingerprint)) = keys.get(&key.key) {
                        return Journaled::KeyTaken {
                            order_id: *order_id,
                            same_fingerprint: *fingerprint == key.fingerprint,
                        };
                    }
                    keys.insert(key.key.clone(), (order_id, key.fingerprint.clone()));
                }
                rows.insert(
                    order_id,
                    Snapshot {
                        saga: accept.saga.clone(),
                        created_at: NOW,
                        updated_at: NOW,
                    },
                );
                Journaled::Accepted { at: NOW }
            }
            JournalEntry::Transition(transition) => {
                match rows.get_mut(&transition.saga.order.order_id) {
                    Some(row) if row.saga.version == transition.expected_version => {
                        row.saga = transition.saga.clone();
                        Journaled::Written { at: NOW }
                    }
                    _ => Journaled::Stale,
                }
            }
            JournalEntry::PublishedMarks(_) => Journaled::Marked,
        }
    }

    /// Another replica steps the saga.
    pub(crate) fn move_elsewhere(&self, id: i64, event: &SagaEvent) {
        let mut snapshot = self.get(id);
        snapshot.saga = step_or_panic(&snapshot, event).saga;
        self.put(snapshot);
    }
}

pub(crate) fn step_or_panic(snapshot: &Snapshot, event: &SagaEvent) -> Next {
    let limits = SagaLimits::default();
    let inputs = order_saga::saga::Inputs {
        limits: &limits,
        jitter: 0.5,
    };
    match order_saga::saga::step(&snapshot.saga, event, &inputs) {
        Stepped::Next(next) => next,
        other => panic!(
            "{event:?} does not move {:?}: {other:?}",
            snapshot.saga.step
        ),
    }
}

impl MemoryStore {
    fn available<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> PortFuture<T> {
        let down = self.down.load(Ordering::Relaxed);
        let gate = self.gate.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                drop(gate.acquire().await.unwrap());
            }
            if down {
                Err(StoreUnavailable)
            } else {
                Ok(read())
            }
        })
    }
}

/// The store behind its port.
pub(crate) struct Port(pub(crate) Arc<MemoryStore>);

impl SagaStore for Port {
    fn load(&self, ids: Vec<OrderId>) -> PortFuture<Vec<Found>> {
        self.0.loads.fetch_add(1, Ordering::Relaxed);
        let store = Arc::clone(&self.0);
        self.0.available(move || {
            let rows = store.rows.lock().unwrap();
            let damaged = store.damaged.lock().unwrap();
            let found = |id: &OrderId| {
                let snapshot = rows.get(id)?.clone();
                Some(if damaged.contains(id) {
                    Found::Unreadable(*id)
                } else {
                    Found::Saga(snapshot)
                })
            };
            ids.iter().filter_map(found).collect()
        })
    }

    fn claim_due(&self, limit: usize, _lease: Duration) -> PortFuture<Vec<Snapshot>> {
        self.0.claims.fetch_add(1, Ordering::Relaxed);
        let store = Arc::clone(&self.0);
        self.0.available(move || {
            let mut due = store.due.lock().unwrap();
            let claimed: HashSet<OrderId> = due.iter().take(limit).copied().collect();
            due.retain(|id| !claimed.contains(id));
            let rows = store.rows.lock().unwrap();
            claimed.iter().map(|id| rows[id].clone()).collect()
        })
    }

    fn versions(&self, ids: Vec<OrderId>) -> PortFuture<Vec<(OrderId, Version)>> {
        let store = Arc::clone(&self.0);
        self.0.available(move || {
            let rows = store.rows.lock().unwrap();
            ids.into_iter()
                .filter_map(|id| Some((id, rows.get(&id)?.saga.version)))
                .collect()
        })
    }
}

/// A registry with probes around it.
pub(crate) struct Stage {
    pub(crate) registry: Mailbox<RegistryMsg>,
    pub(crate) journal: Probe<JournalMsg>,
    pub(crate) inventory: Probe<InventoryRequest>,
    pub(crate) payments: Probe<PaymentsRequest>,
    pub(crate) tail: Probe<TailMsg>,
    pub(crate) hints: Probe<OrderMoved>,
    pub(crate) store: Arc<MemoryStore>,
    /// Makes the next decisions panic.
    pub(crate) panics: Arc<AtomicU32>,
    _registry: Alone,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(SagaLimits::default(), 64).await
    }

    pub(crate) async fn with(limits: SagaLimits, registry_capacity: usize) -> Self {
        let (journal_mailbox, journal) = probe(64);
        let (inventory_mailbox, inventory) = probe(64);
        let (payments_mailbox, payments) = probe(64);
        let (tail_mailbox, tail) = probe(64);
        let (hints_mailbox, hints) = probe(64);
        let store = Arc::new(MemoryStore::default());
        let panics = Arc::new(AtomicU32::new(0));
        let fuse = Arc::clone(&panics);
        // The registry's mailbox is known only once it runs, and its coordinators need it: a relay closes the circle.
        let (relay, mut relayed) = probe::<RegistryMsg>(registry_capacity);
        let links = Links {
            journal: journal_mailbox,
            inventory: inventory_mailbox,
            payments: payments_mailbox,
            registry: relay,
            tail: tail_mailbox,
            hints: Some(hints_mailbox),
            store: Arc::new(Port(Arc::clone(&store))),
            limits: Arc::new(limits),
            jitter: Arc::new(move || {
                let burn = |left: u32| left.checked_sub(1);
                let burnt = fuse.fetch_update(Ordering::Relaxed, Ordering::Relaxed, burn);
                assert!(burnt.is_err(), "a planted panic");
                0.5
            }),
        };
        let (registry, alone) = start("saga-registry", registry_capacity, SagaRegistry::new(links))
            .await
            .unwrap();
        let to = registry.clone();
        tokio::spawn(async move {
            loop {
                let (message, _place, _) = relayed.next_envelope().await;
                if to.send(message).await.is_err() {
                    break;
                }
            }
        });
        Self {
            registry,
            journal,
            inventory,
            payments,
            tail,
            hints,
            store,
            panics,
            _registry: alone,
        }
    }

    pub(crate) fn create(&self, id: i64, wait: Duration) -> Answer<Created> {
        self.create_with_key(id, wait, None)
    }

    pub(crate) fn create_with_key(
        &self,
        id: i64,
        wait: Duration,
        key: Option<IdempotencyKey>,
    ) -> Answer<Created> {
        let (reply, answer) = Reply::channel();
        let create = Create {
            order: order(id),
            key,
            wait,
            reply,
        };
        self.registry
            .try_send(RegistryMsg::Create(Box::new(create)))
            .unwrap();
        answer
    }

    pub(crate) fn deliver(&self, id: i64, event: SagaEvent) -> Answer<Outcome> {
        self.deliver_all([(id, event)]).remove(0)
    }

    pub(crate) fn deliver_all(
        &self,
        events: impl IntoIterator<Item = (i64, SagaEvent)>,
    ) -> Vec<Answer<Outcome>> {
        let (deliveries, answers) = events
            .into_iter()
            .map(|(id, event)| delivery(id, None, event))
            .unzip();
        self.registry
            .try_send(RegistryMsg::Deliver(deliveries))
            .unwrap();
        answers
    }

    /// An operator's act on the version that the operator looked at.
    pub(crate) fn operate(&self, id: i64, expected: Version, event: SagaEvent) -> Answer<Outcome> {
        let (mut delivery, answer) = delivery(id, None, event);
        delivery.expected = Some(expected);
        self.registry
            .try_send(RegistryMsg::Deliver(vec![delivery]))
            .unwrap();
        answer
    }

    pub(crate) fn wait_for(&self, id: i64, until: Until, at_most: Duration) -> Answer<Awaited> {
        let (reply, answer) = Reply::channel();
        let wish = Await {
            order_id: OrderId(id),
            customer_id: None,
            until,
            at_most,
            reply,
        };
        self.registry.try_send(RegistryMsg::Await(wish)).unwrap();
        answer
    }

    pub(crate) async fn view(&self) -> RegistryView {
        settle().await;
        self.registry
            .ask(Duration::from_secs(1), |reply| RegistryMsg::Inspect {
                reply,
            })
            .await
            .unwrap()
    }

    /// The next write and its port.
    pub(crate) async fn next_write(
        &mut self,
    ) -> (JournalEntry, Option<Reply<WriteResult<Journaled>>>) {
        match self.journal.next().await {
            WriterMsg::Submit { entry, reply } => (entry, reply),
            WriterMsg::Own(_) => panic!("the writer's own message came from outside"),
        }
    }

    /// The next write, committed as the journal would.
    pub(crate) async fn commit(&mut self) -> JournalEntry {
        let (entry, reply) = self.next_write().await;
        let journaled = self.store.write(&entry);
        if let Some(reply) = reply {
            reply.send(Ok(journaled));
        }
        entry
    }

    /// The next write, which must be a transition, committed.
    pub(crate) async fn commit_step(&mut self) -> Transition {
        match self.commit().await {
            JournalEntry::Transition(transition) => *transition,
            other => panic!("not a transition: {other:?}"),
        }
    }

    /// The next write fails.
    pub(crate) async fn fail_write(&mut self, error: WriteError) {
        let (_, reply) = self.next_write().await;
        reply.unwrap().send(Err(error));
    }

    pub(crate) async fn next_reserve(
        &mut self,
    ) -> Reply<Result<ReserveAnswer, order_saga::CallError>> {
        match self.inventory.next().await {
            InventoryRequest::Reserve { reply, .. } => reply,
            other => panic!("not Reserve: {other:?}"),
        }
    }

    pub(crate) async fn held(&mut self) {
        let reply = self.next_reserve().await;
        reply.send(Ok(ReserveAnswer::Held(quote())));
    }

    pub(crate) async fn released(&mut self) {
        match self.inventory.next().await {
            InventoryRequest::Release { reply, .. } => reply.send(Ok(ReleaseAnswer::Released)),
            other => panic!("not Release: {other:?}"),
        }
    }

    pub(crate) async fn committed(&mut self) {
        match self.inventory.next().await {
            InventoryRequest::Commit { reply, .. } => reply.send(Ok(CommitAnswer::Committed)),
            other => panic!("not Commit: {other:?}"),
        }
    }

    pub(crate) async fn voided(&mut self) {
        match self.payments.next().await {
            PaymentsRequest::Void { reply, .. } => reply.send(Ok(VoidAnswer::Voided)),
            other => panic!("not Void: {other:?}"),
        }
    }
}

pub(crate) fn delivery(
    id: i64,
    customer_id: Option<CustomerId>,
    event: SagaEvent,
) -> (Delivery, Answer<Outcome>) {
    let (reply, answer) = Reply::channel();
    let delivery = Delivery {
        order_id: OrderId(id),
        customer_id,
        expected: None,
        event,
        trace: TraceContext::default(),
        reply,
    };
    (delivery, answer)
}

pub(crate) fn succeeded(id: i64) -> SagaEvent {
    SagaEvent::PaymentSucceeded {
        payment_id: order(id).ids.payment_id,
    }
}

pub(crate) fn created_snapshot(created: Created) -> Snapshot {
    match created {
        Created::Order { snapshot, .. } => snapshot,
        other => panic!("no order: {other:?}"),
    }
}

pub(crate) fn moved(outcome: Outcome) -> Snapshot {
    match outcome {
        Outcome::Moved(snapshot) => snapshot,
        other => panic!("not moved: {other:?}"),
    }
}
