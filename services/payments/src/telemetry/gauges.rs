//! What operators watch in the database and beside it, read every few seconds by three light queries; not while the database is away.

use std::time::Duration;

use jetstream::{BusState, Connection};
use opentelemetry::metrics::Gauge;
use opentelemetry::{KeyValue, global};
use payments_sql::queries::telemetry as sql;
use shopapi_postgres::{Client, ReadPool};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::database::{Database, Trouble};

/// As often as metrics leave by default.
const LOOK_EVERY: Duration = Duration::from_secs(5);

struct Gauges {
    unpublished: Gauge<i64>,
    lag: Gauge<f64>,
    letters: Gauge<i64>,
    refused: Gauge<i64>,
    database: Gauge<u64>,
    bus: Gauge<u64>,
}

/// The database does not answer; who asks again logs it.
struct Away;

impl Gauges {
    fn new() -> Self {
        let meter = global::meter("shopapi-payments");
        let count = |name, about| meter.i64_gauge(name).with_description(about).build();
        let truth = |name, about| meter.u64_gauge(name).with_description(about).build();
        Self {
            unpublished: count("outbox_unpublished", "Events committed and not published"),
            lag: meter
                .f64_gauge("outbox_lag")
                .with_unit("s")
                .with_description("Age of the oldest event that is not published")
                .build(),
            letters: count("dead_letters", "Dead letters by their state"),
            refused: count("refunds_refused", "Payments whose last refund was refused"),
            database: truth("database_connected", "Whether the database answers"),
            bus: truth("bus_connected", "Whether the bus is connected"),
        }
    }

    /// One look. An error leaves what was seen last; whether the database answers is a gauge of its own.
    async fn look(&self, pool: &ReadPool) -> Result<(), Away> {
        let client = pool.get().await.map_err(|_| Away)?;
        let reads = async {
            let outbox = sql::outbox_backlog().bind(&client).one().await?;
            let letters = sql::letters_by_state().bind(&client).one().await?;
            let refused = sql::refused_refunds().bind(&client).one().await?;
            Ok((outbox, letters, refused))
        };
        let (outbox, letters, refused) = match Database::bounded(reads).await {
            Ok(found) => found,
            Err(Trouble::Error(error)) => {
                pool.judge(client, &error);
                return Err(Away);
            }
            Err(Trouble::Overdue) => {
                // The server may still be at it: the connection is not given back.
                drop(Client::take(client));
                return Err(Away);
            }
        };
        self.unpublished.record(outbox.unpublished, &[]);
        self.lag.record(outbox.lag_secs, &[]);
        for (state, count) in [
            ("open", letters.open),
            ("replayed", letters.replayed),
            ("discarded", letters.discarded),
        ] {
            self.letters.record(count, &[KeyValue::new("state", state)]);
        }
        self.refused.record(refused, &[]);
        Ok(())
    }
}

/// Looks until it is stopped.
pub(crate) async fn watch(pool: ReadPool, bus: Connection, stop: CancellationToken) {
    super::born();
    let gauges = Gauges::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looks = async {
        loop {
            look.tick().await;
            let connected = bus.state() == BusState::Connected;
            gauges.bus.record(u64::from(connected), &[]);
            let answers = gauges.look(&pool).await.is_ok();
            gauges.database.record(u64::from(answers), &[]);
        }
    };
    stop.run_until_cancelled(looks).await;
}
