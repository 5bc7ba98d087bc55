//! Mechanical faults: every effect of every journey fails, is repeated, and is lost in a crash.
//!
//! ```text
//!   journeys ──▶ run without a fault ──▶ how many effects, how many commits
//!                                             │ one run per index and fault
//!                                             ▼
//!                fail: the call is lost │ its answer is lost │ the write is lost
//!                repeat: executed and answered twice │ written, published and delivered twice
//!                crash: committed, and everything in memory is gone
//! ```
//!
//! Nobody lists the places: they are counted. The variants of both effect types are matched without a wildcard, so that a new effect does
//! not compile until [`cases`] says which journeys reach it.
//!
//! The saga's decisions are the shipped `accept`, `step` and `resume`; its neighbours decide by the shipped rules of stock and payment.
//! What happens when is fixed: memory first, then the bus, then payments' own work, then the deadline. The model check has the other orders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::allow_attributes,
    clippy::disallowed_macros,
    reason = "tests fail by panicking, and this one prints what it has injected"
)]

mod cases;
mod check;
#[path = "../model/glue.rs"]
#[allow(dead_code, reason = "the model check needs more of it")]
mod glue;
mod journeys;
mod money;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use cases::{DURABLE, Kind, VOLATILE};
use journeys::{End, JOURNEYS, Journey};
use world::{Place, Plant, Ran, run, run_planted};

/// All of one journey's faults, singly.
fn places(plain: &Ran) -> Vec<Place> {
    let at_effects = (0..plain.effects.len()).flat_map(|at| {
        [
            Place::CallLost(at),
            Place::AnswerLost(at),
            Place::EffectTwice(at),
        ]
    });
    let at_commits = (0..plain.commits).flat_map(|at| {
        [
            Place::WriteLost(at),
            Place::CommitTwice(at),
            Place::Crash(at),
        ]
    });
    at_effects.chain(at_commits).collect()
}

/// The journey's end, or one that its table allows.
fn assert_allowed(journey: &Journey, faults: &[Place], ran: &Ran, others: &mut BTreeSet<String>) {
    if ran.end == journey.end {
        return;
    }
    let allowed = journey.or.iter().find(|(end, _)| *end == ran.end);
    let Some((end, why)) = allowed else {
        panic!("{}: {faults:?} ends as {:?}", journey.name, ran.end);
    };
    others.insert(format!("{}: {end:?}, because {why}", journey.name));
}

#[test]
fn every_journey_ends_as_its_table_says() {
    for journey in JOURNEYS {
        let ran = run(journey, &[]);
        assert_eq!(ran.end, journey.end, "{}", journey.name);
        assert_eq!(ran.injected, BTreeMap::new());
    }
}

#[test]
fn every_effect_is_reached_by_the_journeys_that_its_case_names() {
    let reached: BTreeMap<&str, Ran> = JOURNEYS
        .iter()
        .map(|journey| (journey.name, run(journey, &[])))
        .collect();
    for case in VOLATILE {
        for journey in case.journeys {
            let effects = &reached[journey].effects;
            assert!(effects.contains(&case.name), "{journey}: no {}", case.name);
        }
    }
    for case in DURABLE {
        for journey in case.journeys {
            let rows = &reached[journey].rows;
            assert!(rows.contains(case.name), "{journey}: no {}", case.name);
        }
    }
}

#[test]
fn every_single_fault_is_healed() {
    let (mut runs, mut places_seen) = (0, 0);
    let mut injected: BTreeMap<(&str, Kind), usize> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for journey in JOURNEYS {
        let plain = run(journey, &[]);
        places_seen += plain.effects.len() + plain.commits;
        for place in places(&plain) {
            let ran = run(journey, &[place]);
            assert!(
                ran.unmet.is_empty(),
                "{}: {place:?} never came",
                journey.name
            );
            assert_allowed(journey, &[place], &ran, &mut others);
            for (what, times) in ran.injected {
                *injected.entry(what).or_default() += times;
            }
            runs += 1;
        }
    }
    let journeys = JOURNEYS.len();
    println!("{journeys} journeys, {places_seen} places, {runs} runs with one fault");
    for case in VOLATILE.iter().chain(DURABLE) {
        let times = Kind::ALL.map(|kind| injected.get(&(case.name, kind)).copied().unwrap_or(0));
        let [fail, repeat, crash] = times;
        println!(
            "{:<16} fail {fail:>4}  repeat {repeat:>4}  crash {crash:>4}",
            case.name
        );
        assert!(
            times.iter().all(|times| *times > 0),
            "{}: {times:?}",
            case.name
        );
    }
    for other in others {
        println!("also {other}");
    }
}

/// The table allows no end that nothing leads to.
#[test]
fn every_other_end_of_the_table_is_met() {
    for journey in JOURNEYS {
        let ends: Vec<End> = places(&run(journey, &[]))
            .into_iter()
            .map(|place| run(journey, &[place]).end)
            .collect();
        for (end, _) in journey.or {
            assert!(ends.contains(end), "{}: never {end:?}", journey.name);
        }
    }
}

#[test]
fn every_pair_of_faults_is_healed() {
    let mut runs = 0;
    let mut others = BTreeSet::new();
    for journey in JOURNEYS {
        let places = places(&run(journey, &[]));
        for (at, first) in places.iter().enumerate() {
            for second in &places[at + 1..] {
                let faults = [*first, *second];
                let ran = run(journey, &faults);
                assert_allowed(journey, &faults, &ran, &mut others);
                runs += 1;
            }
        }
    }
    println!("{runs} runs with two faults");
}

/// Each mistake goes unseen while all goes well, and some fault shows it.
#[test]
fn every_planted_mistake_is_found_by_a_fault() {
    let paid = &JOURNEYS[0];
    let places = places(&run(paid, &[]));
    for plant in Plant::ALL {
        assert_eq!(run_planted(paid, &[], Some(plant)).end, paid.end);
        let found: Vec<&Place> = places
            .iter()
            .filter(|place| {
                let faulty = || run_planted(paid, &[**place], Some(plant)).end;
                std::panic::catch_unwind(faulty).is_err()
            })
            .collect();
        println!("{plant:?} is found by {found:?}");
        assert!(!found.is_empty(), "{plant:?}");
    }
}
