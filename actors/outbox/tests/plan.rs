//! The plan alone: tables for each rule, then random histories against a table of rows and a bus that fail in every way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "tests fail by panicking"
)]

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use actor_kit::Backoff;
use outbox::plan::{Now, Plan};
use outbox::{Claim, OutboxEvent, PlanDepth, PlanLimits, PublishOutcome};
use proptest::prelude::*;
use uuid::Uuid;

use PublishOutcome::{Published, Unavailable};

fn event(n: u128) -> OutboxEvent {
    OutboxEvent {
        event_id: Uuid::from_u128(n),
        order_id: 7,
        aggregate_seq: 1,
        subject: "orders.created".to_owned(),
        schema_version: 1,
        payload: vec![1, 2, 3],
        traceparent: None,
    }
}

fn events(range: std::ops::Range<u128>) -> Vec<OutboxEvent> {
    range.map(event).collect()
}

fn ids(events: &[OutboxEvent]) -> Vec<u128> {
    events
        .iter()
        .map(|event| event.event_id.as_u128())
        .collect()
}

fn refused() -> PublishOutcome {
    PublishOutcome::Refused("too large".to_owned())
}

const fn ms(millis: u64) -> Now {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Now {
    Duration::from_secs(secs)
}

fn limits() -> PlanLimits {
    PlanLimits {
        window: 4,
        held_max: 16,
        claim_rows_max: 8,
        marks_max: 4,
        remembered_max: 32,
        ..PlanLimits::default()
    }
}

/// A plan whose first claim is out of the way, so that claims do not disturb a test about something else.
fn plan() -> Plan {
    let mut plan = Plan::new(limits());
    plan.take_claim(ms(0)).unwrap();
    plan.claimed(Vec::new(), ms(0));
    plan
}

fn settle(plan: &mut Plan, n: u128, outcome: &PublishOutcome, now: Now) {
    plan.settled(Uuid::from_u128(n), outcome, now, 1.0);
}

#[test]
fn a_handed_over_event_is_published_at_once() {
    let mut plan = plan();
    assert_eq!(plan.hand_over(vec![event(1)], ms(5)), 0);
    assert_eq!(plan.take(ms(5)), vec![event(1)]);
    assert_eq!(plan.take(ms(5)), vec![]);
}

#[test]
fn the_window_bounds_what_is_in_flight_and_each_answer_frees_a_place() {
    let mut plan = plan();
    plan.hand_over(events(1..8), ms(0));
    assert_eq!(ids(&plan.take(ms(0))), [1, 2, 3, 4]);
    assert_eq!(plan.take(ms(0)), vec![]);
    settle(&mut plan, 3, &Published, ms(1));
    settle(&mut plan, 1, &refused(), ms(1));
    assert_eq!(ids(&plan.take(ms(1))), [5, 6]);
}

#[test]
fn an_event_known_already_is_not_taken_twice() {
    let mut plan = plan();
    plan.hand_over(vec![event(1), event(1)], ms(0));
    plan.take_claim(secs(1)).unwrap();
    plan.claimed(vec![event(1)], secs(1));
    assert_eq!(ids(&plan.take(secs(1))), [1]);
    // In flight, waiting for its retry, published: a second copy changes nothing.
    plan.hand_over(vec![event(1)], secs(1));
    assert_eq!(plan.take(secs(1)), vec![]);
    settle(&mut plan, 1, &refused(), secs(1));
    plan.hand_over(vec![event(1)], secs(1));
    assert_eq!(plan.take(secs(1)), vec![]);
    assert_eq!(ids(&plan.take(secs(2))), [1]);
    settle(&mut plan, 1, &Published, secs(2));
    plan.hand_over(vec![event(1)], secs(2));
    assert_eq!(plan.take(secs(2)), vec![]);
}

#[test]
fn a_full_memory_drops_the_hand_over_and_says_so() {
    let mut plan = plan();
    assert_eq!(plan.hand_over(events(1..21), ms(0)), 4);
    assert_eq!(plan.depth().queued, 16);
}

#[test]
fn a_refused_event_waits_alone_and_longer_each_time() {
    let mut plan = plan();
    plan.take_claim(secs(1)).unwrap();
    plan.claimed(vec![event(1)], secs(1));
    let mut now = secs(1);
    for wait in [200_u64, 400, 800, 1_600] {
        let neighbour = u128::from(wait);
        assert_eq!(ids(&plan.take(now)), [1]);
        settle(&mut plan, 1, &refused(), now);
        // A neighbour goes on.
        plan.hand_over(vec![event(neighbour)], now);
        assert_eq!(ids(&plan.take(now)), [neighbour]);
        settle(&mut plan, neighbour, &Published, now);
        assert_eq!(plan.take(now + ms(wait - 1)), vec![]);
        now += ms(wait);
    }
    assert!(!plan.depth().bus_away);
}

#[test]
fn an_absent_bus_pauses_everything_and_one_event_probes() {
    let mut plan = plan();
    plan.hand_over(events(1..11), ms(0));
    for n in ids(&plan.take(ms(0))) {
        settle(&mut plan, n, &Unavailable, ms(1));
    }
    // Four failures of one window are one failure: the first pause is the base, 100 ms.
    assert!(plan.depth().bus_away);
    assert_eq!(plan.take(ms(100)), vec![]);
    assert_eq!(plan.next_wake(), Some(ms(101)));
    let probe = ids(&plan.take(ms(101)));
    assert_eq!(probe.len(), 1);
    assert_eq!(plan.take(ms(101)), vec![]);
    settle(&mut plan, probe[0], &Unavailable, ms(102));
    assert_eq!(plan.take(ms(301)), vec![], "the second pause is 200 ms");
    let probe = ids(&plan.take(ms(302)));
    assert_eq!(probe.len(), 1);
    settle(&mut plan, probe[0], &Published, ms(303));
    assert_eq!(
        plan.take(ms(303)).len(),
        4,
        "the bus answers: the whole window again"
    );
    assert!(!plan.depth().bus_away);
}

#[test]
fn after_a_long_outage_everything_is_claimed_again() {
    let mut plan = plan();
    plan.hand_over(events(1..4), ms(0));
    for n in ids(&plan.take(ms(0))) {
        settle(&mut plan, n, &Unavailable, ms(1));
    }
    // Two seconds later the rows may be claimed by any replica: memory lets go of them …
    assert_eq!(plan.take(secs(3)), vec![]);
    assert_eq!(
        plan.depth(),
        PlanDepth {
            bus_away: true,
            ..PlanDepth::default()
        }
    );
    // … and the claim, which nothing in memory replaces any more, brings them back.
    assert_eq!(plan.take_claim(secs(3)).unwrap().rows_max, 8);
    plan.claimed(events(1..4), secs(3));
    assert_eq!(plan.take(secs(3)).len(), 1);
}

#[test]
fn while_the_bus_is_away_rows_are_left_to_other_replicas() {
    let mut plan = plan();
    plan.hand_over(vec![event(1)], ms(0));
    plan.take(ms(0));
    settle(&mut plan, 1, &Unavailable, ms(1_500));
    assert_eq!(plan.take_claim(ms(1_900)), None);
}

#[test]
fn a_lease_counts_from_the_moment_the_claim_was_sent() {
    let mut plan = plan();
    plan.take_claim(secs(1)).unwrap();
    plan.claimed(vec![event(1)], secs(14));
    assert_eq!(plan.take(secs(31)), vec![]);
    let mut plan = self::plan();
    plan.take_claim(secs(1)).unwrap();
    plan.claimed(vec![event(1)], secs(14));
    assert_eq!(ids(&plan.take(ms(30_999))), [1]);
}

#[test]
fn a_claim_prolongs_what_was_handed_over() {
    let mut plan = plan();
    plan.hand_over(events(1..7), ms(0));
    assert_eq!(ids(&plan.take(ms(0))), [1, 2, 3, 4]);
    plan.take_claim(ms(1_999)).unwrap();
    plan.claimed(vec![event(5)], ms(1_999));
    settle(&mut plan, 1, &Published, secs(10));
    settle(&mut plan, 2, &Published, secs(10));
    assert_eq!(
        ids(&plan.take(secs(10))),
        [5],
        "6 was not claimed and is no longer ours"
    );
}

#[test]
fn a_row_claimed_after_its_publish_is_marked_again_and_not_published_again() {
    let mut plan = plan();
    plan.hand_over(vec![event(1)], ms(0));
    plan.take(ms(0));
    settle(&mut plan, 1, &Published, ms(1));
    assert_eq!(plan.take_marks(ms(21)), Some(vec![Uuid::from_u128(1)]));
    plan.take_claim(secs(3)).unwrap();
    plan.claimed(vec![event(1)], secs(3));
    assert_eq!(plan.take(secs(3)), vec![]);
    assert_eq!(plan.take_marks(secs(4)), Some(vec![Uuid::from_u128(1)]));
}

#[test]
fn claims_follow_what_the_last_one_brought() {
    let mut plan = Plan::new(limits());
    let claim = Claim {
        rows_max: 8,
        min_age: secs(2),
        lease: secs(30),
    };
    assert_eq!(
        plan.take_claim(ms(0)),
        Some(claim),
        "the first is due at the start"
    );
    assert_eq!(plan.take_claim(ms(0)), None, "one at a time");
    plan.claimed(events(1..9), ms(10));
    assert_eq!(
        plan.take_claim(ms(10)),
        Some(claim),
        "a full answer: there is more"
    );
    plan.claimed(events(9..13), ms(20));
    assert_eq!(
        plan.take_claim(ms(20)),
        None,
        "not full: after the usual pause"
    );
    assert_eq!(
        plan.take_claim(ms(1_020)).unwrap().rows_max,
        4,
        "no more than there is room for"
    );
    plan.claim_failed(ms(1_030), 1.0);
    assert_eq!(plan.take_claim(ms(1_129)), None);
    assert!(
        plan.take_claim(ms(1_130)).is_some(),
        "a failure: after the backoff"
    );
    plan.claimed(events(13..17), ms(1_140));
    assert_eq!(plan.take_claim(secs(9)), None, "no room");
}

#[test]
fn marks_go_out_in_groups_or_after_the_linger() {
    let mut plan = plan();
    plan.hand_over(events(1..5), ms(0));
    plan.take(ms(0));
    for n in 1..4_u64 {
        settle(&mut plan, u128::from(n), &Published, ms(n));
    }
    assert_eq!(plan.take_marks(ms(20)), None);
    assert_eq!(plan.next_wake(), Some(ms(21)));
    settle(&mut plan, 4, &Published, ms(20));
    let group = plan.take_marks(ms(20)).unwrap();
    assert_eq!(group, (1..5).map(Uuid::from_u128).collect::<Vec<_>>());
    assert_eq!(plan.take_marks(secs(1)), None);
}

#[test]
fn marks_that_nobody_took_come_again_in_order() {
    let mut plan = plan();
    plan.hand_over(events(1..4), ms(0));
    plan.take(ms(0));
    settle(&mut plan, 1, &Published, ms(0));
    settle(&mut plan, 2, &Published, ms(0));
    let group = plan.take_marks(ms(20)).unwrap();
    plan.marks_not_taken(group, ms(20));
    settle(&mut plan, 3, &Published, ms(30));
    assert_eq!(plan.take_marks(ms(39)), None);
    assert_eq!(
        plan.take_marks(ms(40)).unwrap(),
        (1..4).map(Uuid::from_u128).collect::<Vec<_>>()
    );
}

#[test]
fn an_answer_for_an_unknown_event_changes_nothing() {
    let mut plan = plan();
    settle(&mut plan, 9, &Published, ms(0));
    settle(&mut plan, 9, &Unavailable, ms(0));
    assert_eq!(plan.depth(), PlanDepth::default());
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    /// Rows commit; the writer hands them over or its `try_send` fails.
    Commit { rows: u8, handed_over: bool },
    /// Another replica publishes and marks an unpublished row that nobody holds.
    OtherReplica,
    /// The answer to the `nth` publish in flight.
    Answer { nth: u8, outcome: Answer },
    /// The answer to the claim under way; or it is lost after the rows were leased.
    ClaimAnswer { lost: bool },
    /// How marks fare from here on.
    Marks(MarkFate),
    /// Time passes.
    Wait { ms: u16 },
    /// The drainer crashes and starts again with nothing.
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Published,
    Unavailable,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum MarkFate {
    Written,
    /// Taken, and lost with a batch.
    Lost,
    NotTaken,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        Just(Answer::Published),
        Just(Answer::Unavailable),
        Just(Answer::Refused)
    ];
    let fate = prop_oneof![
        Just(MarkFate::Written),
        Just(MarkFate::Lost),
        Just(MarkFate::NotTaken)
    ];
    prop_oneof![
        4 => (1..6u8, any::<bool>()).prop_map(|(rows, handed_over)| Step::Commit { rows, handed_over }),
        1 => Just(Step::OtherReplica),
        6 => (any::<u8>(), answer).prop_map(|(nth, outcome)| Step::Answer { nth, outcome }),
        2 => any::<bool>().prop_map(|lost| Step::ClaimAnswer { lost }),
        1 => fate.prop_map(Step::Marks),
        4 => (0..4_000u16).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Crash),
    ]
}

#[derive(Debug, Default, Clone)]
struct Row {
    created: Now,
    claimed_until: Now,
    marked: bool,
    on_bus: bool,
}

/// The world around the plan.
struct World {
    plan: Plan,
    now: Now,
    rows: BTreeMap<u128, Row>,
    in_flight: Vec<u128>,
    /// Rows the claim under way has leased.
    claim: Option<Vec<u128>>,
    marks: MarkFate,
}

impl World {
    fn new() -> Self {
        Self {
            plan: Plan::new(limits()),
            now: ms(0),
            rows: BTreeMap::new(),
            in_flight: Vec::new(),
            claim: None,
            marks: MarkFate::Written,
        }
    }

    /// What the actor does after every message, with the invariants checked on the way.
    fn drive(&mut self) {
        for event in self.plan.take(self.now) {
            let id = event.event_id.as_u128();
            assert!(
                !self.in_flight.contains(&id),
                "published twice at the same time"
            );
            self.in_flight.push(id);
        }
        assert!(self.in_flight.len() <= limits().window);
        if let Some(claim) = self.plan.take_claim(self.now) {
            assert!(self.claim.is_none(), "two claims at the same time");
            let now = self.now;
            let due: Vec<u128> = self
                .rows
                .iter()
                .filter(|(_, row)| {
                    !row.marked && row.created + claim.min_age < now && row.claimed_until < now
                })
                .map(|(id, _)| *id)
                .take(claim.rows_max)
                .collect();
            for id in &due {
                self.rows.get_mut(id).unwrap().claimed_until = now + claim.lease;
            }
            self.claim = Some(due);
        }
        while let Some(group) = self.plan.take_marks(self.now) {
            if self.marks == MarkFate::NotTaken {
                self.plan.marks_not_taken(group, self.now);
                break;
            }
            for id in group {
                let row = self.rows.get_mut(&id.as_u128()).unwrap();
                assert!(row.on_bus, "marked without having been published");
                row.marked |= self.marks == MarkFate::Written;
            }
        }
        let depth = self.plan.depth();
        assert!(depth.queued + depth.in_flight + depth.retrying <= limits().held_max);
        assert_eq!(depth.in_flight, self.in_flight.len());
        if let Some(wake) = self.plan.next_wake() {
            assert!(
                wake > self.now,
                "a wake at {wake:?} that is not later than {:?} spins",
                self.now
            );
        }
    }

    fn answer(&mut self, nth: usize, outcome: Answer) {
        if self.in_flight.is_empty() {
            return;
        }
        let id = self.in_flight.remove(nth % self.in_flight.len());
        let outcome = match outcome {
            Answer::Published => {
                self.rows.get_mut(&id).unwrap().on_bus = true;
                Published
            }
            Answer::Unavailable => Unavailable,
            Answer::Refused => refused(),
        };
        settle(&mut self.plan, id, &outcome, self.now);
    }

    fn claim_answer(&mut self, lost: bool) {
        let Some(ids) = self.claim.take() else { return };
        if lost {
            self.plan.claim_failed(self.now, 0.5);
        } else {
            self.plan
                .claimed(ids.into_iter().map(event).collect(), self.now);
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Commit { rows, handed_over } => {
                let next = self.rows.len() as u128 + 1;
                let range = next..next + u128::from(rows);
                for id in range.clone() {
                    // Row order is not commit order: each second row is older than it looks.
                    let created = self
                        .now
                        .saturating_sub(ms(if id % 2 == 0 { 700 } else { 0 }));
                    self.rows.insert(
                        id,
                        Row {
                            created,
                            ..Row::default()
                        },
                    );
                }
                if handed_over {
                    self.plan.hand_over(events(range), self.now);
                }
            }
            Step::OtherReplica => {
                let now = self.now;
                let free = |row: &&mut Row| {
                    !row.marked && row.created + secs(2) < now && row.claimed_until < now
                };
                if let Some(row) = self.rows.values_mut().find(free) {
                    row.on_bus = true;
                    row.marked = true;
                }
            }
            Step::Answer { nth, outcome } => self.answer(usize::from(nth), outcome),
            Step::ClaimAnswer { lost } => self.claim_answer(lost),
            Step::Marks(fate) => self.marks = fate,
            Step::Wait { ms: millis } => self.now += ms(u64::from(millis)),
            Step::Crash => {
                // The drainer's clock starts again; here it simply goes on, which is the same shifted.
                self.plan = Plan::new(limits());
                self.in_flight.clear();
                self.claim = None;
            }
        }
        self.drive();
    }

    /// Everything answers from here on; follows only what the plan asks for.
    fn heal(&mut self) {
        self.marks = MarkFate::Written;
        for _ in 0..10_000 {
            if self.rows.values().all(|row| row.marked) {
                return;
            }
            if !self.in_flight.is_empty() {
                self.answer(0, Answer::Published);
            } else if self.claim.is_some() {
                self.claim_answer(false);
            } else {
                self.now = self
                    .plan
                    .next_wake()
                    .expect("rows wait and nothing will wake the drainer");
            }
            self.drive();
        }
        panic!("rows are left behind: {:?}", self.rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever is lost, refused, doubled or crashed: no row is left behind once things answer again.
    #[test]
    fn every_row_is_published_and_marked_in_the_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        world.drive();
        for step in &steps {
            world.apply(step);
        }
        world.heal();
    }

    /// Without faults nothing is published twice, whichever way an event arrives.
    #[test]
    fn without_faults_each_event_is_published_once(
        arrivals in prop::collection::vec((1..40u128, any::<bool>(), 0..300u64), 0..80),
    ) {
        let mut plan = Plan::new(PlanLimits {
            retry: Backoff { base: ms(1), cap: ms(1) },
            ..PlanLimits::default()
        });
        let mut now = ms(0);
        let mut published = HashSet::new();
        for (id, handed_over, wait) in arrivals {
            now += ms(wait);
            if handed_over {
                plan.hand_over(vec![event(id)], now);
            } else if plan.take_claim(now).is_some() {
                plan.claimed(vec![event(id)], now);
            }
            for event in plan.take(now) {
                prop_assert!(published.insert(event.event_id), "published twice: {}", event.event_id);
                plan.settled(event.event_id, &Published, now, 0.5);
            }
        }
    }
}
