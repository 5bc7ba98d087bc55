//! The replicas that are connected, and which of them gets the next call.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use hyper::http::uri::Authority;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// How long a call waits for a replica when there is none: a connection is replaced within that time. Past it calls are refused at once.
pub const GRACE: Duration = Duration::from_secs(1);
/// How long a replica that left a call unanswered comes after all others: until pings have shown whether it lives.
const SUSPECT_FOR: Duration = Duration::from_secs(8);

/// One connection to a replica.
pub(crate) struct Replica {
    /// Unique among the connections of this process.
    id: u64,
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) sender: SendRequest<Full<Bytes>>,
    under_way: AtomicUsize,
    suspect_until: Mutex<Option<Instant>>,
}

impl Replica {
    pub(crate) fn new(
        address: SocketAddr,
        authority: Authority,
        sender: SendRequest<Full<Bytes>>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            address,
            authority,
            sender,
            under_way: AtomicUsize::new(0),
            suspect_until: Mutex::new(None),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn is_suspect(&self, now: Instant) -> bool {
        self.suspicion().is_some_and(|until| now < until)
    }

    fn suspicion(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // One word, written whole.
        self.suspect_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call on its way to one replica. Dropped before it was answered, the replica is suspect.
pub(crate) struct UnderWay {
    replica: Arc<Replica>,
    answered: bool,
}

impl UnderWay {
    pub(crate) fn new(replica: Arc<Replica>) -> Self {
        replica.under_way.fetch_add(1, Ordering::Relaxed);
        Self {
            replica,
            answered: false,
        }
    }

    /// The replica lives, whatever it said.
    pub(crate) fn answered(mut self) {
        self.answered = true;
        *self.replica.suspicion() = None;
    }

    /// The connection has ended; that says all there is to say.
    pub(crate) fn ended(mut self) {
        self.answered = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.replica.under_way.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            *self.replica.suspicion() = Some(Instant::now() + SUSPECT_FOR);
        }
    }
}

/// Who is connected.
struct Connected {
    replicas: Vec<Arc<Replica>>,
    /// Since when nobody is.
    nobody_since: Instant,
}

/// The replicas to choose from. Connectors add and remove, calls choose.
pub(crate) struct Choice {
    connected: watch::Sender<Connected>,
    turn: AtomicUsize,
    /// Why the last attempt to connect came to nothing.
    failure: Mutex<Option<String>>,
}

impl Choice {
    pub(crate) fn new() -> Self {
        let connected = Connected {
            replicas: Vec::new(),
            nobody_since: Instant::now(),
        };
        Self {
            connected: watch::Sender::new(connected),
            turn: AtomicUsize::new(0),
            failure: Mutex::new(None),
        }
    }

    pub(crate) fn failed(&self, reason: String) {
        *self.failure() = Some(reason);
    }

    /// What to say when there is nobody.
    pub(crate) fn nobody(&self) -> String {
        match &*self.failure() {
            Some(reason) => format!("no replica is connected: {reason}"),
            None => "no replica is connected".to_owned(),
        }
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, replica: Arc<Replica>) {
        self.connected
            .send_modify(|connected| connected.replicas.push(replica));
    }

    pub(crate) fn remove(&self, id: u64) {
        self.connected.send_modify(|connected| {
            connected.replicas.retain(|replica| replica.id != id);
            if connected.replicas.is_empty() {
                connected.nobody_since = Instant::now();
            }
        });
    }

    /// The replica for the next call, but none of `tried`. Waits while there is hope; `None` when there is none.
    pub(crate) async fn next(&self, tried: &[u64]) -> Option<Arc<Replica>> {
        let patience = Instant::now() + GRACE;
        let mut connected = self.connected.subscribe();
        loop {
            let until = {
                let connected = connected.borrow_and_update();
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                if let Some(replica) = best(&connected.replicas, tried, turn) {
                    return Some(replica);
                }
                if connected.replicas.is_empty() {
                    patience.min(connected.nobody_since + GRACE)
                } else {
                    patience
                }
            };
            if !matches!(timeout_at(until, connected.changed()).await, Ok(Ok(()))) {
                return None;
            }
        }
    }
}

/// The fewest calls under way, those above suspicion first; equals take turns.
fn best(replicas: &[Arc<Replica>], tried: &[u64], turn: usize) -> Option<Arc<Replica>> {
    let now = Instant::now();
    let count = replicas.len();
    (0..count)
        .filter_map(|index| replicas.get((index + turn) % count))
        .filter(|replica| !tried.contains(&replica.id) && !replica.sender.is_closed())
        .min_by_key(|replica| {
            (
                replica.is_suspect(now),
                replica.under_way.load(Ordering::Relaxed),
            )
        })
        .map(Arc::clone)
}
