//! Forgets what has a retention, and tells the door whether orders are overdue.
//!
//! ```text
//!   timer ─▶ PruneDue ─▶ task: three bounded DELETEs on its own connection ─▶ Pruned ─▶ timer
//!   timer ─▶ CountDue ─▶ task: overdue sagas, on the read pool ─▶ Counted ─▶ Admission ─▶ timer
//! ```
//!
//! Orders and their timelines are books and are never touched; the run-time role could not. Several replicas may prune at once: whoever
//! comes second finds nothing. A lost database means that the next round tries again, and opens the door: creating an order will tell.
//! After a crash the timers start anew.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Generation, TaskPanicked, Timer};
use order_saga::StoreUnavailable;
use orders_sql::queries::maintenance as sql;
use shopapi_postgres::{Disconnected, Failure, PgConfig, Session};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admission::Admission;
use crate::config::Limits;
use crate::store::OrderStore;

/// Pause between two rounds while there is more to prune: leaves the disk to the journal in between.
const BACKLOG_PAUSE: Duration = Duration::from_millis(200);

/// The longest a round may take; a bounded DELETE takes milliseconds.
const ROUND_DEADLINE: Duration = Duration::from_secs(10);

/// What the maintenance actor tells itself. Nobody else talks to it.
#[derive(Debug)]
pub(crate) enum MaintenanceMsg {
    /// The pause between two rounds is over.
    PruneDue(Generation),
    /// A round has ended.
    Pruned(Result<Box<Round>, TaskPanicked>),
    /// Time to count.
    CountDue(Generation),
    /// Overdue sagas.
    Counted(Result<Result<i64, StoreUnavailable>, TaskPanicked>),
}

/// One round of pruning with the connection it used.
#[derive(Debug)]
pub(crate) struct Round {
    session: Result<Session, Disconnected>,
    outcome: Result<Pruned, Failure>,
}

/// Rows that a round removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) events: usize,
    pub(crate) keys: usize,
    pub(crate) dead_letters: usize,
    /// A statement was full: there is more.
    pub(crate) more: bool,
}

/// How long what is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub(crate) events: Duration,
    pub(crate) keys: Duration,
    pub(crate) dead_letters: Duration,
    pub(crate) rows_max: i64,
}

/// The actor.
pub(crate) struct Maintenance {
    /// Absent while a round runs.
    session: Option<Result<Session, Disconnected>>,
    store: OrderStore,
    admission: Admission,
    limits: Limits,
    prune: Timer,
    count: Timer,
}

impl Maintenance {
    /// An actor that counts at once and prunes after one interval.
    pub(crate) fn new(
        config: &PgConfig,
        store: OrderStore,
        admission: Admission,
        limits: Limits,
    ) -> Self {
        Self {
            session: Some(Session::new(config)),
            store,
            admission,
            limits,
            prune: Timer::default(),
            count: Timer::default(),
        }
    }

    fn on_prune_due(&mut self, ctx: &Ctx<Self>) {
        let Some(session) = self.session.take() else {
            return;
        };
        let retention = Retention {
            events: self.limits.outbox_retention,
            keys: self.limits.key_retention,
            dead_letters: self.limits.dead_letter_retention,
            rows_max: self.limits.prune_rows_max,
        };
        ctx.spawn_then(run_round(session, retention), MaintenanceMsg::Pruned);
    }

    fn on_pruned(
        &mut self,
        ctx: &Ctx<Self>,
        round: Result<Box<Round>, TaskPanicked>,
    ) -> Result<(), ActorError> {
        let Round { session, outcome } = *round?;
        self.session = Some(session);
        let pause = match outcome {
            Ok(pruned) => {
                let Pruned {
                    events,
                    keys,
                    dead_letters,
                    more,
                } = pruned;
                if events + keys + dead_letters > 0 {
                    info!(events, keys, dead_letters, "old rows forgotten");
                }
                if more {
                    BACKLOG_PAUSE
                } else {
                    self.limits.prune_interval
                }
            }
            Err(failure) => {
                warn!(%failure, "old rows were not pruned");
                self.limits.prune_interval
            }
        };
        self.prune.arm(ctx, pause, MaintenanceMsg::PruneDue);
        Ok(())
    }

    fn on_count_due(&self, ctx: &Ctx<Self>) {
        let store = self.store.clone();
        let (age, count_max) = (self.limits.overdue_age, self.limits.overdue_sagas_max);
        ctx.spawn_then(
            async move { store.overdue_sagas(age, count_max).await },
            MaintenanceMsg::Counted,
        );
    }

    fn on_counted(
        &mut self,
        ctx: &Ctx<Self>,
        counted: Result<Result<i64, StoreUnavailable>, TaskPanicked>,
    ) -> Result<(), ActorError> {
        let overdue = counted?.unwrap_or_default();
        self.admission
            .set_overdue(overdue >= i64::from(self.limits.overdue_sagas_max));
        let pause = self.limits.overdue_interval;
        self.count.arm(ctx, pause, MaintenanceMsg::CountDue);
        Ok(())
    }
}

impl Actor for Maintenance {
    type Msg = MaintenanceMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        let pause = self.limits.prune_interval;
        self.prune.arm(ctx, pause, MaintenanceMsg::PruneDue);
        self.on_count_due(ctx);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: MaintenanceMsg) -> Result<(), ActorError> {
        match message {
            MaintenanceMsg::PruneDue(generation) => {
                if self.prune.is_current(generation) {
                    self.on_prune_due(ctx);
                }
            }
            MaintenanceMsg::Pruned(round) => self.on_pruned(ctx, round)?,
            MaintenanceMsg::CountDue(generation) => {
                if self.count.is_current(generation) {
                    self.on_count_due(ctx);
                }
            }
            MaintenanceMsg::Counted(counted) => self.on_counted(ctx, counted)?,
        }
        Ok(())
    }
}

async fn run_round(mut session: Result<Session, Disconnected>, retention: Retention) -> Box<Round> {
    let outcome = match &mut session {
        Ok(session) => prune(session, retention).await,
        Err(gone) => Err(gone.clone().into()),
    };
    Box::new(Round { session, outcome })
}

/// One round: up to `rows_max` rows of each kind.
pub(crate) async fn prune(session: &mut Session, retention: Retention) -> Result<Pruned, Failure> {
    let client = session.client().await?;
    let rows = retention.rows_max;
    let statements = async {
        let age = retention.events.as_secs_f64();
        let events = sql::prune_outbox().bind(client, &age, &rows).all().await?;
        let age = retention.keys.as_secs_f64();
        let keys = sql::prune_keys().bind(client, &age, &rows).all().await?;
        let age = retention.dead_letters.as_secs_f64();
        let letters = sql::prune_dead_letters()
            .bind(client, &age, &rows)
            .all()
            .await?;
        Ok((events.len(), keys.len(), letters.len()))
    };
    match timeout(ROUND_DEADLINE, statements).await {
        Ok(Ok((events, keys, dead_letters))) => {
            let full = usize::try_from(rows).unwrap_or(usize::MAX);
            Ok(Pruned {
                events,
                keys,
                dead_letters,
                more: events.max(keys).max(dead_letters) >= full,
            })
        }
        Ok(Err(error)) => Err(session.judge(&error)),
        Err(_elapsed) => Err(session.overdue()),
    }
}
