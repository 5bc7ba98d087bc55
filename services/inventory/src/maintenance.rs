//! Forgets refusals and tombstones that no late command can ask for any more.
//!
//! ```text
//!   timer ─▶ PruneDue ─▶ task: two bounded DELETEs on its own connection ─▶ Pruned ─▶ timer
//! ```
//!
//! Reservations that hold or sold goods are books and are never touched; a trigger in the database says so too. Several replicas may
//! prune at once: whoever comes second finds nothing. A lost database means that the next round tries again. After a crash the timer
//! starts anew.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Generation, TaskPanicked, Timer};
use inventory_sql::queries::maintenance as sql;
use shopapi_postgres::{Disconnected, Failure, PgConfig, Session};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::config::Limits;

/// Pause between two rounds while there is more to prune: leaves the disk to the stock keeper in between.
const BACKLOG_PAUSE: Duration = Duration::from_millis(200);

/// The longest a round may take; a bounded DELETE takes milliseconds.
const ROUND_DEADLINE: Duration = Duration::from_secs(10);

/// What the maintenance actor tells itself. Nobody else talks to it.
#[derive(Debug)]
pub enum MaintenanceMsg {
    /// The pause is over.
    PruneDue(Generation),
    /// A round has ended.
    Pruned(Result<Box<Round>, TaskPanicked>),
}

/// One round of pruning with the connection it used.
#[derive(Debug)]
pub struct Round {
    session: Result<Session, Disconnected>,
    outcome: Result<Pruned, Failure>,
}

/// Rows that a round removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pruned {
    tombstones: usize,
    refusals: usize,
    /// A statement was full: there is more.
    more: bool,
}

/// The actor.
#[derive(Debug)]
pub struct Maintenance {
    /// Absent while a round runs.
    session: Option<Result<Session, Disconnected>>,
    timer: Timer,
    interval: Duration,
    retention: Duration,
    rows_max: u32,
}

impl Maintenance {
    /// An actor that begins with a round after one interval.
    #[must_use]
    pub fn new(config: &PgConfig, limits: &Limits) -> Self {
        Self {
            session: Some(Session::new(config)),
            timer: Timer::default(),
            interval: limits.prune_interval,
            retention: limits.tombstone_retention,
            rows_max: limits.prune_rows_max,
        }
    }

    fn on_prune_due(&mut self, ctx: &Ctx<Self>) {
        let Some(session) = self.session.take() else {
            return;
        };
        let (retention, rows_max) = (self.retention, self.rows_max);
        ctx.spawn_then(
            run_round(session, retention, rows_max),
            MaintenanceMsg::Pruned,
        );
    }

    fn on_pruned(
        &mut self,
        ctx: &Ctx<Self>,
        round: Result<Box<Round>, TaskPanicked>,
    ) -> Result<(), ActorError> {
        let Round { session, outcome } = *round?;
        self.session = Some(session);
        let pause = match outcome {
            Ok(Pruned {
                tombstones,
                refusals,
                more,
            }) => {
                if tombstones + refusals > 0 {
                    info!(tombstones, refusals, "old reservations forgotten");
                }
                if more { BACKLOG_PAUSE } else { self.interval }
            }
            Err(failure) => {
                warn!(%failure, "old reservations were not pruned");
                self.interval
            }
        };
        self.timer.arm(ctx, pause, MaintenanceMsg::PruneDue);
        Ok(())
    }
}

impl Actor for Maintenance {
    type Msg = MaintenanceMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.timer.arm(ctx, self.interval, MaintenanceMsg::PruneDue);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: MaintenanceMsg) -> Result<(), ActorError> {
        match message {
            MaintenanceMsg::PruneDue(generation) => {
                if self.timer.is_current(generation) {
                    self.on_prune_due(ctx);
                }
            }
            MaintenanceMsg::Pruned(round) => self.on_pruned(ctx, round)?,
        }
        Ok(())
    }
}

async fn run_round(
    mut session: Result<Session, Disconnected>,
    retention: Duration,
    rows_max: u32,
) -> Box<Round> {
    let outcome = match &mut session {
        Ok(session) => prune(session, retention, rows_max).await,
        Err(gone) => Err(gone.clone().into()),
    };
    Box::new(Round { session, outcome })
}

async fn prune(
    session: &mut Session,
    retention: Duration,
    rows_max: u32,
) -> Result<Pruned, Failure> {
    let client = session.client().await?;
    let (age, rows) = (retention.as_secs_f64(), i64::from(rows_max));
    let statements = async {
        let tombstones = sql::prune_released()
            .bind(client, &age, &rows)
            .all()
            .await?
            .len();
        let refusals = sql::prune_refused()
            .bind(client, &age, &rows)
            .all()
            .await?
            .len();
        Ok((tombstones, refusals))
    };
    match timeout(ROUND_DEADLINE, statements).await {
        Ok(Ok((tombstones, refusals))) => {
            let full = usize::try_from(rows_max).unwrap_or(usize::MAX);
            Ok(Pruned {
                tombstones,
                refusals,
                more: tombstones >= full || refusals >= full,
            })
        }
        Ok(Err(error)) => Err(session.judge(&error)),
        Err(_elapsed) => Err(session.overdue()),
    }
}
