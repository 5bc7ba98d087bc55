//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with a cap and jitter ("equal jitter": half of the delay is fixed, half is random, so that a delay never
/// collapses to nothing and a crowd still spreads; see Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the first repetition, before jitter.
    pub base: Duration,
    /// No delay is longer.
    pub cap: Duration,
}

impl Backoff {
    /// The delay before repetition number `attempt` (0 is the first). `jitter` is a random number in `0.0..1.0`.
    #[must_use]
    pub fn delay(self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self
            .base
            .saturating_mul(2_u32.saturating_pow(attempt.min(31)))
            .min(self.cap);
        let half = doubled / 2;
        half + half.mul_f64(jitter.clamp(0.0, 1.0))
    }

    /// As [`Backoff::delay`], with jitter from the thread's random number generator. For adapters; pure code passes jitter in.
    #[must_use]
    pub fn jittered(self, attempt: u32) -> Duration {
        self.delay(attempt, rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(5),
    };

    #[test]
    fn delays_double_up_to_the_cap() {
        assert_eq!(BACKOFF.delay(0, 1.0), Duration::from_millis(100));
        assert_eq!(BACKOFF.delay(3, 1.0), Duration::from_millis(800));
        assert_eq!(BACKOFF.delay(40, 1.0), BACKOFF.cap);
    }

    proptest! {
        #[test]
        fn a_delay_stays_between_half_and_the_whole(attempt in 0_u32..100, jitter in 0.0_f64..1.0) {
            let whole = BACKOFF.delay(attempt, 1.0);
            let delay = BACKOFF.delay(attempt, jitter);
            prop_assert!(delay >= whole / 2 && delay <= whole);
        }
    }
}
