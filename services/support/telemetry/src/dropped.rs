//! Counts the telemetry that did not leave, and tells of it rarely.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

/// One line a minute says that telemetry is lost; the count says how much.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What one signal has lost: `telemetry_dropped_total{signal}`. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Dropped(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    signal: &'static str,
    attributes: [KeyValue; 1],
    counter: Counter<u64>,
    count: AtomicU64,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    count: u64,
    at: Option<Instant>,
    /// What the last failed export said.
    why: String,
}

impl Dropped {
    /// Call it after the meter provider is installed.
    pub(crate) fn new(signal: &'static str) -> Self {
        let attributes = [KeyValue::new("signal", signal)];
        let counter = global::meter("shopapi-telemetry")
            .u64_counter("telemetry_dropped")
            .with_description(
                "Spans, log records and metric exports that did not reach the collector",
            )
            .build();
        // Shown as 0 from the start, so that an increase can be seen.
        counter.add(0, &attributes);
        Self(Arc::new(Inner {
            signal,
            attributes,
            counter,
            count: AtomicU64::new(0),
            said: Mutex::default(),
        }))
    }

    /// Only counts: it runs where spans end, and nothing may be logged from there.
    pub(crate) fn add(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.counter.add(count, &self.0.attributes);
        self.0.count.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_because(&self, count: usize, why: &str) {
        self.add(count);
        why.clone_into(&mut self.said().why);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Logs what was lost since the last line, at most once in [`TELL_EVERY`].
    pub(crate) fn tell(&self) {
        let count = self.count();
        let why = {
            let mut said = self.said();
            let lately = said.at.is_some_and(|at| at.elapsed() < TELL_EVERY);
            if count == said.count || lately {
                return;
            }
            said.count = count;
            said.at = Some(Instant::now());
            said.why.clone()
        };
        let signal = self.0.signal;
        tracing::warn!(
            signal,
            dropped = count,
            why,
            "telemetry does not reach the collector"
        );
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
