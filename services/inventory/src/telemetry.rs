//! What the service counts. One place, so that the promised names are in one place.

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};
use stock::{CommitAnswer, ReleaseAnswer, ReleaseEffect, ReserveAnswer};

/// The counters of the service. The exporter appends `_total`.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    reserve: Counter<u64>,
    release: Counter<u64>,
    commit: Counter<u64>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        let meter = global::meter("shopapi-inventory");
        let counter = |name, about| meter.u64_counter(name).with_description(about).build();
        Self {
            reserve: counter("inventory_reserve", "Reserve commands by what came of them"),
            release: counter("inventory_release", "Release commands by what came of them"),
            commit: counter("inventory_commit", "Commit commands by what came of them"),
        }
    }

    pub(crate) fn reserved<E>(&self, answer: &Result<ReserveAnswer, E>) {
        self.reserve
            .add(1, &[KeyValue::new("result", reserve_result(answer))]);
    }

    pub(crate) fn released<E>(&self, answer: &Result<ReleaseAnswer, E>) {
        self.release
            .add(1, &[KeyValue::new("result", release_result(answer))]);
    }

    pub(crate) fn committed<E>(&self, answer: &Result<CommitAnswer, E>) {
        self.commit
            .add(1, &[KeyValue::new("result", commit_result(answer))]);
    }
}

fn reserve_result<E>(answer: &Result<ReserveAnswer, E>) -> &'static str {
    match answer {
        Ok(ReserveAnswer::Held { repeat: false, .. }) => "held",
        Ok(ReserveAnswer::Refused { repeat: false, .. }) => "refused",
        Ok(
            ReserveAnswer::Held { repeat: true, .. }
            | ReserveAnswer::Refused { repeat: true, .. }
            | ReserveAnswer::Ended(_),
        ) => "duplicate",
        Ok(ReserveAnswer::Conflict) | Err(_) => "error",
    }
}

fn release_result<E>(answer: &Result<ReleaseAnswer, E>) -> &'static str {
    match answer {
        Ok(ReleaseAnswer::Released(ReleaseEffect::GaveBack)) => "released",
        Ok(ReleaseAnswer::Released(ReleaseEffect::Tombstone)) => "tombstone",
        // A refusal holds nothing from the start: to release it is to repeat what already holds.
        Ok(ReleaseAnswer::Released(ReleaseEffect::Repeat) | ReleaseAnswer::NothingHeld) => {
            "duplicate"
        }
        Ok(ReleaseAnswer::Sold | ReleaseAnswer::Conflict | ReleaseAnswer::BooksBroken(_))
        | Err(_) => "error",
    }
}

fn commit_result<E>(answer: &Result<CommitAnswer, E>) -> &'static str {
    match answer {
        Ok(CommitAnswer::Committed { repeat: false }) => "committed",
        Ok(CommitAnswer::Committed { repeat: true }) => "duplicate",
        Ok(
            CommitAnswer::NotHeld(_)
            | CommitAnswer::Missing
            | CommitAnswer::Conflict
            | CommitAnswer::BooksBroken(_),
        )
        | Err(_) => "error",
    }
}
