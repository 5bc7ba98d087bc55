//! What a token tells the simulated provider to do. Pure.
//!
//! | token | charge | refund |
//! |---|---|---|
//! | `tok_ok` | captured | refunded |
//! | `tok_declined`, `tok_insufficient_funds` | declined | |
//! | `tok_slow_<ms>` | captured after so many milliseconds | refunded |
//! | `tok_flaky_<n>` | n transient errors, then captured | refunded |
//! | `tok_timeout` | no answer, not charged | |
//! | `tok_timeout_after_charge` | captured, the answer is lost | refunded |
//! | `tok_refund_fails_<n>` | captured | n refusals, then refunded |
//! | `tok_refund_fails` | captured | refused for ever |
//! | anything else | declined as `unknown_payment_method` | |

use std::time::Duration;

/// Outcome names in the provider's books.
pub(crate) const CAPTURED: &str = "CAPTURED";
/// See [`CAPTURED`].
pub(crate) const DECLINED: &str = "DECLINED";
/// See [`CAPTURED`].
pub(crate) const REFUNDED: &str = "REFUNDED";
/// See [`CAPTURED`].
pub(crate) const REFUSED: &str = "REFUSED";

/// Longest pause of `tok_slow_<ms>`: a call that sleeps holds memory.
const SLOW_MAX: Duration = Duration::from_secs(600);

/// When a charge is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    /// As soon as it is booked.
    AtOnce,
    /// Booked and answered after a pause.
    After(Duration),
    /// Booked, and the answer is lost.
    Never,
    /// Neither booked nor answered.
    NeverAndNotCharged,
}

/// What becomes of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChargeScript {
    pub(crate) answering: Answering,
    /// Transient errors before the answer.
    pub(crate) errors: u32,
    /// Why it is declined; `None` captures.
    pub(crate) decline: Option<&'static str>,
}

impl ChargeScript {
    const CAPTURE: Self = Self {
        answering: Answering::AtOnce,
        errors: 0,
        decline: None,
    };

    const fn decline(reason: &'static str) -> Self {
        Self {
            decline: Some(reason),
            ..Self::CAPTURE
        }
    }

    /// Reads a token.
    pub(crate) fn of(token: &str) -> Self {
        match token {
            "tok_ok" | "tok_refund_fails" => Self::CAPTURE,
            "tok_declined" => Self::decline("declined"),
            "tok_insufficient_funds" => Self::decline("insufficient_funds"),
            "tok_timeout" => Self {
                answering: Answering::NeverAndNotCharged,
                ..Self::CAPTURE
            },
            "tok_timeout_after_charge" => Self {
                answering: Answering::Never,
                ..Self::CAPTURE
            },
            _ => Self::with_number(token).unwrap_or(Self::decline("unknown_payment_method")),
        }
    }

    fn with_number(token: &str) -> Option<Self> {
        let (kind, number) = token.rsplit_once('_')?;
        let number: u32 = number.parse().ok()?;
        match kind {
            "tok_slow" => Some(Self {
                answering: Answering::After(Duration::from_millis(u64::from(number)).min(SLOW_MAX)),
                ..Self::CAPTURE
            }),
            "tok_flaky" => Some(Self {
                errors: number,
                ..Self::CAPTURE
            }),
            "tok_refund_fails" => Some(Self::CAPTURE),
            _ => None,
        }
    }
}

/// How many refunds of a charge made with this token are refused before one is granted.
pub(crate) fn refund_refusals(token: &str) -> usize {
    if token == "tok_refund_fails" {
        return usize::MAX;
    }
    token
        .strip_prefix("tok_refund_fails_")
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_of_the_table_is_known() {
        let capture = ChargeScript::CAPTURE;
        let table = [
            ("tok_ok", capture),
            ("tok_declined", ChargeScript::decline("declined")),
            (
                "tok_insufficient_funds",
                ChargeScript::decline("insufficient_funds"),
            ),
            (
                "tok_slow_250",
                ChargeScript {
                    answering: Answering::After(Duration::from_millis(250)),
                    ..capture
                },
            ),
            (
                "tok_flaky_3",
                ChargeScript {
                    errors: 3,
                    ..capture
                },
            ),
            (
                "tok_timeout",
                ChargeScript {
                    answering: Answering::NeverAndNotCharged,
                    ..capture
                },
            ),
            (
                "tok_timeout_after_charge",
                ChargeScript {
                    answering: Answering::Never,
                    ..capture
                },
            ),
            ("tok_refund_fails_2", capture),
            ("tok_refund_fails", capture),
        ];
        for (token, script) in table {
            assert_eq!(ChargeScript::of(token), script, "{token}");
        }
    }

    #[test]
    fn anything_else_is_declined() {
        for token in [
            "",
            "tok",
            "tok_",
            "tok_slow_",
            "tok_slow_x",
            "tok_flaky_-1",
            "tok_gold_3",
        ] {
            let script = ChargeScript::of(token);
            assert_eq!(script.decline, Some("unknown_payment_method"), "{token}");
        }
    }

    #[test]
    fn a_slow_charge_has_a_bound() {
        let script = ChargeScript::of("tok_slow_4294967295");
        assert_eq!(script.answering, Answering::After(SLOW_MAX));
    }

    #[test]
    fn refunds_are_refused_as_often_as_the_token_says() {
        assert_eq!(refund_refusals("tok_ok"), 0);
        assert_eq!(refund_refusals("tok_refund_fails_3"), 3);
        assert_eq!(refund_refusals("tok_refund_fails"), usize::MAX);
    }
}
