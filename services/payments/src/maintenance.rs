//! Forgets what has a retention: published events, old dead letters, the provider's counts. The books are kept for ever.

use std::time::Duration;

use actor_kit::{ActorError, StopSignal};
use payments_sql::queries::maintenance::{prune_dead_letters, prune_outbox};
use payments_sql::queries::provider::prune_calls;
use shopapi_postgres::{Client, PgConfig};
use tracing::{debug, warn};

use crate::config::Limits;
use crate::database::Database;

/// Statements of one kind in a row; what is left waits for the next round, so that pruning never competes for long.
const ROUNDS_MAX: usize = 20;

#[derive(Clone, Copy, Debug)]
enum Prune {
    Outbox,
    DeadLetters,
    ProviderCalls,
}

impl Prune {
    fn retention(self, limits: &Limits) -> Duration {
        match self {
            Self::Outbox => limits.outbox_retention,
            Self::DeadLetters => limits.dead_letter_retention,
            Self::ProviderCalls => limits.provider_calls_retention,
        }
    }

    /// Deletes up to `rows_max` rows older than `age`; how many it were.
    async fn run(
        self,
        client: &Client,
        age: f64,
        rows_max: i64,
    ) -> Result<usize, tokio_postgres::Error> {
        let ids = match self {
            Self::Outbox => prune_outbox().bind(client, &age, &rows_max).all().await?,
            Self::DeadLetters => {
                prune_dead_letters()
                    .bind(client, &age, &rows_max)
                    .all()
                    .await?
            }
            Self::ProviderCalls => prune_calls().bind(client, &age, &rows_max).all().await?,
        };
        Ok(ids.len())
    }
}

/// Prunes until told to stop. A database that is away is waited for.
pub(crate) async fn run(
    database: PgConfig,
    provider: PgConfig,
    limits: Limits,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let mut ours = Database::new(&database, "payments maintenance");
    let mut theirs = Database::new(&provider, "provider maintenance");
    loop {
        // First the pause: a start has better things to do, and the jitter keeps replicas apart.
        let pause = limits
            .prune_every
            .mul_f64(0.75 + 0.5 * rand::random::<f64>());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        prune(&mut ours, Prune::Outbox, &limits).await;
        prune(&mut ours, Prune::DeadLetters, &limits).await;
        prune(&mut theirs, Prune::ProviderCalls, &limits).await;
    }
}

async fn prune(database: &mut Database, what: Prune, limits: &Limits) {
    let age_secs = what.retention(limits).as_secs_f64();
    let mut total = 0;
    for _ in 0..ROUNDS_MAX {
        let Ok(client) = database.client().await else {
            return;
        };
        match Database::bounded(what.run(client, age_secs, limits.prune_rows_max)).await {
            Ok(rows) => {
                total += rows;
                if i64::try_from(rows).is_ok_and(|rows| rows < limits.prune_rows_max) {
                    break;
                }
            }
            Err(trouble) => {
                let failure = database.judge(&trouble);
                warn!(?what, %failure, "pruning failed");
                return;
            }
        }
    }
    if total > 0 {
        debug!(?what, rows = total, "pruned");
    }
}
