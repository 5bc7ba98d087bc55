//! A private NATS server and the pieces of a service around it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::probe::{self, Alone, Probe};
use actor_kit::{Mailbox, Reply};
use bytes::Bytes;
use devstack::{Nats, PortLease, Silent, StateDir, ToolOptions, Tools, lease, workspace_root};
use jetstream::{
    BatchTo, BusOptions, Connection, ConsumerMsg, ConsumerSpec, ConsumerStatus, DeadLetter,
    DeadLetterStore, DeadLetterUnavailable, Incoming, JetStreamConsumer, JetStreamPublisher,
    OutboundEvent, PublishFailure, Published, PublisherMsg, StreamSpec,
};
use uuid::Uuid;

/// Longer than anything here takes; only a broken test waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The server; it and its files go when the test ends.
pub(crate) struct Server {
    // Drops first: the server before its files.
    pub(crate) nats: Nats,
    _port: PortLease,
    _state: StateDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let mut server = Self::absent().await;
        server.nats.start().await.unwrap();
        server
    }

    /// A server that is not running yet.
    pub(crate) async fn absent() -> Self {
        let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
        let tools = Tools::find_or_install(&home, ToolOptions::from_env(), &Silent)
            .await
            .unwrap();
        let state = StateDir::temporary(&home.join("test"), "nats-").unwrap();
        let port = lease().unwrap();
        let nats = Nats::new(
            tools.nats_server,
            state.nats(),
            port.port(),
            None,
            state.log("nats"),
        );
        Self {
            nats,
            _port: port,
            _state: state,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(&BusOptions::new(self.nats.url(), "test"))
            .await
            .unwrap()
    }

    /// The server as an operator sees it.
    pub(crate) async fn operator(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.nats.url()).await.unwrap())
    }
}

pub(crate) fn stream() -> StreamSpec {
    StreamSpec::new("ORDERS", ["orders.*"])
}

pub(crate) fn consumer() -> ConsumerSpec {
    ConsumerSpec::new("ORDERS", "payments")
}

pub(crate) fn event(n: u128) -> OutboundEvent {
    OutboundEvent {
        event_id: Uuid::from_u128(n),
        message_id: Uuid::from_u128(n),
        order_id: 7,
        aggregate_seq: 3,
        subject: "orders.created".to_owned(),
        schema_version: 1,
        payload: Bytes::from(format!("payload {n}")),
        traceparent: None,
    }
}

/// A running publisher.
pub(crate) struct Publisher {
    pub(crate) mailbox: Mailbox<PublisherMsg>,
    _actor: Alone,
}

impl Publisher {
    pub(crate) async fn start(connection: &Connection) -> Self {
        Self::of(JetStreamPublisher::new(connection.clone(), stream())).await
    }

    pub(crate) async fn of(publisher: JetStreamPublisher) -> Self {
        let (mailbox, actor) = probe::start("publisher", 1_024, publisher).await.unwrap();
        Self {
            mailbox,
            _actor: actor,
        }
    }

    /// One publish and its answer.
    pub(crate) async fn try_publish(
        &self,
        event: OutboundEvent,
    ) -> Result<Published, PublishFailure> {
        self.mailbox
            .ask(PATIENCE, |reply| PublisherMsg::Publish { event, reply })
            .await
            .unwrap()
    }

    /// Publishes as the outbox does: again until the bus takes it.
    pub(crate) async fn publish(&self, event: OutboundEvent) -> Published {
        until("the event is published", async || {
            match self.try_publish(event.clone()).await {
                Ok(published) => Some(published),
                Err(PublishFailure::Unavailable(_)) => None,
                Err(refused) => panic!("{refused}"),
            }
        })
        .await
    }
}

/// The dead letters' table.
#[derive(Default)]
pub(crate) struct Letters {
    pub(crate) committed: Mutex<Vec<DeadLetter>>,
    pub(crate) failures: AtomicU32,
}

impl Letters {
    pub(crate) fn reasons(&self) -> Vec<(Uuid, &'static str)> {
        let committed = self.committed.lock().unwrap();
        let mut reasons: Vec<_> = committed
            .iter()
            .map(|letter| (letter.letter_id, letter.reason.code()))
            .collect();
        reasons.sort_unstable();
        reasons
    }
}

impl DeadLetterStore for Letters {
    async fn commit(&self, letter: DeadLetter) -> Result<(), DeadLetterUnavailable> {
        let fail = |left: u32| left.checked_sub(1);
        if self
            .failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fail)
            .is_ok()
        {
            return Err(DeadLetterUnavailable("scripted".to_owned()));
        }
        self.committed.lock().unwrap().push(letter);
        Ok(())
    }
}

/// A running consumer with the test as its handler.
pub(crate) struct Consumer {
    pub(crate) mailbox: Mailbox<ConsumerMsg>,
    pub(crate) actor: Alone,
    pub(crate) batches: Probe<Vec<Incoming>>,
    pub(crate) letters: Arc<Letters>,
    waiting: Vec<Incoming>,
}

impl Consumer {
    pub(crate) async fn start(connection: &Connection, spec: ConsumerSpec) -> Self {
        let (handler, batches) = probe::probe(1_024);
        let letters = Arc::new(Letters::default());
        let handler = Arc::new(BatchTo::new(handler, |batch| batch));
        let consumer =
            JetStreamConsumer::new(connection.clone(), spec, handler, Arc::clone(&letters));
        let (mailbox, actor) = probe::start("consumer", 16, consumer).await.unwrap();
        Self {
            mailbox,
            actor,
            batches,
            letters,
            waiting: Vec::new(),
        }
    }

    /// The next event handed over, whatever batch it came in.
    pub(crate) async fn next(&mut self) -> Incoming {
        while self.waiting.is_empty() {
            let batch = tokio::time::timeout(PATIENCE, self.batches.next());
            self.waiting = batch.await.expect("no event was delivered");
            self.waiting.reverse();
        }
        self.waiting.pop().unwrap()
    }

    /// The next event's number, answered `Done`.
    pub(crate) async fn take(&mut self) -> u128 {
        let Incoming { event, reply } = self.next().await;
        reply.send(jetstream::Outcome::Done);
        event.event_id.as_u128()
    }

    pub(crate) async fn status(&self) -> ConsumerStatus {
        self.mailbox
            .ask(PATIENCE, |reply: Reply<ConsumerStatus>| {
                ConsumerMsg::Inspect { reply }
            })
            .await
            .unwrap()
    }

    /// Waits until the consumer's books say so.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&ConsumerStatus) -> bool,
    ) -> ConsumerStatus {
        until(what, async || Some(self.status().await).filter(&wanted)).await
    }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| panic!("it never came true that {what}"))
}
