use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::probe::settle;
use crate::{Actor, ActorError, AskError, ChildId, Ctx, Exit, Mailbox, StopSignal, TaskPanicked};

/// Counts, and does as it is told.
struct Counter {
    name: &'static str,
    count: u32,
    log: Arc<Mutex<Vec<String>>>,
}

enum CounterMsg {
    Add(Reply<u32>),
    Panic,
    Fail,
    Stop,
    /// A dependency is lost: an answer, not a crash.
    AskLostDependency(Reply<&'static str>),
}

impl Actor for Counter {
    type Msg = CounterMsg;

    async fn started(&mut self, _: &Ctx<Self>) -> Result<(), ActorError> {
        self.log
            .lock()
            .unwrap()
            .push(format!("start {}", self.name));
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: CounterMsg) -> Result<(), ActorError> {
        match message {
            CounterMsg::Add(reply) => {
                self.count += 1;
                reply.send(self.count);
            }
            CounterMsg::Panic => panic!("planted"),
            CounterMsg::Fail => return Err("planted".into()),
            CounterMsg::Stop => ctx.stop(),
            CounterMsg::AskLostDependency(reply) => reply.send("unavailable"),
        }
        Ok(())
    }

    async fn stopping(&mut self, _: &Ctx<Self>) {
        self.log.lock().unwrap().push(format!("stop {}", self.name));
    }
}

struct Fixture {
    tree: RunningTree,
    mailboxes: Vec<Mailbox<CounterMsg>>,
    log: Arc<Mutex<Vec<String>>>,
}

async fn fixture(names: &[&'static str], restart: Restart) -> Fixture {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut tree = Tree::new("sample").intensity(3, Duration::from_secs(60));
    let mut mailboxes = Vec::new();
    for name in names.iter().copied() {
        let mailbox = Mailbox::new(name, 8);
        let log = Arc::clone(&log);
        tree = tree.child(
            ChildSpec::new(name, "counts", &mailbox, move || Counter {
                name,
                count: 0,
                log: Arc::clone(&log),
            })
            .restart(restart),
        );
        mailboxes.push(mailbox);
    }
    Fixture {
        tree: tree.start().await.unwrap(),
        mailboxes,
        log,
    }
}

const DEADLINE: Duration = Duration::from_secs(1);

async fn crash(mailbox: &Mailbox<CounterMsg>, message: CounterMsg) {
    mailbox.send(message).await.unwrap();
    // The longest restart backoff of a few attempts is far below this.
    tokio::time::sleep(Duration::from_secs(6)).await;
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_crashed_childs_mailbox_works_again() {
    let f = fixture(&["a"], Restart::Permanent).await;
    assert_eq!(f.mailboxes[0].ask(DEADLINE, CounterMsg::Add).await, Ok(1));
    for message in [CounterMsg::Panic, CounterMsg::Fail] {
        crash(&f.mailboxes[0], message).await;
        assert_eq!(
            f.mailboxes[0].ask(DEADLINE, CounterMsg::Add).await,
            Ok(1),
            "a fresh actor behind the same mailbox"
        );
    }
    assert_eq!(f.tree.children()[0].restarts, 2);
    assert!(f.tree.view().all_running());
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_at_a_crash_is_told_to_its_asker_and_frees_its_place() {
    let f = fixture(&["a"], Restart::Permanent).await;
    f.mailboxes[0].try_send(CounterMsg::Panic).unwrap();
    assert_eq!(
        f.mailboxes[0].ask(DEADLINE, CounterMsg::Add).await,
        Err(AskError::Gone)
    );
    settle().await;
    assert_eq!(f.mailboxes[0].depth(), 0);
}

#[tokio::test(start_paused = true)]
async fn too_many_crashes_end_the_tree() {
    let f = fixture(&["a", "b"], Restart::Permanent).await;
    for _ in 0..4 {
        crash(&f.mailboxes[0], CounterMsg::Panic).await;
    }
    let reason = tokio::time::timeout(DEADLINE, f.tree.failed())
        .await
        .unwrap();
    assert!(reason.contains("more than 3 crashes in 60 s"), "{reason}");
    assert_eq!(
        f.mailboxes[1].ask(DEADLINE, CounterMsg::Add).await,
        Err(AskError::Gone),
        "the neighbours are stopped"
    );
}

#[tokio::test]
async fn waiting_for_a_failure_can_be_spawned() {
    let f = fixture(&["a"], Restart::Permanent).await;
    let waiting = tokio::spawn(async move { f.tree.failed().await });
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn crashes_far_apart_never_end_the_tree() {
    let f = fixture(&["a"], Restart::Permanent).await;
    for _ in 0..10 {
        crash(&f.mailboxes[0], CounterMsg::Panic).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(f.mailboxes[0].ask(DEADLINE, CounterMsg::Add).await, Ok(1));
    assert!(
        tokio::time::timeout(DEADLINE, f.tree.failed())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_dependency_never_ends_the_tree() {
    let f = fixture(&["a"], Restart::Permanent).await;
    for _ in 0..100 {
        assert_eq!(
            f.mailboxes[0]
                .ask(DEADLINE, CounterMsg::AskLostDependency)
                .await,
            Ok("unavailable")
        );
    }
    assert_eq!(f.tree.children()[0].restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    let f = fixture(&["a", "b", "c"], Restart::Permanent).await;
    f.tree.stop(Duration::from_secs(10)).await;
    assert_eq!(
        *f.log.lock().unwrap(),
        [
            "start a", "start b", "start c", "stop c", "stop b", "stop a"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn restart_kinds_decide_who_comes_back() {
    for (restart, after_stop, after_crash) in [
        (Restart::Permanent, ChildState::Running, ChildState::Running),
        (Restart::Transient, ChildState::Stopped, ChildState::Running),
        (Restart::Temporary, ChildState::Stopped, ChildState::Stopped),
    ] {
        let f = fixture(&["stops", "crashes"], restart).await;
        crash(&f.mailboxes[0], CounterMsg::Stop).await;
        crash(&f.mailboxes[1], CounterMsg::Panic).await;
        let states: Vec<_> = f.tree.children().iter().map(|child| child.state).collect();
        assert_eq!(states, [after_stop, after_crash], "{restart:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_child_is_told_to_stop_and_restarted_when_it_fails() {
    let runs = Arc::new(AtomicU32::new(0));
    let stopped = Arc::new(AtomicU32::new(0));
    let (counted, ended) = (Arc::clone(&runs), Arc::clone(&stopped));
    let tree = Tree::new("sample")
        .child(ChildSpec::task("server", "serves", move |stop| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let ended = Arc::clone(&ended);
            async move {
                if first {
                    return Err("planted".into());
                }
                stop.cancelled().await;
                ended.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }))
        .start()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    tree.stop(Duration::from_secs(10)).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}

/// Makes a child for each message and notes how it ended.
struct Parent {
    log: Arc<Mutex<Vec<String>>>,
    exits: Vec<Exit>,
}

enum ParentMsg {
    Adopt(Reply<Mailbox<CounterMsg>>),
    Exits(Reply<Vec<Exit>>),
}

impl Actor for Parent {
    type Msg = ParentMsg;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: ParentMsg) -> Result<(), ActorError> {
        match message {
            ParentMsg::Adopt(reply) => {
                let child = Counter {
                    name: "child",
                    count: 0,
                    log: Arc::clone(&self.log),
                };
                reply.send(ctx.spawn_child("child", 4, child).await?.1);
            }
            ParentMsg::Exits(reply) => reply.send(self.exits.clone()),
        }
        Ok(())
    }

    async fn child_exited(
        &mut self,
        _: &Ctx<Self>,
        _: ChildId,
        exit: Exit,
    ) -> Result<(), ActorError> {
        self.exits.push(exit);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn dynamic_children_report_their_end_and_stop_with_their_parent() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let mailbox = Mailbox::new("parent", 8);
    let seen = Arc::clone(&log);
    let tree = Tree::new("sample")
        .child(
            ChildSpec::new("parent", "", &mailbox, move || Parent {
                log: Arc::clone(&seen),
                exits: Vec::new(),
            })
            .dynamic("child/<id>", "counts, Temporary"),
        )
        .start()
        .await
        .unwrap();
    let mut children = Vec::new();
    for _ in 0..3 {
        children.push(mailbox.ask(DEADLINE, ParentMsg::Adopt).await.unwrap());
    }
    children[0].try_send(CounterMsg::Panic).unwrap();
    settle().await;
    children[1].try_send(CounterMsg::Stop).unwrap();
    settle().await;
    let exits = mailbox.ask(DEADLINE, ParentMsg::Exits).await.unwrap();
    let panicked = Exit::Crashed(TaskPanicked.to_string());
    assert_eq!(exits, [panicked, Exit::Normal]);
    assert_eq!(children[2].ask(DEADLINE, CounterMsg::Add).await, Ok(1));
    assert_eq!(
        tree.children()[0].restarts,
        0,
        "a child's crash is not its parent's"
    );
    log.lock().unwrap().clear();
    tree.stop(Duration::from_secs(10)).await;
    assert_eq!(*log.lock().unwrap(), ["stop child"], "post_stop ran");
}

#[tokio::test(start_paused = true)]
async fn looking_shows_every_actor_with_its_children_and_what_it_is_at() {
    struct Busy;
    impl Actor for Busy {
        type Msg = Option<Reply<Mailbox<CounterMsg>>>;

        async fn handle(&mut self, ctx: &Ctx<Self>, adopt: Self::Msg) -> Result<(), ActorError> {
            let Some(reply) = adopt else {
                return Err("planted".into());
            };
            ctx.doing("adopting");
            let child = Counter {
                name: "child",
                count: 0,
                log: Arc::default(),
            };
            reply.send(ctx.spawn_child("child/1", 4, child).await?.1);
            Ok(())
        }
    }
    let mailbox = Mailbox::new("busy", 8);
    let tree = Tree::new("sample")
        .child(ChildSpec::new("busy", "adopts", &mailbox, || Busy).dynamic("child/<n>", "counts"))
        .start()
        .await
        .unwrap();
    let child = mailbox.ask(DEADLINE, Some).await.unwrap();
    settle().await;
    let full = ChildView {
        name: "busy".into(),
        about: "adopts",
        parent: None,
        state: ChildState::Running,
        doing: "adopting",
        restarts: 0,
        mailbox_depth: 0,
        mailbox_capacity: 8,
        dynamic_children: 1,
    };
    let of_child = ChildView {
        name: "child/1".into(),
        about: "counts",
        parent: Some("busy"),
        doing: "",
        mailbox_capacity: 4,
        dynamic_children: 0,
        ..full.clone()
    };
    assert_eq!(tree.inspect(), [full.clone(), of_child]);

    child.try_send(CounterMsg::Stop).unwrap();
    settle().await;
    let alone = ChildView {
        dynamic_children: 0,
        ..full
    };
    assert_eq!(tree.inspect(), std::slice::from_ref(&alone));

    mailbox.ask(DEADLINE, Some).await.unwrap();
    mailbox.try_send(None).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    settle().await;
    let restarted = ChildView {
        restarts: 1,
        ..alone
    };
    assert_eq!(
        tree.view().inspect(),
        [restarted],
        "a new incarnation has none of the old one's children"
    );
}

/// The picture of the tree below, as a service's `tree.rs` would open with it.
const PICTURE: &str = "\
//! Some words.
//! ```text
//! sample (one_for_one, 3 crashes / 60 s, then the process exits non-zero)
//! ├── journal         writes
//! ├── registry
//! │   └── saga/<id>   one each,
//! │                   Temporary
//! └── grpc            adapter
//! ```
//! More words.
";

#[tokio::test(start_paused = true)]
async fn the_picture_shows_what_runs() {
    async fn nothing(stop: StopSignal) -> Result<(), ActorError> {
        stop.cancelled().await;
        Ok(())
    }
    let tree = |about| {
        Tree::new("sample")
            .intensity(3, Duration::from_secs(60))
            .child(ChildSpec::task("journal", about, nothing))
            .child(
                ChildSpec::task("registry", "", nothing)
                    .dynamic("saga/<id>", "one each,\nTemporary"),
            )
            .child(ChildSpec::task("grpc", "adapter", nothing))
            .start()
    };
    let picture = picture_in(PICTURE).replace("    journal         writes", "");
    let drawn = tree("writes").await.unwrap().render();
    assert_eq!(squeeze(&drawn), squeeze(&picture));
    assert_ne!(
        squeeze(&tree("other").await.unwrap().render()),
        squeeze(&picture)
    );
}

/// The column of the descriptions follows the longest name, which is not this test's subject.
fn squeeze(picture: &str) -> Vec<String> {
    picture
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn crashes_count_only_within_their_window() {
    let intensity = Intensity {
        crashes: 2,
        within: Duration::from_secs(10),
    };
    let mut crashes = VecDeque::new();
    let mut at = |second| intensity.exceeded_by(&mut crashes, Duration::from_secs(second));
    assert!(!at(0));
    assert!(!at(5));
    assert!(!at(11), "the first has left the window");
    assert!(at(12));
}

#[tokio::test]
async fn a_child_sees_its_own_tree_and_does_not_keep_it_alive() {
    let window = TreeWindow::default();
    let port = Arc::new(());
    let (held, through) = (Arc::clone(&port), window.clone());
    let looker = ChildSpec::task("looker", "looks around", move |stop: StopSignal| {
        let (held, through) = (Arc::clone(&held), through.clone());
        async move {
            stop.cancelled().await;
            drop((held, through));
            Ok(())
        }
    });
    assert!(window.inspect().is_empty());

    let tree = Tree::new("test")
        .child(looker)
        .seen_through(&window)
        .start()
        .await
        .unwrap();
    let seen: Vec<_> = window
        .inspect()
        .iter()
        .map(|child| (child.name.to_string(), child.state))
        .collect();
    assert_eq!(seen, [("looker".to_owned(), ChildState::Running)]);

    tree.stop(Duration::from_secs(5)).await;
    let freed = async {
        while Arc::strong_count(&port) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), freed)
        .await
        .expect("what the child held is given back");
    assert!(window.inspect().is_empty());
}
