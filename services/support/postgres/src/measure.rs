//! How long statements take: `db_client_operation_duration_seconds{db_operation_name}`, and whether a database answers: `database_connected`.

use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};
use tokio::time::MissedTickBehavior;

use crate::ReadPool;

/// As often as metrics leave by default.
const LOOK_EVERY: Duration = Duration::from_secs(5);

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("shopapi-postgres")
        .f64_histogram("db.client.operation.duration")
        .with_unit("s")
        .with_description("How long a database operation took, whatever it ended with")
        .build()
});

/// Runs `statement` and measures it under its operation's name. One that is dropped before its end is not measured.
pub fn timed<T, F: Future<Output = T>>(
    operation: &'static str,
    statement: F,
) -> impl Future<Output = T> + use<T, F> {
    // Boxed: kept in place, the statements of every caller would lie in its future twice.
    let statement = Box::pin(statement);
    async move {
        let began = Instant::now();
        let ended = statement.await;
        let attributes = [
            KeyValue::new("db.operation.name", operation),
            KeyValue::new("db.system.name", "postgresql"),
        ];
        DURATION.record(began.elapsed().as_secs_f64(), &attributes);
        ended
    }
}

/// Tells every few seconds whether the database answers, for as long as it is polled. For services that watch nothing else in it.
pub async fn watch_connected(pool: ReadPool) {
    let connected = global::meter("shopapi-postgres")
        .u64_gauge("database_connected")
        .with_description("Whether the database answers")
        .build();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        connected.record(u64::from(pool.ping().await.is_ok()), &[]);
    }
}
