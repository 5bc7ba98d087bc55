//! The saga sweeper: finds sagas whose deadline has passed, claims them for this replica and hands them to the registry.
//!
//! ```text
//!   every second ± jitter, and at start:  store.claim_due(≤ 256, lease) ──▶ registry: Resume ──▶ how many are active
//!                                          (moves wake_at, SKIP LOCKED)                          too many: pause until the next tick
//! ```
//!
//! **Invariant.** At most one claim is under way, and a full claim is followed by the next at once only while the registry has room: after
//! an outage each replica takes what it can handle, not everything.
//!
//! **Crash.** Nothing is lost: what was claimed comes due again when its lease ends.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::{Actor, ActorError, AskError, Ctx, Generation, Mailbox, TaskPanicked, Timer};
use tracing::{debug, warn};

use crate::limits::SagaLimits;
use crate::links::Jitter;
use crate::messages::RegistryMsg;
use crate::ports::{SagaStore, Snapshot, StoreUnavailable};

/// How long the registry may take to take over a claim; it only forwards, so a second means that it is far behind.
const HAND_OVER_DEADLINE: Duration = Duration::from_secs(1);

/// What the sweeper tells itself. Nobody else tells it anything.
#[derive(Debug)]
pub struct SweeperMsg(Own);

#[derive(Debug)]
enum Own {
    TimerElapsed(Generation),
    Claimed(Result<Result<Vec<Snapshot>, StoreUnavailable>, TaskPanicked>),
    HandedOver {
        claimed: usize,
        active: Result<usize, AskError>,
    },
}

/// The actor.
pub struct SagaSweeper {
    store: Arc<dyn SagaStore>,
    registry: Mailbox<RegistryMsg>,
    limits: Arc<SagaLimits>,
    jitter: Jitter,
    timer: Timer,
}

impl SagaSweeper {
    /// A sweeper that claims from `store` and hands over to `registry`.
    #[must_use]
    pub fn new(
        store: Arc<dyn SagaStore>,
        registry: Mailbox<RegistryMsg>,
        limits: Arc<SagaLimits>,
        jitter: Jitter,
    ) -> Self {
        Self {
            store,
            registry,
            limits,
            jitter,
            timer: Timer::default(),
        }
    }

    fn claim(&self, ctx: &Ctx<Self>) {
        let claim = self
            .store
            .claim_due(self.limits.sweep_batch, self.limits.sweep_lease);
        ctx.spawn_then(claim, |claimed| SweeperMsg(Own::Claimed(claimed)));
    }

    /// Half of the period is fixed and half random, so that replicas started together drift apart.
    fn rest(&mut self, ctx: &Ctx<Self>) {
        let half = self.limits.sweep_every / 2;
        let after = half + self.limits.sweep_every.mul_f64((self.jitter)());
        self.timer.arm(ctx, after, |generation| {
            SweeperMsg(Own::TimerElapsed(generation))
        });
    }

    fn on_timer_elapsed(&mut self, generation: Generation, ctx: &Ctx<Self>) {
        if self.timer.is_current(generation) {
            self.claim(ctx);
        }
    }

    fn on_claimed(
        &mut self,
        claimed: Result<Result<Vec<Snapshot>, StoreUnavailable>, TaskPanicked>,
        ctx: &Ctx<Self>,
    ) {
        let due = match claimed {
            Ok(Ok(due)) => due,
            Ok(Err(StoreUnavailable)) => {
                debug!("nothing claimed; trying again");
                vec![]
            }
            Err(panicked) => {
                warn!(%panicked, "nothing claimed; trying again");
                vec![]
            }
        };
        if due.is_empty() {
            return self.rest(ctx);
        }
        let claimed = due.len();
        debug!(claimed, "sagas are due");
        ctx.ask_then(
            &self.registry,
            HAND_OVER_DEADLINE,
            |reply| RegistryMsg::Resume { due, reply },
            move |active| SweeperMsg(Own::HandedOver { claimed, active }),
        );
    }

    fn on_handed_over(&mut self, claimed: usize, active: Result<usize, AskError>, ctx: &Ctx<Self>) {
        match active {
            Ok(active)
                if claimed == self.limits.sweep_batch && active < self.limits.sweep_in_hand_max =>
            {
                self.claim(ctx);
            }
            Ok(_) => self.rest(ctx),
            Err(error) => {
                warn!(%error, claimed, "due sagas not handed over; their lease brings them back");
                self.rest(ctx);
            }
        }
    }
}

impl Actor for SagaSweeper {
    type Msg = SweeperMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.claim(ctx);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: SweeperMsg) -> Result<(), ActorError> {
        match message.0 {
            Own::TimerElapsed(generation) => self.on_timer_elapsed(generation, ctx),
            Own::Claimed(claimed) => self.on_claimed(claimed, ctx),
            Own::HandedOver { claimed, active } => self.on_handed_over(claimed, active, ctx),
        }
        Ok(())
    }

    fn message_name(message: &SweeperMsg) -> &'static str {
        match message.0 {
            Own::TimerElapsed(_) => "sweeper.timer_elapsed",
            Own::Claimed(_) => "sweeper.claimed",
            Own::HandedOver { .. } => "sweeper.handed_over",
        }
    }
}
