//! Random histories: duplicates, losses, reordering, stale replicas, crashes at any point.

use proptest::prelude::*;

use proptest::test_runner::{Config, TestRunner};

use super::world::{Charge, Happening, Payment, Reservation, Rule, World};
use crate::saga::{
    CommitAnswer, Inputs, OrderStatus, Saga, SagaEvent, SagaState, SagaStep, Stepped, VoidAnswer,
    step,
};

fn happening() -> impl Strategy<Value = Happening> {
    let replica = any::<bool>;
    let outcome = prop_oneof![
        Just(Charge::Captured),
        Just(Charge::Declined),
        Just(Charge::NotCharged),
        Just(Charge::OutcomeOpen),
    ];
    prop_oneof![
        6 => (replica(), any::<bool>()).prop_map(|(replica, twice)| Happening::Ask { replica, twice }),
        2 => (replica(), any::<bool>()).prop_map(|(replica, executed)| Happening::Lose { replica, executed }),
        4 => (replica(), any::<u8>()).prop_map(|(replica, pick)| Happening::Deliver { replica, pick }),
        2 => replica().prop_map(|replica| Happening::Deadline { replica }),
        2 => replica().prop_map(|replica| Happening::Crash { replica }),
        2 => Just(Happening::Request),
        4 => outcome.prop_map(|outcome| Happening::Charge { outcome }),
        2 => any::<bool>().prop_map(|refused| Happening::SettleRefund { refused }),
        1 => replica().prop_map(|replica| Happening::Cancel { replica }),
        1 => replica().prop_map(|replica| Happening::WantsMoneyBack { replica }),
    ]
}

fn with_operators() -> impl Strategy<Value = Happening> {
    prop_oneof![
        9 => happening(),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(replica, retry)| Happening::Operator { replica, retry }),
    ]
}

/// After any history, when the faults end, the saga ends, and what it holds and owes fits its end.
fn ends_well(rule: Rule, stock_suffices: bool, history: Vec<Happening>) {
    let mut world = World::ruled_by(rule, stock_suffices);
    for happening in history {
        world.happen(happening);
    }
    assert!(world.heal(), "it does not end: {world:#?}");
    if world.is_owed() {
        return;
    }
    assert_ne!(world.stored.saga_state(), SagaState::Stuck, "{world:#?}");
    assert_ne!(world.reservation, Reservation::Held, "{world:#?}");
    match world.stored.status() {
        OrderStatus::Paid | OrderStatus::Refunded => {
            assert_eq!(world.payment, Payment::Captured);
        }
        OrderStatus::Cancelled | OrderStatus::Rejected => {
            assert_ne!(world.payment, Payment::Captured);
            assert_ne!(world.reservation, Reservation::Committed);
        }
        OrderStatus::Pending
        | OrderStatus::AwaitingPayment
        | OrderStatus::CancelPending
        | OrderStatus::RefundPending => panic!("not an end: {world:#?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_history_ends_well(
        stock_suffices in prop::bool::weighted(0.85),
        history in prop::collection::vec(happening(), 0..60),
    ) {
        ends_well(step, stock_suffices, history);
    }

    #[test]
    fn every_history_with_operators_ends_well(
        stock_suffices in prop::bool::weighted(0.85),
        history in prop::collection::vec(with_operators(), 0..60),
    ) {
        ends_well(step, stock_suffices, history);
    }

    /// Without faults between them, the same happenings lead two worlds to the same place: `step` has no hidden input.
    #[test]
    fn histories_are_deterministic(history in prop::collection::vec(with_operators(), 0..40)) {
        let (mut one, mut other) = (World::new(true), World::new(true));
        for happening in history {
            one.happen(happening);
            other.happen(happening);
        }
        prop_assert_eq!(one.stored, other.stored);
        prop_assert_eq!(one.published, other.published);
    }
}

#[test]
fn the_happy_path_is_paid_and_completed() {
    let mut world = World::new(true);
    let ask = Happening::Ask {
        replica: false,
        twice: false,
    };
    for happening in [
        ask,
        Happening::Request,
        Happening::Charge {
            outcome: Charge::Captured,
        },
        Happening::Deliver {
            replica: false,
            pick: 0,
        },
        ask,
    ] {
        world.happen(happening);
    }
    assert_eq!(world.stored.status(), OrderStatus::Paid);
    assert_eq!(world.stored.saga_state(), SagaState::Completed);
    assert_eq!(world.reservation, Reservation::Committed);
}

#[test]
fn a_cancel_that_loses_to_the_charge_gives_everything_back() {
    let mut world = World::new(true);
    for happening in [
        Happening::Ask {
            replica: false,
            twice: false,
        },
        Happening::Request,
        Happening::Charge {
            outcome: Charge::Captured,
        },
        Happening::Cancel { replica: true },
    ] {
        world.happen(happening);
    }
    assert!(world.heal());
    assert_eq!(world.stored.status(), OrderStatus::Refunded);
    assert_eq!(world.reservation, Reservation::Released);
}

/// A rule as it must not be.
fn without_waiting_for_unknown(saga: &Saga, event: &SagaEvent, inputs: &Inputs<'_>) -> Stepped {
    match event {
        SagaEvent::VoidAnswered(VoidAnswer::Unknown) => {
            step(saga, &SagaEvent::VoidAnswered(VoidAnswer::Voided), inputs)
        }
        other => step(saga, other, inputs),
    }
}

/// A rule as it must not be.
fn with_a_compensation_that_gives_up(
    saga: &Saga,
    event: &SagaEvent,
    inputs: &Inputs<'_>,
) -> Stepped {
    let released = SagaEvent::ReleaseAnswered(crate::saga::ReleaseAnswer::Released);
    match (&saga.step, event) {
        (SagaStep::Releasing { .. }, SagaEvent::DeadlinePassed) => step(saga, &released, inputs),
        (_, other) => step(saga, other, inputs),
    }
}

/// A rule as it must not be.
fn with_a_refund_before_the_sale(saga: &Saga, event: &SagaEvent, inputs: &Inputs<'_>) -> Stepped {
    let committed = SagaEvent::CommitAnswered(CommitAnswer::Committed);
    match (&saga.step, event) {
        (SagaStep::CommittingForRefund, SagaEvent::Unanswered(_) | SagaEvent::DeadlinePassed) => {
            step(saga, &committed, inputs)
        }
        (_, other) => step(saga, other, inputs),
    }
}

/// A rule as it must not be.
fn with_duplicates_applied_again(saga: &Saga, event: &SagaEvent, inputs: &Inputs<'_>) -> Stepped {
    let again = Saga {
        step: SagaStep::AwaitingPayment,
        ..saga.clone()
    };
    match (&saga.step, event) {
        (SagaStep::Completed, SagaEvent::PaymentSucceeded { .. }) => step(&again, event, inputs),
        (_, other) => step(saga, other, inputs),
    }
}

#[test]
fn histories_find_planted_wrong_rules() {
    let rules: [(&str, Rule); 4] = [
        ("unknown taken for voided", without_waiting_for_unknown),
        ("giving up", with_a_compensation_that_gives_up),
        ("refund before the sale", with_a_refund_before_the_sale),
        ("a duplicate applied again", with_duplicates_applied_again),
    ];
    for (name, rule) in rules {
        let config = Config {
            cases: 5_000,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let found = TestRunner::new_with_rng(config, deterministic()).run(
            &prop::collection::vec(happening(), 0..60),
            |history| {
                ends_well(rule, true, history);
                Ok(())
            },
        );
        assert!(found.is_err(), "nobody noticed: {name}");
    }
}

fn deterministic() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}
