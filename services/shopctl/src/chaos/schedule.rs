//! What happens when, from a seed. Pure.

use std::fmt;
use std::time::Duration;

use crate::random::Random;

/// Nothing before: the load is under way by then.
const FIRST_AFTER_MS: u64 = 2_000;
/// Between two faults: some fall into the recovery from the one before, some find everything well.
const GAP_MIN_MS: u64 = 1_000;
const GAP_MAX_MS: u64 = 4_000;
/// From a pause that nobody notices to one that pings, deadlines and leases all see.
const FREEZE_MIN_MS: u64 = 500;
const FREEZE_MAX_MS: u64 = 12_000;

/// One thing done to the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// SIGKILL; the process is started again as a platform would.
    Kill(String),
    /// SIGSTOP.
    Freeze(String),
    /// SIGCONT.
    Thaw(String),
    /// NATS is killed, loses every stream and consumer, and starts empty.
    WipeNats,
    /// PostgreSQL restarts in good order and cuts every connection.
    RestartPostgres,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(process) => write!(f, "kill -9 {process}"),
            Self::Freeze(process) => write!(f, "SIGSTOP {process}"),
            Self::Thaw(process) => write!(f, "SIGCONT {process}"),
            Self::WipeNats => write!(f, "wipe NATS"),
            Self::RestartPostgres => write!(f, "restart PostgreSQL"),
        }
    }
}

/// An act and its time after the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) act: Act,
}

/// The acts of a seed in the order of their times. Whoever is frozen is let alone until it goes on, which it does before the end.
pub(super) fn schedule(seed: u64, lasting: Duration, processes: &[String]) -> Vec<Planned> {
    let mut random = Random::new(seed);
    let end_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
    let mut planned: Vec<(u64, Act)> = Vec::new();
    let mut frozen: Vec<(u64, String)> = Vec::new();
    let mut at_ms = FIRST_AFTER_MS;
    while at_ms < end_ms {
        frozen.retain(|(until_ms, _)| *until_ms > at_ms);
        let free: Vec<&String> = processes
            .iter()
            .filter(|process| frozen.iter().all(|(_, name)| name != *process))
            .collect();
        let kind = random.below(20);
        match (kind, random.pick(&free)) {
            (0..9, Some(process)) => planned.push((at_ms, Act::Kill((*process).clone()))),
            (9..15, Some(process)) => {
                let lasts_ms = FREEZE_MIN_MS + random.below(FREEZE_MAX_MS - FREEZE_MIN_MS);
                let until_ms = end_ms.min(at_ms + lasts_ms);
                planned.push((at_ms, Act::Freeze((*process).clone())));
                planned.push((until_ms, Act::Thaw((*process).clone())));
                frozen.push((until_ms, (*process).clone()));
            }
            (15..18, _) => planned.push((at_ms, Act::WipeNats)),
            _ => planned.push((at_ms, Act::RestartPostgres)),
        }
        at_ms += GAP_MIN_MS + random.below(GAP_MAX_MS - GAP_MIN_MS);
    }
    // Stable: what is planned first at one time is done first.
    planned.sort_by_key(|(at_ms, _)| *at_ms);
    planned
        .into_iter()
        .map(|(at_ms, act)| Planned {
            at: Duration::from_millis(at_ms),
            act,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn processes() -> Vec<String> {
        ["orders-1", "orders-2", "payments-1", "payments-2"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn a_seed_repeats_its_schedule() {
        let of = |seed| schedule(seed, Duration::from_secs(300), &processes());
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn whoever_is_frozen_is_let_alone_and_thawed_before_the_end() {
        let lasting = Duration::from_secs(120);
        for seed in 0..200 {
            let mut frozen = BTreeSet::new();
            for Planned { at, act } in schedule(seed, lasting, &processes()) {
                assert!(at <= lasting);
                match act {
                    Act::Freeze(process) => assert!(frozen.insert(process)),
                    Act::Thaw(process) => assert!(frozen.remove(&process)),
                    Act::Kill(process) => assert!(!frozen.contains(&process), "seed {seed}"),
                    Act::WipeNats | Act::RestartPostgres => {}
                }
            }
            assert_eq!(frozen, BTreeSet::new(), "seed {seed}");
        }
    }

    #[test]
    fn every_kind_of_fault_happens_in_five_minutes() {
        let planned = schedule(1, Duration::from_secs(300), &processes());
        let has = |wanted: fn(&Act) -> bool| planned.iter().any(|planned| wanted(&planned.act));
        assert!(has(|act| matches!(act, Act::Kill(_))));
        assert!(has(|act| matches!(act, Act::Freeze(_))));
        assert!(has(|act| matches!(act, Act::WipeNats)));
        assert!(has(|act| matches!(act, Act::RestartPostgres)));
    }
}
