//! What every writer measures about itself. Without a meter provider it does nothing.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::{KeyValue, global};

/// Upper bounds of the buckets of a batch's size: one entry is an idle writer, 256 a full batch.
const ENTRIES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

pub(crate) fn meter() -> Meter {
    global::meter("actor-kit")
}

/// One writer's `batch_entries{writer}` and `batch_duration_seconds{writer}`. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct WriterMetrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    attributes: [KeyValue; 1],
    entries: Histogram<u64>,
    duration: Histogram<f64>,
}

impl WriterMetrics {
    pub(crate) fn new(writer: &str) -> Self {
        Self(Arc::new(Instruments {
            attributes: [KeyValue::new("writer", writer.to_owned())],
            entries: meter()
                .u64_histogram("batch_entries")
                .with_description("Entries in a batch of a group-commit writer")
                .with_boundaries(ENTRIES.to_vec())
                .build(),
            duration: meter()
                .f64_histogram("batch_duration")
                .with_unit("s")
                .with_description(
                    "How long a batch of a group-commit writer took, its repeats each by itself",
                )
                .build(),
        }))
    }

    pub(crate) fn batch(&self, entries: usize, took: Duration) {
        let Instruments {
            attributes,
            entries: size,
            duration,
        } = &*self.0;
        size.record(u64::try_from(entries).unwrap_or(u64::MAX), attributes);
        duration.record(took.as_secs_f64(), attributes);
    }
}
