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

#[cfg(test)]
mod tests {
    use super::*;
    use devstack::{SUPERUSER, TestStack};

    #[tokio::test]
    async fn only_what_is_done_and_old_is_forgotten() {
        let stack = TestStack::migrated().await.unwrap();
        let books = stack
            .cluster
            .connect(SUPERUSER, "paymentsdb")
            .await
            .unwrap();
        let provider = stack
            .cluster
            .connect(SUPERUSER, "providerdb")
            .await
            .unwrap();
        // UUIDv7s of 2001 and of 2109: their age is in the key.
        let old = "00e40000-0000-7000-8000-";
        let young = "04000000-0000-7000-8000-";
        books
            .batch_execute(&format!(
                "INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload, published_at)
                 VALUES ('{old}000000000001', 1, 1, 's', 1, '', now()),
                        ('{old}000000000002', 2, 1, 's', 1, '', NULL),
                        ('{young}000000000003', 3, 1, 's', 1, '', now());
                 INSERT INTO dead_letters (letter_id, stream, consumer, subject, reason, detail, delivered, payload, payload_bytes, created_at)
                 SELECT gen_random_uuid(), 's', 'c', 's', 'poison', 'd', 1, '', 0, now() - make_interval(days => age)
                 FROM unnest(ARRAY[1, 29, 31, 90]) age;"
            ))
            .await
            .unwrap();
        provider
            .batch_execute(
                "INSERT INTO provider_calls (idempotency_key, calls, created_at)
                 SELECT gen_random_uuid(), 1, now() - make_interval(days => age) FROM unnest(ARRAY[1, 8]) age;",
            )
            .await
            .unwrap();
        let config = |service| PgConfig::parse(&stack.url(service), "test").unwrap();
        let mut ours = Database::new(&config("payments"), "test");
        let mut theirs = Database::new(&config("provider"), "test");
        // One row at a time, so that the loop over full statements is walked.
        let limits = Limits {
            prune_rows_max: 1,
            ..Limits::default()
        };

        prune(&mut ours, Prune::Outbox, &limits).await;
        prune(&mut ours, Prune::DeadLetters, &limits).await;
        prune(&mut theirs, Prune::ProviderCalls, &limits).await;

        let orders = "SELECT order_id FROM outbox ORDER BY order_id";
        let left = books.query(orders, &[]).await.unwrap();
        let left: Vec<i64> = left.iter().map(|row| row.get(0)).collect();
        assert_eq!(left, [2, 3], "the unpublished and the young one");
        let letters = books.query("SELECT FROM dead_letters", &[]).await.unwrap();
        assert_eq!(letters.len(), 2);
        let calls = provider
            .query("SELECT FROM provider_calls", &[])
            .await
            .unwrap();
        assert_eq!(calls.len(), 1);
    }
}
