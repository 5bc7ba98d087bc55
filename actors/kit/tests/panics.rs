//! A panic is told with its consequences, never in its own words: those may quote data.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::probe::settle;
use actor_kit::tree::{ChildSpec, Tree};
use actor_kit::{Actor, ActorError, ChildId, Ctx, Exit, Mailbox, StopSignal, TaskPanicked};
use tracing_subscriber::fmt::MakeWriter;

const CANARY: &str = "canary-5e1f";
/// What stands in the log instead.
const TOLD: &str = "it panicked; the log line `panic` says where";

/// Where the panic is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Start,
    Handler,
    BesideTheActor,
    EndOfAChild,
    ChildItself,
    Stop,
}

fn quote() -> Result<(), ActorError> {
    panic!("cannot read {CANARY}");
}

struct Quoter {
    place: Place,
    starts: Arc<AtomicU32>,
}

enum Msg {
    Go,
    Done(Result<(), TaskPanicked>),
}

impl Actor for Quoter {
    type Msg = Msg;

    async fn started(&mut self, _: &Ctx<Self>) -> Result<(), ActorError> {
        let restarted = self.starts.fetch_add(1, Ordering::SeqCst) > 0;
        if self.place == Place::Start && restarted {
            return quote();
        }
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: Msg) -> Result<(), ActorError> {
        match (message, self.place) {
            (Msg::Go, Place::Start) => return Err("to be started again".into()),
            (Msg::Go, Place::Handler) => return quote(),
            (Msg::Go, Place::Stop) => ctx.stop(),
            (Msg::Go, Place::BesideTheActor) => {
                ctx.spawn_then(async { quote().unwrap() }, Msg::Done);
            }
            (Msg::Go, Place::EndOfAChild | Place::ChildItself) => {
                let (_, mailbox) = ctx.spawn_child("child", 1, Child).await?;
                mailbox.try_send(()).unwrap();
            }
            (Msg::Done(done), _) => tracing::warn!(error = %done.unwrap_err(), "not done"),
        }
        Ok(())
    }

    async fn child_exited(
        &mut self,
        _: &Ctx<Self>,
        _: ChildId,
        exit: Exit,
    ) -> Result<(), ActorError> {
        tracing::warn!(?exit, "a child ended");
        if self.place == Place::EndOfAChild {
            return quote();
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Ctx<Self>) {
        if self.place == Place::Stop {
            quote().unwrap();
        }
    }
}

struct Child;

impl Actor for Child {
    type Msg = ();

    async fn handle(&mut self, _: &Ctx<Self>, (): ()) -> Result<(), ActorError> {
        quote()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything that is logged while a tree of this child runs, its end included.
async fn log_of(child: ChildSpec, mailbox: Option<Mailbox<Msg>>) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let tree = Tree::new("sample").intensity(1, Duration::from_secs(3600));
    let tree = tree.child(child).start().await.unwrap();
    for _ in 0..3 {
        if let Some(mailbox) = &mailbox {
            // The third finds a tree that has given up, where the panic is a crash.
            let _ = mailbox.try_send(Msg::Go);
        }
        // Paused: past every restart's pause.
        tokio::time::sleep(Duration::from_secs(30)).await;
        settle().await;
    }
    tree.stop(Duration::from_secs(1)).await;
    let written = lines.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap()
}

fn assert_told(what: &str, log: &str) {
    assert!(!log.contains(CANARY), "{what}: {log}");
    assert!(log.contains(TOLD), "{what}: {log}");
}

#[tokio::test(start_paused = true)]
async fn what_an_actors_panic_says_is_in_no_log() {
    for place in [
        Place::Start,
        Place::Handler,
        Place::BesideTheActor,
        Place::EndOfAChild,
        Place::ChildItself,
        Place::Stop,
    ] {
        let mailbox = Mailbox::new("quoter", 8);
        let starts = Arc::new(AtomicU32::new(0));
        let child = ChildSpec::new("quoter", "quotes", &mailbox, move || Quoter {
            place,
            starts: Arc::clone(&starts),
        });
        let log = log_of(child, Some(mailbox)).await;
        assert_told(&format!("{place:?}"), &log);
        let is_a_crash = !matches!(place, Place::BesideTheActor | Place::ChildItself);
        assert_eq!(log.contains("the tree gives up"), is_a_crash, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_servers_panic_says_is_in_no_log() {
    let serves = ChildSpec::task("server", "serves", |_: StopSignal| async { quote() });
    let log = log_of(serves, None).await;
    assert_told("at once", &log);
    assert!(log.contains("the tree gives up"), "{log}");

    let serves = ChildSpec::task("server", "serves", |stop: StopSignal| async move {
        stop.cancelled().await;
        quote()
    });
    assert_told("while stopping", &log_of(serves, None).await);
}
