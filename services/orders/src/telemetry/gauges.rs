//! What operators watch in the database and beside it, read every few seconds by four light queries; not while the database is away.

use std::time::Duration;

use jetstream::{BusState, Connection};
use opentelemetry::metrics::Gauge;
use opentelemetry::{KeyValue, global};
use orders_sql::queries::telemetry as sql;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::store::OrderStore;

/// As often as metrics leave by default.
const LOOK_EVERY: Duration = Duration::from_secs(5);

struct Gauges {
    active: Gauge<i64>,
    oldest_age: Gauge<f64>,
    stuck: Gauge<i64>,
    unpublished: Gauge<i64>,
    lag: Gauge<f64>,
    letters: Gauge<i64>,
    database: Gauge<u64>,
    bus: Gauge<u64>,
}

impl Gauges {
    fn new() -> Self {
        let meter = global::meter("shopapi-orders");
        let count = |name, about| meter.i64_gauge(name).with_description(about).build();
        let seconds = |name, about| {
            let gauge = meter.f64_gauge(name).with_unit("s");
            gauge.with_description(about).build()
        };
        let truth = |name, about| meter.u64_gauge(name).with_description(about).build();
        Self {
            active: count("saga_active", "Sagas under way, by their step"),
            oldest_age: seconds("saga_oldest_age", "Age of the oldest saga under way"),
            stuck: count(
                "saga_stuck",
                "Sagas that wait for an operator, by their reason",
            ),
            unpublished: count("outbox_unpublished", "Events committed and not published"),
            lag: seconds(
                "outbox_lag",
                "Age of the oldest event that is not published",
            ),
            letters: count("dead_letters", "Dead letters by their state"),
            database: truth("database_connected", "Whether the database answers"),
            bus: truth("bus_connected", "Whether the bus is connected"),
        }
    }

    /// One look. An error leaves what was seen last; whether the database answers is a gauge of its own.
    async fn look(&self, store: &OrderStore) -> Result<(), order_saga::StoreUnavailable> {
        let client = store.client().await?;
        let reads = async {
            let active = sql::active_sagas().bind(&client).one().await?;
            let stuck = sql::stuck_sagas().bind(&client).one().await?;
            let outbox = sql::outbox_backlog().bind(&client).one().await?;
            let letters = sql::letters_by_state().bind(&client).one().await?;
            Ok((active, stuck, outbox, letters))
        };
        let read = store.bounded(reads).await;
        let (active, stuck, outbox, letters) = store.settle(client, read)?;
        for (step, count) in [
            ("reserving", active.reserving),
            ("awaiting_payment", active.awaiting_payment),
            ("voiding", active.voiding),
            ("releasing", active.releasing),
            ("committing", active.committing),
            ("committing_for_refund", active.committing_for_refund),
            ("releasing_for_refund", active.releasing_for_refund),
            ("refunding", active.refunding),
            ("settling", active.settling),
        ] {
            self.active.record(count, &[KeyValue::new("step", step)]);
        }
        self.oldest_age.record(active.oldest_age_secs, &[]);
        for (reason, count) in [
            ("commit_refused", stuck.commit_refused),
            ("release_refused", stuck.release_refused),
            ("refund_refused", stuck.refund_refused),
            ("payment_mismatch", stuck.payment_mismatch),
            ("call_refused", stuck.call_refused),
            ("poison", stuck.poison),
        ] {
            self.stuck.record(count, &[KeyValue::new("reason", reason)]);
        }
        self.unpublished.record(outbox.unpublished, &[]);
        self.lag.record(outbox.lag_secs, &[]);
        for (state, count) in [
            ("open", letters.open),
            ("replayed", letters.replayed),
            ("discarded", letters.discarded),
        ] {
            self.letters.record(count, &[KeyValue::new("state", state)]);
        }
        Ok(())
    }
}

/// Looks until the guard is dropped.
pub(crate) fn watch(store: OrderStore, bus: Connection) -> DropGuard {
    let stop = CancellationToken::new();
    let look = async move {
        super::born();
        let gauges = Gauges::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let connected = bus.state() == BusState::Connected;
            gauges.bus.record(u64::from(connected), &[]);
            let answers = gauges.look(&store).await.is_ok();
            gauges.database.record(u64::from(answers), &[]);
        }
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(look));
    stop.drop_guard()
}
