//! What the service counts. One place, so that the promised names are in one place.
//!
//! **Once per outcome.** A command counts when the batch that decided it is committed; a repeat of a command that was decided before is a
//! `duplicate`. `error` is a command whose caller got no decision.

use opentelemetry::metrics::Counter;
use opentelemetry::{KeyValue, global};
use stock::{Answer, CommitAnswer, ReleaseAnswer, ReleaseEffect, ReserveAnswer};

/// The counters of the service. The exporter appends `_total`.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    reserve: Counter<u64>,
    release: Counter<u64>,
    commit: Counter<u64>,
    violations: Counter<u64>,
}

/// A reservation that the stock does not cover.
const BOOKS_BROKEN: &str = "books_broken";

impl Counters {
    pub(crate) fn new() -> Self {
        let meter = global::meter("shopapi-inventory");
        let counter = |name, about| meter.u64_counter(name).with_description(about).build();
        let counters = Self {
            reserve: counter("inventory_reserve", "Reserve commands by what came of them"),
            release: counter("inventory_release", "Release commands by what came of them"),
            commit: counter("inventory_commit", "Commit commands by what came of them"),
            violations: counter(
                "invariant_violations",
                "What must not happen and did, by its kind",
            ),
        };
        counters
            .violations
            .add(0, &[KeyValue::new("kind", BOOKS_BROKEN)]);
        born(&counters.reserve, &["held", "refused"]);
        born(&counters.release, &["released", "tombstone"]);
        born(&counters.commit, &["committed"]);
        counters
    }

    /// A command is decided and committed, once.
    pub(crate) fn decided(&self, answer: &Answer) {
        let (counter, result) = match answer {
            Answer::Reserve(answer) => (&self.reserve, reserve_result(answer)),
            Answer::Release(answer) => (&self.release, release_result(answer)),
            Answer::Commit(answer) => (&self.commit, commit_result(answer)),
        };
        counter.add(1, &[KeyValue::new("result", result)]);
    }

    /// Somebody changed the stock by hand, or we did it wrong.
    pub(crate) fn books_broken(&self) {
        self.violations
            .add(1, &[KeyValue::new("kind", BOOKS_BROKEN)]);
    }

    pub(crate) fn reserve_failed<A, E>(&self, answer: &Result<A, E>) {
        failed(&self.reserve, answer.is_err());
    }

    pub(crate) fn release_failed<A, E>(&self, answer: &Result<A, E>) {
        failed(&self.release, answer.is_err());
    }

    pub(crate) fn commit_failed<A, E>(&self, answer: &Result<A, E>) {
        failed(&self.commit, answer.is_err());
    }
}

/// Every result is there from the start: a rise from nothing at all is no rise to Prometheus.
fn born(counter: &Counter<u64>, results: &[&'static str]) {
    for result in results.iter().chain(&["duplicate", "error"]) {
        counter.add(0, &[KeyValue::new("result", *result)]);
    }
}

/// A command without a decision, as far as its caller learns.
fn failed(counter: &Counter<u64>, is_failed: bool) {
    if is_failed {
        counter.add(1, &[KeyValue::new("result", "error")]);
    }
}

fn reserve_result(answer: &ReserveAnswer) -> &'static str {
    match answer {
        ReserveAnswer::Held { repeat: false, .. } => "held",
        ReserveAnswer::Refused { repeat: false, .. } => "refused",
        ReserveAnswer::Held { repeat: true, .. }
        | ReserveAnswer::Refused { repeat: true, .. }
        | ReserveAnswer::Ended(_) => "duplicate",
        ReserveAnswer::Conflict => "error",
    }
}

fn release_result(answer: &ReleaseAnswer) -> &'static str {
    match answer {
        ReleaseAnswer::Released(ReleaseEffect::GaveBack) => "released",
        ReleaseAnswer::Released(ReleaseEffect::Tombstone) => "tombstone",
        // A refusal holds nothing from the start: to release it is to repeat what already holds.
        ReleaseAnswer::Released(ReleaseEffect::Repeat) | ReleaseAnswer::NothingHeld => "duplicate",
        ReleaseAnswer::Sold | ReleaseAnswer::Conflict | ReleaseAnswer::BooksBroken(_) => "error",
    }
}

fn commit_result(answer: &CommitAnswer) -> &'static str {
    match answer {
        CommitAnswer::Committed { repeat: false } => "committed",
        CommitAnswer::Committed { repeat: true } => "duplicate",
        CommitAnswer::NotHeld(_)
        | CommitAnswer::Missing
        | CommitAnswer::Conflict
        | CommitAnswer::BooksBroken(_) => "error",
    }
}
