//! A TCP proxy on loopback that fails on command: what a network does to a connection, at the moment a test chooses.
//!
//! ```text
//!   client ◄────► Proxy ◄────► target
//!                   │
//!        forward ───┼─── freeze: bytes wait, connections stay open
//!                   ├─── refuse: connections are reset, old and new
//!                   └─── cut: one request passes, its answer is withheld, both ends are reset
//! ```
//!
//! The cut is how a commit becomes *unknown*: the server has done the work and answered, and nobody learned it. A [`Cut`] names bytes of
//! the request and bytes that end its answer. PostgreSQL's bytes are encrypted: a proxy started with
//! [`Proxy::before_postgres`] stands in the middle with the server's own certificate (`proxy/wire.rs`); all else passes as it is.
//!
//! **Invariants.** A byte of a withheld answer never reaches the client. Dropping the proxy resets what runs through it.

mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use self::wire::{Middle, Wire};
use crate::cluster::Cluster;
use crate::error::Error;

/// One read: a batch of a few hundred rows comes in one or two.
const CHUNK_BYTES: usize = 64 * 1024;

/// Which answer is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Bytes that the request contains: it is forwarded whole, and what the server says from then on is withheld.
    pub request: Vec<u8>,
    /// Bytes that end the answer: when the server has sent them, both ends are reset.
    pub answer_end: Vec<u8>,
}

impl Cut {
    /// What PostgreSQL sends when everything asked for is done and no transaction is open: after a commit.
    const READY_AND_IDLE: &[u8] = b"Z\0\0\0\x05I";

    /// The answer to a commit of PostgreSQL whose statement or parameters contain `text`.
    #[must_use]
    pub fn after_commit_of(text: &str) -> Self {
        Self {
            request: text.as_bytes().to_vec(),
            answer_end: Self::READY_AND_IDLE.to_vec(),
        }
    }
}

/// What happens to bytes and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    Freeze,
    Refuse,
}

struct Shared {
    target: SocketAddr,
    middle: Option<Middle>,
    mode: watch::Sender<Mode>,
    armed: Mutex<Option<Cut>>,
    cuts: watch::Sender<u64>,
}

/// A proxy in front of one server.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Listens on a free port and forwards to `target`.
    ///
    /// # Errors
    /// [`Error::Io`] when no port can be had.
    pub async fn start(target: SocketAddr) -> Result<Self, Error> {
        Self::listen(target, None).await
    }

    /// Listens on a free port and stands between a PostgreSQL server and its clients, so that a [`Cut`] can read what they say. Also
    /// lets in tools that speak no TLS.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Step`] when the server's certificate cannot be used.
    pub async fn before_postgres(cluster: &Cluster) -> Result<Self, Error> {
        let middle = Middle::of_postgres(cluster.pki())?;
        Self::listen(cluster.addr(), Some(middle)).await
    }

    async fn listen(target: SocketAddr, middle: Option<Middle>) -> Result<Self, Error> {
        let doing = "listening for a proxy";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(Error::io(doing))?;
        let addr = listener.local_addr().map_err(Error::io(doing))?;
        let shared = Arc::new(Shared {
            target,
            middle,
            mode: watch::Sender::new(Mode::Forward),
            armed: Mutex::new(None),
            cuts: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            addr,
            shared,
            accepting,
        })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Loses the answer to the next request that fits, on whichever connection it comes, and waits until that has happened.
    ///
    /// Dropped early it loses none.
    pub async fn cut_next(&self, cut: Cut) {
        struct Disarm<'a>(&'a Shared);
        impl Drop for Disarm<'_> {
            fn drop(&mut self) {
                self.0.arm(None);
            }
        }
        let mut cuts = self.shared.cuts.subscribe();
        cuts.mark_unchanged();
        self.shared.arm(Some(cut));
        let _disarm = Disarm(&self.shared);
        // The sender lives as long as the proxy.
        let _ = cuts.changed().await;
    }

    /// How many answers were lost so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        *self.shared.cuts.borrow()
    }

    /// Holds all bytes, both ways; connections stay open and new ones are taken, as on a network that hangs.
    pub fn freeze(&self) {
        self.shared.mode.send_replace(Mode::Freeze);
    }

    /// Resets every connection, and each new one at once.
    pub fn refuse(&self) {
        self.shared.mode.send_replace(Mode::Refuse);
    }

    /// Forwards again, what was held first.
    pub fn heal(&self) {
        self.shared.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn arm(&self, cut: Option<Cut>) {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = cut;
    }

    /// Takes the armed cut when `seen` contains its request: one connection loses its answer, no more. The end of its answer.
    fn disarm_if(&self, seen: &[u8]) -> Option<Vec<u8>> {
        self.armed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_if(|cut| contains(seen, &cut.request))
            .map(|cut| cut.answer_end)
    }

    fn request_bytes(&self) -> usize {
        let armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        armed.as_ref().map_or(0, |cut| cut.request.len())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task: nothing runs on without its proxy.
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                links.spawn(link(client, Arc::clone(&shared)));
            },
            Some(_ended) = links.join_next() => {}
        }
    }
}

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Both ends said so.
    Closed,
    /// An end broke, or was told to.
    Reset,
}

async fn link(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    if *mode.borrow() == Mode::Refuse {
        let _ = client.set_zero_linger();
        return;
    }
    let Ok(server) = TcpStream::connect(shared.target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    // A held-back small packet would be measured as the server's latency.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let secured = tokio::select! {
        secured = secure(client, server, &shared) => secured,
        _ = mode.wait_for(|mode| *mode == Mode::Refuse) => None,
    };
    let Some((mut client, mut server, said)) = secured else {
        return;
    };
    let lost = LostAnswer::default();
    let end = {
        let (client_reads, client_writes) = split(&mut client);
        let (server_reads, server_writes) = split(&mut server);
        let requests = pump_requests(said, client_reads, server_writes, &shared, &lost);
        let answers = pump_answers(server_reads, client_writes, &shared, &lost);
        tokio::select! {
            ended = async { tokio::try_join!(requests, answers) } => ended.map_or(End::Reset, |_| End::Closed),
            _ = mode.wait_for(|mode| *mode == Mode::Refuse) => End::Reset,
        }
    };
    if end == End::Reset {
        client.reset_on_close();
        server.reset_on_close();
    }
}

/// Both ends ready to be read. What goes wrong here looks like a broken connection to both.
async fn secure(
    client: TcpStream,
    server: TcpStream,
    shared: &Shared,
) -> Option<(Wire, Wire, Vec<u8>)> {
    let Some(middle) = &shared.middle else {
        return Some((Wire::Plain(client), Wire::Plain(server), Vec::new()));
    };
    thaw(shared).await;
    match middle.secure(client, server).await {
        Ok(secured) => Some(secured),
        Err(error) => {
            tracing::debug!(%error, "a connection through the proxy was not made");
            None
        }
    }
}

/// The answer of one connection that is to be lost.
#[derive(Default)]
struct LostAnswer {
    withheld: AtomicBool,
    end: Mutex<Vec<u8>>,
}

/// The connection is to be reset.
struct Broken;

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

async fn pump_requests(
    said: Vec<u8>,
    mut from: ReadHalf<&mut Wire>,
    mut to: WriteHalf<&mut Wire>,
    shared: &Shared,
    lost: &LostAnswer,
) -> Result<(), Broken> {
    to.write_all(&said).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    // The end of what went before: bytes looked for may come in two reads.
    let mut seen = Vec::new();
    loop {
        let length = from.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..length).filter(|bytes| !bytes.is_empty()) else {
            to.shutdown().await?;
            return Ok(());
        };
        seen.extend_from_slice(bytes);
        if let Some(end) = shared.disarm_if(&seen) {
            *lost.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
            // Before the server has the request, so that no byte of its answer slips through.
            lost.withheld.store(true, Ordering::Release);
        }
        keep_last(&mut seen, shared.request_bytes());
        thaw(shared).await;
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}

async fn pump_answers(
    mut from: ReadHalf<&mut Wire>,
    mut to: WriteHalf<&mut Wire>,
    shared: &Shared,
    lost: &LostAnswer,
) -> Result<(), Broken> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut withheld = Vec::new();
    loop {
        let length = from.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..length).filter(|bytes| !bytes.is_empty()) else {
            to.shutdown().await?;
            return Ok(());
        };
        if lost.withheld.load(Ordering::Acquire) {
            withheld.extend_from_slice(bytes);
            let end = lost
                .end
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if contains(&withheld, &end) {
                shared.cuts.send_modify(|cuts| *cuts += 1);
                return Err(Broken);
            }
            continue;
        }
        thaw(shared).await;
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}

async fn thaw(shared: &Shared) {
    // The sender lives as long as `shared`.
    let _ = shared
        .mode
        .subscribe()
        .wait_for(|mode| *mode != Mode::Freeze)
        .await;
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty()
        && haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

/// Forgets all but the last `length - 1` bytes: enough to find `length` bytes that are not whole yet.
fn keep_last(seen: &mut Vec<u8>, length: usize) {
    let surplus = seen.len().saturating_sub(length.saturating_sub(1));
    seen.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Answers each line with `done: ` and the line, and counts the lines.
    async fn server() -> (SocketAddr, watch::Receiver<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (count, counted) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let count = count.clone();
                tokio::spawn(async move {
                    let mut line = Vec::new();
                    while let Ok(byte) = stream.read_u8().await {
                        line.push(byte);
                        if byte == b'\n' {
                            count.send_modify(|count| *count += 1);
                            let answer = [b"done: ".as_slice(), &line].concat();
                            line.clear();
                            if stream.write_all(&answer).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        (addr, counted)
    }

    async fn ask(stream: &mut TcpStream, line: &str) -> std::io::Result<String> {
        stream.write_all(line.as_bytes()).await?;
        let mut answer = vec![0; line.len() + "done: ".len()];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.addr()).await.unwrap()
    }

    #[tokio::test]
    async fn it_forwards_both_ways_until_both_ends_close() {
        let (target, _) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let mut client = connect(&proxy).await;
        assert_eq!(ask(&mut client, "one\n").await.unwrap(), "done: one\n");
        assert_eq!(ask(&mut client, "two\n").await.unwrap(), "done: two\n");
        client.shutdown().await.unwrap();
        assert_eq!(
            client.read(&mut [0; 8]).await.unwrap(),
            0,
            "closed in order"
        );
    }

    #[tokio::test]
    async fn a_cut_loses_the_answer_of_a_request_that_was_done() {
        let (target, mut done) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let (mut writer, mut bystander) = (connect(&proxy).await, connect(&proxy).await);
        let cut = Cut {
            request: b"commit".to_vec(),
            answer_end: b"\n".to_vec(),
        };
        let requests = async {
            assert_eq!(ask(&mut bystander, "read\n").await.unwrap(), "done: read\n");
            // In two pieces, as a network may deliver it.
            writer.write_all(b"please com").await.unwrap();
            tokio::task::yield_now().await;
            let mut answer = Vec::new();
            writer.write_all(b"mit\n").await.unwrap();
            let error = writer.read_to_end(&mut answer).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            assert!(answer.is_empty(), "{answer:?}");
        };
        tokio::join!(proxy.cut_next(cut), requests);
        assert_eq!(proxy.cuts(), 1);
        done.wait_for(|done| *done == 2).await.unwrap();
        // Once only, and only there.
        let again = ask(&mut bystander, "commit\n").await.unwrap();
        assert_eq!(again, "done: commit\n");
    }

    #[tokio::test]
    async fn a_cut_that_is_given_up_is_not_made() {
        let (target, _) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let mut client = connect(&proxy).await;
        let cut = Cut {
            request: b"commit".to_vec(),
            answer_end: b"\n".to_vec(),
        };
        let given_up = tokio::time::timeout(Duration::ZERO, proxy.cut_next(cut)).await;
        assert!(given_up.is_err());
        assert_eq!(
            ask(&mut client, "commit\n").await.unwrap(),
            "done: commit\n"
        );
    }

    #[tokio::test]
    async fn a_frozen_proxy_holds_what_it_forwards_when_healed() {
        let (target, done) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let mut client = connect(&proxy).await;
        assert_eq!(ask(&mut client, "one\n").await.unwrap(), "done: one\n");
        proxy.freeze();
        let answer = ask(&mut client, "two\n");
        tokio::pin!(answer);
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut answer).await;
        assert!(waited.is_err(), "held");
        assert_eq!(*done.borrow(), 1);
        proxy.heal();
        assert_eq!(answer.await.unwrap(), "done: two\n");
    }

    #[tokio::test]
    async fn a_refusing_proxy_resets_old_and_new_connections_until_healed() {
        let (target, _) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let mut old = connect(&proxy).await;
        ask(&mut old, "one\n").await.unwrap();
        proxy.refuse();
        ask(&mut old, "two\n").await.unwrap_err();
        let new = async { ask(&mut TcpStream::connect(proxy.addr()).await?, "three\n").await };
        new.await.unwrap_err();
        proxy.heal();
        let mut healed = connect(&proxy).await;
        assert_eq!(ask(&mut healed, "four\n").await.unwrap(), "done: four\n");
    }

    #[tokio::test]
    async fn dropping_the_proxy_ends_what_runs_through_it() {
        let (target, _) = server().await;
        let proxy = Proxy::start(target).await.unwrap();
        let mut client = connect(&proxy).await;
        ask(&mut client, "one\n").await.unwrap();
        drop(proxy);
        ask(&mut client, "two\n").await.unwrap_err();
    }
}
