//! Puts the demo users of a development stack into the database, once, and forgets logins that expired long ago.
//!
//! ```text
//!   start ─▶ Due ─▶ task: seed what is missing, then two bounded DELETEs, on its own connection ─▶ Done ─▶ timer ─▶ Due
//! ```
//!
//! Several replicas may do so at once: whoever comes second finds nothing to do. A lost database means that the next round tries again;
//! until the seeds are in, the service is not ready. After a crash the first round comes at once, and finds the seeds there.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Generation, TaskPanicked, Timer};
use gateway_sql::queries::{accounts, maintenance as sql};
use shopapi_auth::{DemoUser, PasswordPool};
use shopapi_health::Gate;
use shopapi_postgres::{Disconnected, Failure, FailureClass, PgConfig, Session};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::config::Limits;

/// Pause while there is more to do, or the database is away with seeds to come.
const SHORT_PAUSE: Duration = Duration::from_millis(200);
/// The longest a round may take: a handful of password hashes and bounded DELETEs.
const ROUND_DEADLINE: Duration = Duration::from_secs(30);

/// What the actor tells itself. Nobody else talks to it.
#[derive(Debug)]
pub(crate) enum MaintenanceMsg {
    /// The pause is over.
    Due(Generation),
    /// A round has ended.
    Done(Result<Box<Round>, TaskPanicked>),
}

/// One round, with the connection it used.
#[derive(Debug)]
pub(crate) struct Round {
    session: Result<Session, Disconnected>,
    outcome: Result<Forgotten, Failure>,
}

/// Rows that a round removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forgotten {
    tokens: usize,
    logins: usize,
    /// A statement was full: there is more.
    more: bool,
}

/// What is seeded, and where that is told.
#[derive(Clone, Debug)]
pub(crate) struct Seeds {
    pub(crate) users: Vec<DemoUser>,
    pub(crate) passwords: PasswordPool,
    /// Open once they are in.
    pub(crate) done: Gate,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct Maintenance {
    /// Absent while a round runs.
    session: Option<Result<Session, Disconnected>>,
    timer: Timer,
    seeds: Seeds,
    limits: Limits,
}

impl Maintenance {
    pub(crate) fn new(database: &PgConfig, seeds: Seeds, limits: Limits) -> Self {
        Self {
            session: Some(Session::new(database)),
            timer: Timer::default(),
            seeds,
            limits,
        }
    }

    fn on_due(&mut self, ctx: &Ctx<Self>) {
        if let Some(session) = self.session.take() {
            let round = run_round(session, self.seeds.clone(), self.limits);
            ctx.spawn_then(round, MaintenanceMsg::Done);
        }
    }

    fn on_done(
        &mut self,
        ctx: &Ctx<Self>,
        round: Result<Box<Round>, TaskPanicked>,
    ) -> Result<(), ActorError> {
        let Round { session, outcome } = *round?;
        self.session = Some(session);
        let pause = match outcome {
            Ok(Forgotten {
                tokens,
                logins,
                more,
            }) => {
                if tokens + logins > 0 {
                    info!(tokens, logins, "expired logins forgotten");
                }
                if more {
                    SHORT_PAUSE
                } else {
                    self.limits.prune_interval
                }
            }
            Err(failure) => {
                warn!(%failure, "accounts were not maintained");
                if self.seeds.done.is_open() {
                    self.limits.prune_interval
                } else {
                    SHORT_PAUSE
                }
            }
        };
        self.timer.arm(ctx, pause, MaintenanceMsg::Due);
        Ok(())
    }
}

impl Actor for Maintenance {
    type Msg = MaintenanceMsg;

    async fn started(&mut self, ctx: &Ctx<Self>) -> Result<(), ActorError> {
        self.timer.arm(ctx, Duration::ZERO, MaintenanceMsg::Due);
        Ok(())
    }

    async fn handle(&mut self, ctx: &Ctx<Self>, message: MaintenanceMsg) -> Result<(), ActorError> {
        match message {
            MaintenanceMsg::Due(generation) => {
                if self.timer.is_current(generation) {
                    self.on_due(ctx);
                }
            }
            MaintenanceMsg::Done(round) => self.on_done(ctx, round)?,
        }
        Ok(())
    }
}

async fn run_round(
    mut session: Result<Session, Disconnected>,
    seeds: Seeds,
    limits: Limits,
) -> Box<Round> {
    let outcome = match &mut session {
        Ok(session) => {
            let work = work(session, &seeds, &limits);
            match timeout(ROUND_DEADLINE, work).await {
                Ok(outcome) => outcome,
                Err(_elapsed) => Err(session.overdue()),
            }
        }
        Err(gone) => Err(gone.clone().into()),
    };
    Box::new(Round { session, outcome })
}

async fn work(session: &mut Session, seeds: &Seeds, limits: &Limits) -> Result<Forgotten, Failure> {
    if !seeds.done.is_open() {
        seed(session, seeds).await?;
        seeds.done.open();
    }
    let client = session.client().await?;
    let (age, rows) = (
        limits.login_retention.as_secs_f64(),
        i64::from(limits.prune_rows_max),
    );
    let statements = async {
        let tokens = sql::prune_tokens().bind(client, &age, &rows).all().await?;
        let logins = sql::prune_families()
            .bind(client, &age, &rows)
            .all()
            .await?;
        Ok((tokens.len(), logins.len()))
    };
    let (tokens, logins) = statements.await.map_err(|error| session.judge(&error))?;
    let full = usize::try_from(limits.prune_rows_max).unwrap_or(usize::MAX);
    Ok(Forgotten {
        tokens,
        logins,
        more: tokens >= full || logins >= full,
    })
}

/// Adds the demo users that are missing. One that is there keeps its password: the database is the truth.
async fn seed(session: &mut Session, seeds: &Seeds) -> Result<(), Failure> {
    for user in &seeds.users {
        let email = user.email.as_str();
        let client = session.client().await?;
        let found = accounts::find_account().bind(client, &email).opt().await;
        if found.map_err(|error| session.judge(&error))?.is_some() {
            continue;
        }
        let hash = seeds.passwords.hash(user.password.clone()).await;
        let hash = hash.map_err(|error| Failure {
            class: FailureClass::Other,
            text: error.to_string(),
        })?;
        let client = session.client().await?;
        let seeded = sql::seed_account()
            .bind(client, &user.customer.0, &email, &hash.as_str())
            .opt()
            .await;
        let seeded = seeded.map_err(|error| session.judge(&error))?;
        info!(customer = %user.customer, added = seeded.is_some(), "demo user seeded");
    }
    Ok(())
}
