//! The bus by hand: as one of the services, or as somebody who only claims to be. What a forged publisher meets at the server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, HeaderMap};
use devstack::{Pki, StateDir, TestStack, workspace_root};
use rustls::ClientConfig;
use shopapi_proto::{headers, subjects};
use shopapi_tls::TrustedRoots;

/// A refused publish is never acknowledged: what does not come is waited for so long.
const ACK_MAX: Duration = Duration::from_secs(1);
/// Far above what a server needs to say no.
const REFUSAL_MAX: Duration = Duration::from_secs(20);

/// A connection, and what the server had to say against it.
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Caller {
    /// Connects as `who`, with a certificate of the set.
    pub(crate) async fn as_service(url: &str, pki: &Pki, who: &str) -> Self {
        let identity = pki.identity(who).unwrap();
        Self::connect(url, &identity.client_config(&[]), who)
            .await
            .unwrap()
    }

    /// Connects as the server's own identity, once the server admits it.
    pub(crate) async fn as_administrator(url: &str, pki: &Pki) -> Self {
        let config = pki.identity("nats").unwrap().client_config(&[]);
        let began = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            match Self::connect(url, &config, "nats").await {
                Ok(administrator) => return administrator,
                Err(error) => assert!(began.elapsed() < REFUSAL_MAX, "not admitted: {error}"),
            }
        }
    }

    async fn connect(
        url: &str,
        config: &Arc<ClientConfig>,
        who: &str,
    ) -> Result<Self, ConnectError> {
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&complaints);
        let client = ConnectOptions::new()
            .require_tls(true)
            .tls_client_config(ClientConfig::clone(config))
            .custom_inbox_prefix(format!("_INBOX.{who}"))
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    heard.lock().unwrap().push(error.to_string());
                }
                std::future::ready(())
            })
            .connect(url)
            .await?;
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(ACK_MAX)
            .build(client.clone());
        Ok(Self {
            client,
            jetstream,
            complaints,
        })
    }

    /// Publishes an event into its stream and waits for the acknowledgement.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        headers: HeaderMap,
        payload: Vec<u8>,
    ) -> Result<(), jetstream::context::PublishError> {
        let sent = self
            .jetstream
            .publish_with_headers(subject.to_owned(), headers, payload.into())
            .await?;
        sent.await.map(drop)
    }

    /// Waits until the server has complained about all of this.
    async fn complained(&self, about: &[&str]) {
        let began = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            let heard = self.complaints.lock().unwrap().join("\n").to_lowercase();
            if about
                .iter()
                .all(|text| heard.contains(&text.to_lowercase()))
            {
                return;
            }
            assert!(began.elapsed() < REFUSAL_MAX, "no {about:?} in: {heard}");
        }
    }
}

/// The headers of an event with a number of its own.
pub(crate) fn envelope(number: u32, schema_version: &str) -> HeaderMap {
    let mut envelope = HeaderMap::new();
    let event_id = format!("0190d2f0-0000-7000-8000-{number:012}");
    envelope.insert(headers::EVENT_ID, event_id);
    envelope.insert(headers::SCHEMA_VERSION, schema_version);
    envelope.insert(headers::AGGREGATE_SEQ, "1");
    envelope
}

/// Both services on a bus with their streams and consumers, made by themselves.
async fn services(stack: &TestStack) -> (Caller, Caller) {
    let url = stack.nats.url();
    let orders = Caller::as_service(&url, stack.pki(), "orders").await;
    let payments = Caller::as_service(&url, stack.pki(), "payments").await;
    for (owner, name, subjects) in [
        (
            &orders,
            subjects::STREAM_ORDERS,
            [subjects::ORDERS_ALL, subjects::ORDERS_REPLAYED],
        ),
        (
            &payments,
            subjects::STREAM_PAYMENTS,
            [subjects::PAYMENTS_ALL, subjects::PAYMENTS_REPLAYED],
        ),
    ] {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: subjects.map(str::to_owned).to_vec(),
            ..stream::Config::default()
        };
        owner.jetstream.create_stream(config).await.unwrap();
    }
    for (reader, durable, name) in [
        (&orders, "orders", subjects::STREAM_PAYMENTS),
        (&payments, "payments", subjects::STREAM_ORDERS),
    ] {
        let config = consumer::pull::Config {
            durable_name: Some(durable.to_owned()),
            ..consumer::pull::Config::default()
        };
        reader
            .jetstream
            .create_consumer_on_stream(config, name)
            .await
            .unwrap();
    }
    (orders, payments)
}

/// The events of a stream, as the operators' identity sees it.
async fn stored(stack: &TestStack, name: &str) -> u64 {
    let shopctl = Caller::as_service(&stack.nats.url(), stack.pki(), "shopctl").await;
    let stream = shopctl.jetstream.get_stream(name).await.unwrap();
    stream.cached_info().state.messages
}

#[tokio::test]
async fn a_service_publishes_its_own_events_and_nobody_elses() {
    let stack = TestStack::migrated().await.unwrap();
    let (orders, payments) = services(&stack).await;

    for (number, subject) in [
        (1, subjects::ORDERS_PAID),
        (2, subjects::PAYMENTS_SUCCEEDED),
    ] {
        let (forger, owner, name) = if subject == subjects::ORDERS_PAID {
            (&payments, &orders, subjects::STREAM_ORDERS)
        } else {
            (&orders, &payments, subjects::STREAM_PAYMENTS)
        };
        let forged = forger.publish(subject, envelope(number, "1"), b"forged".to_vec());
        forged.await.expect_err("a forged event was acknowledged");
        forger.complained(&["permissions violation", subject]).await;
        assert_eq!(stored(&stack, name).await, 0, "{subject} was stored");

        let own = owner.publish(subject, envelope(number, "1"), b"own".to_vec());
        own.await.unwrap();
        assert_eq!(stored(&stack, name).await, 1);
    }

    // A reader repeats events to itself, and nobody else does: also not who first published them.
    for (reader, other, subject, name) in [
        (
            &orders,
            &payments,
            "replay.orders.payments.succeeded",
            subjects::STREAM_PAYMENTS,
        ),
        (
            &payments,
            &orders,
            "replay.payments.orders.created",
            subjects::STREAM_ORDERS,
        ),
    ] {
        let forged = other.publish(subject, envelope(4, "1"), b"forged".to_vec());
        forged.await.expect_err("a forged replay was acknowledged");
        other.complained(&["permissions violation", subject]).await;
        assert_eq!(stored(&stack, name).await, 1, "{subject} was stored");

        let own = reader.publish(subject, envelope(4, "1"), b"own".to_vec());
        own.await.unwrap();
        assert_eq!(stored(&stack, name).await, 2);
    }

    // The operators' identity looks and says nothing.
    let shopctl = Caller::as_service(&stack.nats.url(), stack.pki(), "shopctl").await;
    let forged = shopctl.publish(subjects::ORDERS_PAID, envelope(3, "1"), b"forged".to_vec());
    forged.await.expect_err("a forged event was acknowledged");
    assert_eq!(stored(&stack, subjects::STREAM_ORDERS).await, 2);
}

#[tokio::test]
async fn a_service_keeps_its_own_stream_and_reads_through_its_own_consumer() {
    let stack = TestStack::migrated().await.unwrap();
    let (orders, payments) = services(&stack).await;
    let event = payments.publish(
        subjects::PAYMENTS_SUCCEEDED,
        envelope(1, "1"),
        b"x".to_vec(),
    );
    event.await.unwrap();

    let deleted = orders.jetstream.delete_stream(subjects::STREAM_PAYMENTS);
    assert!(deleted.await.is_err(), "another's stream was deleted");
    let deleted = orders.jetstream.delete_stream(subjects::STREAM_ORDERS);
    assert!(deleted.await.is_err(), "no service deletes streams");
    let tap = consumer::pull::Config {
        durable_name: Some("tap".to_owned()),
        ..consumer::pull::Config::default()
    };
    let tapped = orders
        .jetstream
        .create_consumer_on_stream(tap, subjects::STREAM_PAYMENTS);
    tapped
        .await
        .expect_err("a consumer of another name was made");
    orders
        .complained(&[
            "$JS.API.STREAM.DELETE.PAYMENTS",
            "$JS.API.STREAM.DELETE.ORDERS",
            "$JS.API.CONSUMER.CREATE.PAYMENTS.tap",
        ])
        .await;
    assert_eq!(stored(&stack, subjects::STREAM_PAYMENTS).await, 1);
    // Listening in without a consumer, and to another's answers.
    for subject in ["payments.>", "orders.>", "_INBOX.payments.>", ">"] {
        let _listening = orders.client.subscribe(subject).await.unwrap();
        orders
            .complained(&[&format!("violation for subscription to \"{subject}\"")])
            .await;
    }

    // The way that is meant works: its own stream, its own consumer.
    let info = orders.jetstream.get_stream(subjects::STREAM_ORDERS).await;
    info.unwrap();
    let consumer: consumer::PullConsumer = orders
        .jetstream
        .get_consumer_from_stream("orders", subjects::STREAM_PAYMENTS)
        .await
        .unwrap();
    let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
    let message = futures::StreamExt::next(&mut batch).await.unwrap().unwrap();
    message.double_ack().await.unwrap();
    assert_eq!(&*message.payload, b"x");
}

#[tokio::test]
async fn whoever_has_no_business_on_the_bus_is_not_let_in() {
    let stack = TestStack::migrated().await.unwrap();
    let (url, pki) = (stack.nats.url(), stack.pki());
    // A certificate of ours that no user is mapped to.
    for who in ["inventory", "gateway", "postgres", "nats"] {
        let config = pki.identity(who).unwrap().client_config(&[]);
        let refused = Caller::connect(&url, &config, who).await.err();
        let kind = refused
            .expect("somebody without business was let in")
            .kind();
        assert_eq!(kind, ConnectErrorKind::AuthorizationViolation, "{who}");
    }
    // No certificate, and one of the right name by another authority.
    let roots = TrustedRoots::load(pki.ca_file()).unwrap();
    let nobody = roots.client_config(&[]);
    assert!(Caller::connect(&url, &nobody, "orders").await.is_err());
    let home = StateDir::home(&workspace_root().join(".dev")).unwrap();
    let state = StateDir::temporary(&StateDir::scratch(&home).unwrap(), "run-").unwrap();
    let foreign = pki
        .foreign_ca(&state.pki())
        .unwrap()
        .identity("orders")
        .unwrap();
    let forged = foreign.client_config_trusting(&roots, &[]).unwrap();
    assert!(Caller::connect(&url, &forged, "orders").await.is_err());
    // A server of another authority is not believed either.
    let deceived = foreign.client_config(&[]);
    assert!(Caller::connect(&url, &deceived, "orders").await.is_err());
    // Plaintext gets the server's greeting and no further.
    let plain = ConnectOptions::new().connect(&url).await;
    assert!(plain.is_err(), "plaintext was let in");

    let right = Caller::as_service(&url, pki, "orders").await;
    right.client.flush().await.unwrap();
}
