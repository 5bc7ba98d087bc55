//! How long statements take: `db_client_operation_duration_seconds{db_operation_name}`.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Instant;

use opentelemetry::metrics::Histogram;
use opentelemetry::{KeyValue, global};

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
