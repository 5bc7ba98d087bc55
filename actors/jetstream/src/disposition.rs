//! What becomes of a delivered event. Pure: the broker, the table and the clock are elsewhere.
//!
//! ```text
//!  delivered ──► on_arrival ──┬─ HandOver{alone} ──► answer or death of the handler ──► on_answer ──┬─ Ack
//!                             │                                                                     ├─ Nak(delay)
//!                             └─ DeadLetter(reason) ──────────────┬─────────────── DeadLetter ◄─────┘
//!                                                                 ▼
//!                                              commit ──► after_commit ──► Term | Nak(delay)
//! ```

use std::time::Duration;

use actor_kit::Backoff;

use crate::{DeadLetterReason, Outcome};

/// Pause before an event is delivered again: quick for a busy row, half a minute when the database is away for long.
pub const REDELIVERY: Backoff = Backoff {
    base: Duration::from_millis(250),
    cap: Duration::from_secs(30),
};

/// Pause of a suspect while another one is in hand. Constant, unlike [`REDELIVERY`]: a whole batch may be under suspicion, and
/// all but one of it are innocent and should have their turn soon.
pub const ANOTHER_TURN: Backoff = Backoff {
    base: Duration::from_millis(400),
    cap: Duration::from_millis(400),
};

/// A reason longer than this is cut off: it comes from the handler and goes into a row.
pub const REASON_BYTES_MAX: usize = 1_024;

/// What to do with an event that has just arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// Give it to the handler.
    HandOver {
        /// A handler died with it in hand: nothing else may share its fate.
        alone: bool,
    },
    /// Give it up without asking the handler.
    DeadLetter(DeadLetterReason),
}

/// What to tell the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Handled: never deliver it again.
    Ack,
    /// Deliver it again after this pause.
    Nak(Duration),
    /// Commit a dead letter, then [`after_commit`].
    DeadLetter(DeadLetterReason),
}

/// What to tell the broker about an event that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCommit {
    /// The letter is committed: never deliver the event again.
    Term,
    /// It may not be: deliver the event again and try once more.
    Nak(Duration),
}

/// Decides about an arrival. `envelope` is the finding of the check, `deaths` how often a handler died with this event
/// in hand.
#[must_use]
pub fn on_arrival(envelope: Result<(), DeadLetterReason>, deaths: u32, deaths_max: u32) -> Arrival {
    match envelope {
        Err(reason) => Arrival::DeadLetter(reason),
        Ok(()) if deaths >= deaths_max => {
            Arrival::DeadLetter(DeadLetterReason::HandlerDied { times: deaths })
        }
        Ok(()) => Arrival::HandOver { alone: deaths > 0 },
    }
}

/// Decides about a handled event. `outcome` is `None` when the handler died with it in hand; `deaths` counts this death.
/// `delivered` only stretches the pause: an outage may take any number of deliveries and makes nothing a dead letter.
#[must_use]
pub fn on_answer(
    outcome: Option<Outcome>,
    delivered: u64,
    deaths: u32,
    deaths_max: u32,
    jitter: f64,
) -> Disposition {
    match outcome {
        Some(Outcome::Done | Outcome::Ignored) => Disposition::Ack,
        Some(Outcome::RetryLater) => Disposition::Nak(pause(delivered, jitter)),
        Some(Outcome::Poison(reason)) => {
            Disposition::DeadLetter(DeadLetterReason::Poison(bounded(reason)))
        }
        None if deaths >= deaths_max => {
            Disposition::DeadLetter(DeadLetterReason::HandlerDied { times: deaths })
        }
        None => Disposition::Nak(pause(delivered, jitter)),
    }
}

/// Decides about an event whose dead letter was to be committed.
#[must_use]
pub fn after_commit(committed: bool, delivered: u64, jitter: f64) -> AfterCommit {
    if committed {
        AfterCommit::Term
    } else {
        AfterCommit::Nak(pause(delivered, jitter))
    }
}

/// The pause after the `delivered`th delivery.
#[must_use]
pub fn pause(delivered: u64, jitter: f64) -> Duration {
    REDELIVERY.delay(
        u32::try_from(delivered.saturating_sub(1)).unwrap_or(u32::MAX),
        jitter,
    )
}

fn bounded(mut reason: String) -> String {
    let end = (0..=REASON_BYTES_MAX)
        .rev()
        .find(|&end| reason.is_char_boundary(end))
        .unwrap_or(0);
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEATHS_MAX: u32 = 3;

    #[test]
    fn arrivals() {
        let alone = |alone| Arrival::HandOver { alone };
        let died = |times| Arrival::DeadLetter(DeadLetterReason::HandlerDied { times });
        let table = [
            (Ok(()), 0, alone(false)),
            (Ok(()), 1, alone(true)),
            (Ok(()), 2, alone(true)),
            (Ok(()), 3, died(3)),
            (Ok(()), 4, died(4)),
            (
                Err(DeadLetterReason::Oversize),
                0,
                Arrival::DeadLetter(DeadLetterReason::Oversize),
            ),
            (
                Err(DeadLetterReason::Oversize),
                9,
                Arrival::DeadLetter(DeadLetterReason::Oversize),
            ),
        ];
        for (envelope, deaths, expected) in table {
            assert_eq!(
                on_arrival(envelope.clone(), deaths, DEATHS_MAX),
                expected,
                "{envelope:?} after {deaths} deaths"
            );
        }
    }

    #[test]
    fn answers() {
        let base = Disposition::Nak(Duration::from_millis(250));
        let later = Disposition::Nak(Duration::from_secs(30));
        let poison =
            |text: &str| Disposition::DeadLetter(DeadLetterReason::Poison(text.to_owned()));
        let died = Disposition::DeadLetter(DeadLetterReason::HandlerDied { times: 3 });
        let table = [
            (Some(Outcome::Done), 1, 0, Disposition::Ack),
            (Some(Outcome::Done), 99, 2, Disposition::Ack),
            (Some(Outcome::Ignored), 1, 0, Disposition::Ack),
            (Some(Outcome::RetryLater), 1, 0, base.clone()),
            (Some(Outcome::RetryLater), 1_000_000, 2, later),
            (Some(Outcome::Poison("no".to_owned())), 1, 0, poison("no")),
            (None, 1, 1, base.clone()),
            (None, 1, 2, base),
            (None, 1, 3, died),
        ];
        for (outcome, delivered, deaths, expected) in table {
            let decided = on_answer(outcome.clone(), delivered, deaths, DEATHS_MAX, 1.0);
            assert_eq!(
                decided, expected,
                "{outcome:?}, delivered {delivered}, {deaths} deaths"
            );
        }
    }

    #[test]
    fn only_a_committed_letter_ends_its_event() {
        assert_eq!(after_commit(true, 1, 0.5), AfterCommit::Term);
        assert_eq!(
            after_commit(false, 1, 1.0),
            AfterCommit::Nak(Duration::from_millis(250))
        );
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = "ä".repeat(REASON_BYTES_MAX);
        let Disposition::DeadLetter(DeadLetterReason::Poison(kept)) =
            on_answer(Some(Outcome::Poison(reason)), 1, 0, DEATHS_MAX, 0.0)
        else {
            panic!("poison becomes a dead letter");
        };
        assert_eq!(kept.len(), REASON_BYTES_MAX);
        let odd = format!("x{}", "ä".repeat(REASON_BYTES_MAX));
        assert_eq!(bounded(odd).len(), REASON_BYTES_MAX - 1);
    }

    proptest! {
        /// However long an outage lasts, an event that its handler wants later is neither acknowledged nor given up.
        #[test]
        fn an_outage_makes_nothing_a_dead_letter(delivered in any::<u64>(), deaths in 0..DEATHS_MAX, jitter in 0.0..1.0_f64) {
            let decided = on_answer(Some(Outcome::RetryLater), delivered, deaths, DEATHS_MAX, jitter);
            let Disposition::Nak(pause) = decided else { panic!("{decided:?}") };
            prop_assert!(pause >= REDELIVERY.base / 2 && pause <= REDELIVERY.cap);
        }
    }
}
