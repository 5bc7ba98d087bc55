//! What the service counts. One place, so that the promised names are in one place.

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};

/// What came of a CreateOrder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreateResult {
    /// The order is accepted, now or by an earlier request with the same key.
    Accepted,
    /// It is accepted and the stock refused it.
    Rejected,
    /// Nothing is known to be accepted.
    Error,
}

/// The counters of the service. The exporter appends `_total`.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    created: Counter<u64>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let meter = global::meter("shopapi-orders");
        Self {
            created: meter
                .u64_counter("orders_created")
                .with_description("CreateOrder calls by what came of them")
                .build(),
        }
    }

    pub(crate) fn created(&self, result: CreateResult) {
        let result = match result {
            CreateResult::Accepted => "accepted",
            CreateResult::Rejected => "rejected",
            CreateResult::Error => "error",
        };
        self.created.add(1, &[KeyValue::new("result", result)]);
    }
}
