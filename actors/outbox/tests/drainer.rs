//! The drainer among probes, in paused time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_kit::probe::{self, Alone, Probe};
use actor_kit::{Mailbox, Reply};
use outbox::{
    Claim, DrainerMsg, EventPublisher, OutboxDrainer, OutboxEvent, OutboxStore, PlanLimits,
    PublishOutcome, PublishedMarks, StoreUnavailable,
};
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

type Publish = (OutboxEvent, Reply<PublishOutcome>);

struct ToProbe(Mailbox<Publish>);

impl EventPublisher for ToProbe {
    type Msg = Publish;
    type Answer = PublishOutcome;

    fn mailbox(&self) -> &Mailbox<Publish> {
        &self.0
    }
    fn message(event: OutboxEvent, reply: Reply<PublishOutcome>) -> Publish {
        (event, reply)
    }
    fn outcome(answer: PublishOutcome) -> PublishOutcome {
        answer
    }
}

/// Answers claims from a script; panics where the script says so.
#[derive(Default)]
struct Rows {
    script: Mutex<VecDeque<Scripted>>,
    claims: Mutex<Vec<Instant>>,
}

enum Scripted {
    Events(Vec<OutboxEvent>),
    Fails,
    Panics,
}

impl OutboxStore for Rows {
    async fn claim(&self, _: Claim) -> Result<Vec<OutboxEvent>, StoreUnavailable> {
        self.claims.lock().unwrap().push(Instant::now());
        let scripted = self.script.lock().unwrap().pop_front();
        match scripted {
            Some(Scripted::Events(events)) => Ok(events),
            Some(Scripted::Fails) => Err(StoreUnavailable("scripted".to_owned())),
            Some(Scripted::Panics) => panic!("scripted"),
            None => Ok(Vec::new()),
        }
    }
}

struct Marks {
    groups: mpsc::Sender<Vec<Uuid>>,
    refuse: Arc<Mutex<u32>>,
}

impl PublishedMarks for Marks {
    fn mark(&mut self, event_ids: &[Uuid]) -> bool {
        let mut refuse = self.refuse.lock().unwrap();
        if *refuse > 0 {
            *refuse -= 1;
            return false;
        }
        self.groups.try_send(event_ids.to_vec()).is_ok()
    }
}

struct Stage {
    drainer: Mailbox<DrainerMsg>,
    actor: Alone,
    bus: Probe<Publish>,
    rows: Arc<Rows>,
    marks: mpsc::Receiver<Vec<Uuid>>,
    refuse_marks: Arc<Mutex<u32>>,
}

async fn stage(script: impl IntoIterator<Item = Scripted>) -> Stage {
    let (publisher, bus) = probe::probe(128);
    let rows = Arc::new(Rows {
        script: Mutex::new(script.into_iter().collect()),
        ..Rows::default()
    });
    let (groups, marks) = mpsc::channel(64);
    let refuse_marks = Arc::new(Mutex::new(0));
    let drainer = OutboxDrainer::new(
        Arc::clone(&rows),
        ToProbe(publisher),
        Marks {
            groups,
            refuse: Arc::clone(&refuse_marks),
        },
        PlanLimits::default(),
    );
    let (drainer, actor) = probe::start("outbox-drainer", 64, drainer).await.unwrap();
    Stage {
        drainer,
        actor,
        bus,
        rows,
        marks,
        refuse_marks,
    }
}

fn event(n: u128) -> OutboxEvent {
    OutboxEvent {
        event_id: Uuid::from_u128(n),
        order_id: 7,
        aggregate_seq: 1,
        subject: "orders.created".to_owned(),
        schema_version: 1,
        payload: vec![1],
        traceparent: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_handed_over_event_is_published_and_marked() {
    let mut stage = stage([]).await;
    stage
        .drainer
        .try_send(DrainerMsg::HandOver(vec![event(1)]))
        .unwrap();
    let (published, reply) = stage.bus.next().await;
    assert_eq!(published, event(1));
    reply.send(PublishOutcome::Published);
    assert_eq!(stage.marks.recv().await.unwrap(), [Uuid::from_u128(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_nobody_handed_over_is_found_by_the_poll() {
    let mut stage = stage([Scripted::Events(vec![]), Scripted::Events(vec![event(1)])]).await;
    let started = Instant::now();
    let (published, _reply) = stage.bus.next().await;
    assert_eq!(published, event(1));
    assert_eq!(started.elapsed().as_secs(), 1, "the second poll brought it");
}

#[tokio::test(start_paused = true)]
async fn at_most_64_publishes_are_in_flight() {
    let mut stage = stage([]).await;
    stage
        .drainer
        .try_send(DrainerMsg::HandOver((1..=100).map(event).collect()))
        .unwrap();
    let mut replies = Vec::new();
    for _ in 0..64 {
        replies.push(stage.bus.next().await.1);
    }
    stage.bus.expect_none().await;
    replies.pop().unwrap().send(PublishOutcome::Published);
    assert_eq!(stage.bus.next().await.0, event(65));
    stage.bus.expect_none().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_publisher_and_a_silent_one_count_as_an_absent_bus() {
    let mut stage = stage([Scripted::Events(vec![event(1)])]).await;
    // The actor died with the event in hand: probed again after the first pause.
    drop(stage.bus.next().await);
    let (again, reply) = stage.bus.next().await;
    assert_eq!(again, event(1));
    let asked = Instant::now();
    // No answer at all: the deadline passes, then the next pause.
    let (again, last) = stage.bus.next().await;
    assert!(asked.elapsed() >= Duration::from_secs(10));
    assert_eq!(again, event(1));
    drop(reply);
    last.send(PublishOutcome::Published);
    assert_eq!(stage.marks.recv().await.unwrap(), [Uuid::from_u128(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_is_retried_while_its_neighbour_goes_on() {
    let mut stage = stage([Scripted::Events(vec![event(1), event(2)])]).await;
    let (_, first) = stage.bus.next().await;
    let (_, second) = stage.bus.next().await;
    first.send(PublishOutcome::Refused("too large".to_owned()));
    second.send(PublishOutcome::Published);
    assert_eq!(stage.marks.recv().await.unwrap(), [Uuid::from_u128(2)]);
    assert_eq!(stage.bus.next().await.0, event(1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_database_is_asked_again_and_crashes_nothing() {
    let script = [
        Scripted::Fails,
        Scripted::Panics,
        Scripted::Fails,
        Scripted::Events(vec![event(1)]),
    ];
    let mut stage = stage(script).await;
    assert_eq!(stage.bus.next().await.0, event(1));
    assert!(stage.actor.is_running());
    assert_eq!(stage.rows.claims.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn marks_that_were_not_taken_come_again() {
    let mut stage = stage([Scripted::Events(vec![event(1)])]).await;
    *stage.refuse_marks.lock().unwrap() = 3;
    stage.bus.next().await.1.send(PublishOutcome::Published);
    assert_eq!(stage.marks.recv().await.unwrap(), [Uuid::from_u128(1)]);
    assert_eq!(*stage.refuse_marks.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_drainer_hands_over_its_marks() {
    let mut stage = stage([Scripted::Events(vec![event(1)])]).await;
    stage.bus.next().await.1.send(PublishOutcome::Published);
    let depth = loop {
        let depth = stage
            .drainer
            .ask(Duration::from_secs(1), |reply| DrainerMsg::Inspect {
                reply,
            })
            .await
            .unwrap();
        if depth.in_flight == 0 && depth.unmarked == 1 {
            break depth;
        }
    };
    assert!(!depth.bus_away);
    stage.actor.stop().await;
    assert_eq!(stage.marks.try_recv().unwrap(), [Uuid::from_u128(1)]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_drainer_polls_once_a_second() {
    let stage = stage([]).await;
    tokio::time::advance(Duration::from_millis(1)).await;
    for _ in 0..10 {
        probe::settle().await;
        tokio::time::advance(Duration::from_millis(1_001)).await;
    }
    probe::settle().await;
    let claims = stage.rows.claims.lock().unwrap().len();
    assert!(
        (10..=11).contains(&claims),
        "{claims} claims in ten seconds"
    );
}
