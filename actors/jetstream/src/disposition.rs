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
