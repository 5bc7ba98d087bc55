//! The connection to NATS: one per process, shared by handle.
//!
//! `async-nats` connects and reconnects in the background, for ever; this file turns what it tells into a value that can be
//! asked ([`Connection::state`]) and awaited. Each time the connection stands again gets a new *generation*: whoever built
//! something on an older one builds it again, because the server may have come back without its store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actor_kit::Backoff;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event};
use rustls::ClientConfig;
use tokio::sync::watch;
use tracing::{debug, info, warn};

/// Pause between attempts to connect: quick while a server restarts, a few seconds when it is away for long.
const RECONNECT: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
};

/// A server that does not answer a ping within this and once more is taken for lost; the default of a minute would leave a
/// dead network unnoticed for longer than a saga's deadline.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Handshake of one attempt.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Requests to the JetStream API and publish acknowledgements. With the store's disk full an acknowledgement never comes
/// and no error either: this is what turns that into one.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// The client reports changes through a bounded channel that drops; looking once a second heals a dropped one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How to reach NATS.
#[derive(Clone)]
pub struct BusOptions {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// Shown in the server's list of connections: the service's name.
    pub client_name: String,
    /// Who we are, where the server asks.
    pub credentials: Option<BusCredentials>,
    /// TLS, where the server speaks it.
    pub tls: Option<BusTls>,
    /// Copies of the streams that this process owns: more than one needs a cluster of as many servers.
    pub stream_replicas: usize,
}

/// User and password of an account on the server.
#[derive(Clone)]
pub struct BusCredentials {
    /// User.
    pub user: String,
    /// Password; never logged.
    pub password: String,
}

/// TLS with a certificate of our own, by which the server knows who we are.
#[derive(Clone)]
pub struct BusTls {
    /// Asked at every handshake: one that follows its files needs no restart when they are renewed.
    pub config: Arc<ClientConfig>,
    /// The name in the certificate. Answers come to `_INBOX.<name>.…`, which is all the server lets us listen to.
    pub name: String,
}

impl BusOptions {
    /// Plain NATS without credentials.
    pub fn new(url: impl Into<String>, client_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            client_name: client_name.into(),
            credentials: None,
            tls: None,
            stream_replicas: 1,
        }
    }

    /// The same over TLS, as the service `name`.
    #[must_use]
    pub fn secured(mut self, config: Arc<ClientConfig>, name: impl Into<String>) -> Self {
        self.tls = Some(BusTls {
            config,
            name: name.into(),
        });
        self
    }
}

impl fmt::Debug for BusOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may carry a password as well.
        f.debug_struct("BusOptions")
            .field("client_name", &self.client_name)
            .field("credentials", &self.credentials.is_some())
            .field("tls", &self.tls.as_ref().map(|tls| &tls.name))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BusTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BusTls({})", self.name)
    }
}

impl fmt::Debug for BusCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BusCredentials(…)")
    }
}

/// The options cannot be used; no attempt to connect was made.
#[derive(Debug, thiserror::Error)]
#[error("the options of the NATS connection cannot be used: {0}")]
pub struct BadBusOptions(String);

/// What operators see as "degraded" when it is not `Connected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusState {
    /// Usable.
    Connected,
    /// Connected, but publishes are not acknowledged: a full disk, which stays broken until the server restarts.
    Stalled,
    /// Not connected; trying.
    Disconnected,
}

/// Which standing of the connection something was built on.
pub(crate) type Generation = u64;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    connected: bool,
    generation: Generation,
}

impl Link {
    /// Notes what the client said; `true` when that was news.
    fn note(&mut self, connected: bool) -> bool {
        if connected && !self.connected {
            self.generation += 1;
        }
        std::mem::replace(&mut self.connected, connected) != connected
    }
}

/// A handle to the connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    client: Client,
    context: Context,
    link: Arc<watch::Sender<Link>>,
    stalled: Arc<AtomicBool>,
    stream_replicas: usize,
}

impl Connection {
    /// Starts to connect in the background. NATS being away is not an error: the state says so until it answers.
    ///
    /// # Errors
    /// [`BadBusOptions`] for an unusable URL.
    pub async fn open(options: &BusOptions) -> Result<Self, BadBusOptions> {
        let link = Arc::new(watch::Sender::new(Link::default()));
        let noted = Arc::clone(&link);
        let mut connect = ConnectOptions::new()
            .name(&options.client_name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_DEADLINE)
            .request_timeout(Some(REQUEST_DEADLINE))
            .ping_interval(PING_EVERY)
            .reconnect_delay_callback(|attempt| {
                let attempt = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
                RECONNECT.jittered(attempt)
            })
            .event_callback(move |event| {
                note(&noted, &event);
                std::future::ready(())
            });
        if let Some(BusCredentials { user, password }) = options.credentials.clone() {
            connect = connect.user_and_password(user, password);
        }
        if let Some(BusTls { config, name }) = &options.tls {
            connect = connect
                .require_tls(true)
                .tls_client_config(ClientConfig::clone(config))
                .custom_inbox_prefix(format!("_INBOX.{name}"));
        }
        let servers: Vec<&str> = options.url.split(',').map(str::trim).collect();
        let client = connect
            .connect(servers)
            .await
            .map_err(|error| BadBusOptions(error.kind().to_string()))?;
        let context = ContextBuilder::new()
            .timeout(REQUEST_DEADLINE)
            .build(client.clone());
        Ok(Self {
            client,
            context,
            link,
            stalled: Arc::new(AtomicBool::new(false)),
            stream_replicas: options.stream_replicas,
        })
    }

    /// How many copies the streams that this process owns shall have.
    #[must_use]
    pub const fn stream_replicas(&self) -> usize {
        self.stream_replicas
    }

    /// The state for health reports.
    #[must_use]
    pub fn state(&self) -> BusState {
        if !self.link.borrow().connected {
            BusState::Disconnected
        } else if self.stalled.load(Ordering::Relaxed) {
            BusState::Stalled
        } else {
            BusState::Connected
        }
    }

    /// Waits until the state is `Connected` or `Stalled`.
    pub async fn connected(&self) {
        self.standing().await;
    }

    /// The publisher's finding that acknowledgements do not come, or come again.
    pub(crate) fn note_stalled(&self, stalled: bool) -> bool {
        self.stalled.swap(stalled, Ordering::Relaxed) != stalled
    }

    /// Waits for a standing connection; answers which.
    pub(crate) async fn standing(&self) -> Generation {
        self.wait_for(|link| link.connected).await.generation
    }

    /// Waits for a standing connection other than this one.
    pub(crate) async fn standing_after(&self, generation: Generation) -> Generation {
        self.wait_for(|link| link.connected && link.generation != generation)
            .await
            .generation
    }

    /// Waits until this standing of the connection has ended.
    pub(crate) async fn lost(&self, generation: Generation) {
        self.wait_for(|link| !link.connected || link.generation != generation)
            .await;
    }

    /// Whether this standing of the connection still holds.
    pub(crate) fn stands(&self, generation: Generation) -> bool {
        *self.link.borrow()
            == Link {
                connected: true,
                generation,
            }
    }

    pub(crate) fn is_standing(&self) -> bool {
        self.link.borrow().connected
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    async fn wait_for(&self, wanted: impl Fn(&Link) -> bool) -> Link {
        let mut changes = self.link.subscribe();
        loop {
            if let Ok(Ok(link)) = tokio::time::timeout(LOOK_EVERY, changes.wait_for(&wanted)).await
            {
                return *link;
            }
            let connected =
                self.client.connection_state() == async_nats::connection::State::Connected;
            self.link.send_if_modified(|link| link.note(connected));
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

fn note(link: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            if link.send_if_modified(|link| link.note(true)) {
                info!("connected to NATS");
            }
        }
        Event::Disconnected => {
            if link.send_if_modified(|link| link.note(false)) {
                warn!("the connection to NATS is lost");
            }
        }
        Event::Closed => {
            link.send_if_modified(|link| link.note(false));
            debug!("the connection to NATS is closed");
        }
        Event::ServerError(error) => warn!(%error, "NATS reports an error"),
        // One line for each attempt to connect while the server is away.
        Event::ClientError(error) => debug!(%error, "NATS client"),
        Event::SlowConsumer(subscription) => {
            warn!(subscription, "messages of a NATS subscription were dropped");
        }
        Event::LameDuckMode | Event::Draining => info!(%event, "NATS"),
    }
}
