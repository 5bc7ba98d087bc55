//! The golden table: what `step` says for every pair. A change of any rule shows as a difference of this text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::samples::{events, label, saga_in, steps};
use crate::ids::{PaymentId, Version};
use crate::limits::SagaLimits;
use crate::saga::{
    Call, CommitAnswer, DurableEffect, Ignored, Inputs, Next, ReleaseAnswer, Resolution, Saga,
    SagaEvent, SagaStep, Stepped, StuckReason, VoidCause, VolatileEffect, Wake, accept, resume,
    step,
};

fn decide(saga: &Saga, event: &SagaEvent) -> Stepped {
    let limits = SagaLimits::default();
    let inputs = Inputs {
        limits: &limits,
        jitter: 1.0,
    };
    step(saga, event, &inputs)
}

#[test]
fn every_pair_of_step_and_event_is_decided() {
    let mut table = String::new();
    for step in steps() {
        let saga = saga_in(step);
        let _ = writeln!(
            table,
            "## {}\n   {} / {}",
            step_text(&saga.step),
            saga.status(),
            saga.saga_state()
        );
        let mut ignored: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut illegal = vec![];
        for event in events() {
            match decide(&saga, &event) {
                Stepped::Next(next) => {
                    let _ = writeln!(table, "   {:34} -> {}", label(&event), next_text(&next));
                }
                Stepped::Ignore(why) => ignored
                    .entry(format!("{why:?}"))
                    .or_default()
                    .push(label(&event)),
                Stepped::Illegal => illegal.push(label(&event)),
            }
        }
        for (why, events) in ignored {
            let _ = writeln!(table, "   ignored, {why}: {}", events.join(", "));
        }
        if !illegal.is_empty() {
            let _ = writeln!(table, "   illegal: {}", illegal.join(", "));
        }
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

fn step_text(step: &SagaStep) -> String {
    let why = step
        .cancel_reason()
        .map_or_else(String::new, |reason| format!(" ({reason})"));
    match step {
        SagaStep::Stuck { at, reason } => {
            format!("stuck at {}{why}: {}", at.name(), reason.as_str())
        }
        _ => format!("{}{why}", step.name()),
    }
}

fn next_text(next: &Next) -> String {
    let mut text = step_text(&next.saga.step);
    let mut cause = "";
    for effect in &next.durable {
        match effect {
            DurableEffect::Timeline(entry) => cause = &entry.cause,
            DurableEffect::Quote(quote) => {
                let _ = write!(text, " · quote {}", quote.total_text());
            }
            DurableEffect::Publish(event) => {
                let _ = write!(text, " · publish {}", event.name());
            }
            DurableEffect::Wake(Wake::Keep) => text.push_str(" · deadline stays"),
            DurableEffect::Wake(Wake::After(after)) => {
                let _ = write!(text, " · deadline {after:?}");
            }
            DurableEffect::Wake(Wake::Never) => text.push_str(" · no deadline"),
        }
    }
    for effect in &next.volatile {
        let _ = write!(text, " · {effect:?}");
    }
    let _ = write!(text, "\n   {:34}    \"{cause}\"", "");
    text
}

/// Every decision over every pair, with the saga before it.
fn transitions() -> impl Iterator<Item = (Saga, SagaEvent, Next)> {
    steps().into_iter().flat_map(|step| {
        let saga = saga_in(step);
        events()
            .into_iter()
            .filter_map(move |event| match decide(&saga, &event) {
                Stepped::Next(next) => Some((saga.clone(), event, next)),
                Stepped::Ignore(_) | Stepped::Illegal => None,
            })
    })
}

#[test]
fn every_transition_adds_one_version_and_one_timeline_row_and_says_what_happens_to_the_deadline() {
    for (before, event, next) in transitions() {
        assert_eq!(next.saga.version, before.version.next(), "{event:?}");
        let count = |wanted: fn(&DurableEffect) -> bool| {
            next.durable.iter().filter(|effect| wanted(effect)).count()
        };
        assert_eq!(
            count(|effect| matches!(effect, DurableEffect::Timeline(_))),
            1
        );
        assert_eq!(count(|effect| matches!(effect, DurableEffect::Wake(_))), 1);
        assert!(
            count(|effect| matches!(effect, DurableEffect::Publish(_))) <= 1,
            "{event:?}"
        );
    }
}

#[test]
fn a_saga_at_rest_has_no_deadline_and_any_other_has_one() {
    for (before, event, next) in transitions() {
        let wake = next.durable.iter().find_map(|effect| match effect {
            DurableEffect::Wake(wake) => Some(*wake),
            _ => None,
        });
        match wake {
            Some(Wake::Never) => assert!(next.saga.step.is_at_rest(), "{event:?}"),
            Some(Wake::After(_)) => assert!(!next.saga.step.is_at_rest(), "{event:?}"),
            // What stays must be right: at rest stays at rest, waiting stays waiting.
            Some(Wake::Keep) => assert_eq!(
                before.step.is_at_rest(),
                next.saga.step.is_at_rest(),
                "{event:?}"
            ),
            None => panic!("{event:?} leaves the deadline open"),
        }
    }
}

#[test]
fn what_follows_a_commit_is_what_resume_would_ask_again() {
    for (_, event, next) in transitions() {
        let again = resume(&next.saga);
        for effect in &next.volatile {
            assert!(
                *effect == VolatileEffect::Alert || again.contains(effect),
                "{effect:?} after {event:?} would be lost with a crash"
            );
        }
    }
    let limits = SagaLimits::default();
    let inputs = Inputs {
        limits: &limits,
        jitter: 0.5,
    };
    let next = accept(super::samples::order(1), &inputs);
    assert_eq!(next.volatile, resume(&next.saga));
    assert_eq!(next.saga.version, Version::FIRST);
}

#[test]
fn resume_asks_exactly_when_the_saga_is_not_at_rest() {
    for step in steps() {
        let saga = saga_in(step);
        assert_eq!(resume(&saga).is_empty(), saga.step.is_at_rest());
    }
}

#[test]
fn an_event_about_another_payment_is_illegal_in_every_step() {
    let stranger = PaymentId(uuid::Uuid::from_u128(99));
    for step in steps() {
        for event in [
            SagaEvent::PaymentSucceeded {
                payment_id: stranger,
            },
            SagaEvent::PaymentRefunded {
                payment_id: stranger,
                late_capture: true,
            },
        ] {
            assert_eq!(decide(&saga_in(step.clone()), &event), Stepped::Illegal);
        }
    }
}

#[test]
fn nothing_moves_a_saga_at_rest_but_people_and_notes() {
    for (before, event, next) in transitions() {
        if !before.step.is_at_rest() {
            continue;
        }
        let by_people = matches!(
            event,
            SagaEvent::RefundRequested
                | SagaEvent::OperatorRetried
                | SagaEvent::OperatorCompensated
                | SagaEvent::OperatorResolved(_)
        );
        let note = next.saga.step == before.step && next.saga.late_money != before.late_money;
        let refund_after_all = matches!(next.saga.step, SagaStep::Refunded { .. });
        assert!(
            by_people || note || refund_after_all,
            "{before:?} {event:?}"
        );
    }
}

/// What is held is given back or sold by asking the stock. Only its own refusal, or an answer that it gave before, spares the question.
#[test]
fn a_resolution_ends_an_order_only_when_the_stock_has_had_its_say() {
    let mut seen = 0;
    for (before, event, next) in transitions() {
        let SagaStep::Stuck { at, reason } = &before.step else {
            continue;
        };
        if !matches!(event, SagaEvent::OperatorResolved(_)) {
            continue;
        }
        seen += 1;
        let has_its_say = match reason {
            StuckReason::CommitRefused | StuckReason::ReleaseRefused => true,
            StuckReason::CallRefused => !matches!(**at, SagaStep::Voiding { .. }),
            _ => matches!(**at, SagaStep::Refunding { .. }),
        };
        assert_eq!(next.saga.step.is_at_rest(), has_its_say, "{before:?}");
        let asks_stock = |effect: &VolatileEffect| {
            matches!(
                effect,
                VolatileEffect::AskRelease | VolatileEffect::AskCommit
            )
        };
        assert!(next.volatile.iter().all(asks_stock), "{before:?}");
        assert_eq!(next.volatile.is_empty(), has_its_say, "{before:?}");
    }
    assert!(seen > 20, "{seen}");
}

/// Money that went back by hand is not asked for again.
#[test]
fn an_order_refunded_by_hand_ends_as_refunded_once_the_stock_has_answered() {
    for (at, answer) in [
        (
            SagaStep::Committing,
            SagaEvent::CommitAnswered(CommitAnswer::Committed),
        ),
        (
            SagaStep::ReleasingForRefund {
                cause: VoidCause::UserRequested,
            },
            SagaEvent::ReleaseAnswered(ReleaseAnswer::Released),
        ),
    ] {
        let saga = saga_in(SagaStep::Stuck {
            at: Box::new(at),
            reason: StuckReason::Poison,
        });
        let resolved = SagaEvent::OperatorResolved(Resolution::Refunded);
        let Stepped::Next(settling) = decide(&saga, &resolved) else {
            panic!("not resolved");
        };
        assert_eq!(settling.saga.step.name(), "settling");
        let Stepped::Next(ended) = decide(&settling.saga, &answer) else {
            panic!("not ended");
        };
        assert_eq!(ended.saga.step.name(), "refunded");
        assert_eq!(ended.volatile, []);
    }
}

#[test]
fn late_money_is_noted_once() {
    let saga = saga_in(SagaStep::Cancelled {
        reason: crate::saga::CancelReason::UserRequested,
    });
    let payment_id = saga.order.ids.payment_id;
    let event = SagaEvent::PaymentRefunded {
        payment_id,
        late_capture: true,
    };
    let Stepped::Next(next) = decide(&saga, &event) else {
        panic!("not noted");
    };
    assert_eq!(
        decide(&next.saga, &event),
        Stepped::Ignore(Ignored::Duplicate)
    );
    let failed_before = SagaEvent::RefundFailed {
        payment_id,
        reason: String::new(),
        late_capture: true,
    };
    assert_eq!(
        decide(&next.saga, &failed_before),
        Stepped::Ignore(Ignored::Superseded)
    );
}

#[test]
fn deadlines_grow_up_to_the_cap_and_reserving_gives_up() {
    let limits = SagaLimits::default();
    let mut saga = super::samples::accepted(&limits);
    let mut waits = vec![];
    while saga.step == SagaStep::Reserving {
        let Stepped::Next(next) = decide(&saga, &SagaEvent::DeadlinePassed) else {
            panic!("a deadline without consequence");
        };
        waits.extend(next.durable.iter().filter_map(|effect| match effect {
            DurableEffect::Wake(Wake::After(after)) => Some(after.as_secs()),
            _ => None,
        }));
        saga = next.saga;
    }
    assert_eq!(saga.step.name(), "releasing");
    assert_eq!(waits, [1, 2, 4, 8, 16, limits.first_deadline.as_secs()]);
}

/// Only the step's own command, and only after as many deadlines as a silent callee is given before people hear of it.
#[test]
fn a_command_that_is_refused_again_and_again_needs_people() {
    let limits = SagaLimits::default();
    let mut set_aside = vec![];
    for step in steps() {
        for call in [
            Call::Reserve,
            Call::Release,
            Call::Commit,
            Call::Request,
            Call::Void,
            Call::Refund,
        ] {
            let mut saga = saga_in(step.clone());
            let refused = SagaEvent::Refused(call);
            saga.missed_deadlines = limits.alert_deadlines - 1;
            assert!(matches!(decide(&saga, &refused), Stepped::Ignore(_)));
            saga.missed_deadlines += 1;
            let Stepped::Next(next) = decide(&saga, &refused) else {
                continue;
            };
            assert_eq!(
                next.saga.step,
                SagaStep::Stuck {
                    at: Box::new(step.clone()),
                    reason: StuckReason::CallRefused
                }
            );
            set_aside.push((step.name(), call));
        }
    }
    set_aside.dedup();
    let never_give_up = [
        ("voiding", Call::Void),
        ("releasing", Call::Release),
        ("committing", Call::Commit),
        ("committing_for_refund", Call::Commit),
        ("releasing_for_refund", Call::Release),
        ("refunding", Call::Refund),
        ("settling", Call::Commit),
        ("settling", Call::Release),
    ];
    assert_eq!(set_aside, never_give_up);
}

#[test]
fn compensation_never_gives_up() {
    let mut saga = saga_in(SagaStep::Releasing {
        reason: crate::saga::CancelReason::UserRequested,
    });
    for _ in 0..1000 {
        let Stepped::Next(next) = decide(&saga, &SagaEvent::DeadlinePassed) else {
            panic!("it gave up");
        };
        assert!(next.volatile.contains(&VolatileEffect::AskRelease));
        saga = next.saga;
    }
}
