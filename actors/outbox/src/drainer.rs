//! The actor that carries out the [`Plan`](crate::plan::Plan).
//!
//! It owns the plan and nothing else: rows belong to the database, the connection to the [`OutboxStore`], the bus to the
//! publishing actor. Claims and publishes run beside it and come back as exactly one message each; after every message it
//! takes whatever the plan has to do.
//!
//! A crash loses only memory: events in hand are claimed again when their lease ends, and an event published twice keeps its
//! message id. A lost database or bus is no crash; the plan waits and tries again.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{Actor, ActorError, AskError, Ctx, Generation, Reply, SelfRef, Timer};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::limits::{PlanDepth, PlanLimits};
use crate::plan::{Now, Plan};
use crate::{
    Claim, EventPublisher, OutboxEvent, OutboxStore, PublishOutcome, PublishedMarks,
    StoreUnavailable,
};

/// A publish that has not been answered by then counts as "the bus is away". Above the publisher's own wait for an
/// acknowledgement, so that its answer, which knows more, normally comes first.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(10);

/// A claim that takes longer counts as failed. Above the role's `statement_timeout`; what it may still claim is ours by lease
/// and comes back when that ends.
const CLAIM_DEADLINE: Duration = Duration::from_secs(15);

/// What the drainer can be told.
#[derive(Debug)]
pub enum DrainerMsg {
    /// The writer has committed these. Send with `try_send`: what does not fit is claimed from the table.
    HandOver(Vec<OutboxEvent>),
    /// Asks what is in hand.
    Inspect {
        /// Takes the answer.
        reply: Reply<PlanDepth>,
    },
    /// What the drainer tells itself.
    Own(OwnMsg),
}

/// A message of the drainer to itself; nobody else can make one.
#[derive(Debug)]
pub struct OwnMsg(Own);

#[derive(Debug)]
enum Own {
    /// The claim came back.
    Claimed(Result<Vec<OutboxEvent>, StoreUnavailable>),
    /// One publish came back.
    Settled {
        event_id: Uuid,
        outcome: PublishOutcome,
    },
    /// The plan wanted to be asked again.
    Wake(Generation),
}

/// See the module's documentation.
pub struct OutboxDrainer<S, P, M> {
    store: Arc<S>,
    publisher: P,
    marks: M,
    plan: Plan,
    started_at: Instant,
    wake: Timer,
    /// What the timer is armed for.
    wake_at: Option<Now>,
    /// To oneself, outside every trace: a chain of timers must not hang on the order whose hand-over armed the first.
    me: Option<SelfRef<DrainerMsg>>,
}

impl<S: OutboxStore, P: EventPublisher, M: PublishedMarks> OutboxDrainer<S, P, M> {
    /// A drainer with an empty memory; its first claim goes out as soon as it starts.
    pub fn new(store: Arc<S>, publisher: P, marks: M, limits: PlanLimits) -> Self {
        Self {
            store,
            publisher,
            marks,
            plan: Plan::new(limits),
            started_at: Instant::now(),
            wake: Timer::default(),
            wake_at: None,
            me: None,
        }
    }

    fn now(&self) -> Now {
        self.started_at.elapsed()
    }

    fn on_hand_over(&mut self, events: Vec<OutboxEvent>) {
        let dropped = self.plan.hand_over(events, self.now());
        if dropped > 0 {
            debug!(
                dropped,
                "the outbox memory is full; the rows are claimed later"
            );
        }
    }

    fn on_claimed(&mut self, claimed: Result<Vec<OutboxEvent>, StoreUnavailable>) {
        match claimed {
            Ok(events) => {
                if !events.is_empty() {
                    debug!(rows = events.len(), "claimed outbox rows");
                }
                self.plan.claimed(events, self.now());
            }
            Err(error) => {
                warn!(%error, "outbox rows cannot be claimed");
                self.plan.claim_failed(self.now(), rand::random());
            }
        }
    }

    fn on_settled(&mut self, event_id: Uuid, outcome: &PublishOutcome) {
        if let PublishOutcome::Refused(reason) = outcome {
            warn!(%event_id, reason, "the bus refused an event");
        }
        let was_away = self.plan.depth().bus_away;
        self.plan
            .settled(event_id, outcome, self.now(), rand::random());
        match (was_away, self.plan.depth().bus_away) {
            (false, true) => warn!("the bus is away; events wait in the outbox"),
            (true, false) => info!("the bus answers again"),
            _ => {}
        }
    }

    /// Does everything the plan has to do at this moment.
    fn drive(&mut self, ctx: &Ctx<Self>) {
        let now = self.now();
        for event in self.plan.take(now) {
            self.publish(ctx, event);
        }
        if let Some(claim) = self.plan.take_claim(now) {
            self.claim(ctx, claim);
        }
        self.hand_over_marks(now);
        self.arm_wake(ctx, now);
    }

    fn publish(&self, ctx: &Ctx<Self>, event: OutboxEvent) {
        let event_id = event.event_id;
        ctx.ask_then(
            self.publisher.mailbox(),
            PUBLISH_DEADLINE,
            |reply| P::message(event, reply),
            move |answer| {
                let outcome = match answer {
                    Ok(answer) => P::outcome(answer),
                    Err(AskError::Full | AskError::Gone | AskError::Timeout) => {
                        PublishOutcome::Unavailable
                    }
                };
                own(Own::Settled { event_id, outcome })
            },
        );
    }

    fn claim(&self, ctx: &Ctx<Self>, claim: Claim) {
        let store = Arc::clone(&self.store);
        let claiming = async move {
            tokio::time::timeout(CLAIM_DEADLINE, store.claim(claim))
                .await
                .unwrap_or_else(|_| {
                    Err(StoreUnavailable("no answer within the deadline".to_owned()))
                })
        };
        ctx.spawn_then(claiming, |outcome| {
            own(Own::Claimed(outcome.unwrap_or_else(|panicked| {
                Err(StoreUnavailable(panicked.to_string()))
            })))
        });
    }

    fn hand_over_marks(&mut self, now: Now) {
        while let Some(ids) = self.plan.take_marks(now) {
            if !self.marks.mark(&ids) {
                self.plan.marks_not_taken(ids, now);
                return;
            }
        }
    }

    fn arm_wake(&mut self, ctx: &Ctx<Self>, now: Now) {
        let Some(at) = self.plan.next_wake() else {
            return;
        };
        // An earlier alarm asks the plan anyway, and arming for every message would cost a task each.
        if self.wake.is_armed() && self.wake_at.is_some_and(|armed| armed <= at) {
            return;
        }
        self.wake_at = Some(at);
        self.wake.arm(ctx, at.saturating_sub(now), |generation| {
            own(Own::Wake(generation))
        });
    }
}

fn own(message: Own) -> DrainerMsg {
    DrainerMsg::Own(OwnMsg(message))
}

impl<S: OutboxStore, P: EventPublisher, M: PublishedMarks> Actor for OutboxDrainer<S, P, M> {
    type Msg = DrainerMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.started_at = Instant::now();
        self.me = Some(ctx.me());
        self.drive(ctx);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: DrainerMsg) -> Result<(), ActorError> {
        match message {
            DrainerMsg::HandOver(events) => match &self.me {
                // Once more from ourselves: what follows belongs to no single order's trace.
                Some(me) if ctx.context().is_valid() => {
                    me.send(DrainerMsg::HandOver(events));
                    return Ok(());
                }
                _ => self.on_hand_over(events),
            },
            DrainerMsg::Inspect { reply } => {
                reply.send(self.plan.depth());
                return Ok(());
            }
            DrainerMsg::Own(OwnMsg(Own::Claimed(claimed))) => self.on_claimed(claimed),
            DrainerMsg::Own(OwnMsg(Own::Settled { event_id, outcome })) => {
                self.on_settled(event_id, &outcome);
            }
            DrainerMsg::Own(OwnMsg(Own::Wake(generation))) => {
                if !self.wake.is_current(generation) {
                    return Ok(());
                }
            }
        }
        self.drive(ctx);
        Ok(())
    }

    async fn stopping(&mut self, _: &Ctx<Self>) {
        let ids = self.plan.drain_marks();
        if !ids.is_empty() && !self.marks.mark(&ids) {
            debug!(
                events = ids.len(),
                "published marks are left to a later claim"
            );
        }
    }

    fn message_name(message: &DrainerMsg) -> &'static str {
        match message {
            DrainerMsg::HandOver(_) => "outbox hand over",
            DrainerMsg::Inspect { .. } => "outbox inspect",
            DrainerMsg::Own(_) => "outbox",
        }
    }
}
