//! What operators do by hand: sagas that wait for people, refused refunds, dead letters, the outbox.
//!
//! ```text
//! saga.rs ───┐
//! refund.rs ─┤              ┌─▶ OrdersAdmin     (orders, gRPC)
//! letters.rs ┼─ connect.rs ─┤
//! outbox.rs ─┘              └─▶ PaymentsAdmin   (payments, gRPC)
//!     shared: table.rs (columns, ages, times)
//! ```
//!
//! Every act says who and why, and is refused when what it is about has moved on since it was looked at. Exit codes: 0 done, 1 refused or
//! not found, 3 the service does not answer.

pub mod connect;
mod letters;
mod outbox;
mod refund;
mod saga;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use shopapi_proto::admin::v1::Act;

pub use connect::{Services, settle_open_attempts};
pub use letters::LetterArgs;
pub use outbox::OutboxArgs;
pub use refund::RefundArgs;
pub use saga::SagaArgs;

use crate::ui::Ui;

/// The service did not answer: try again later.
const UNREACHABLE: u8 = 3;

/// Who acts and why.
#[derive(Debug, Clone, Args)]
pub struct ActArgs {
    /// Why; it is kept with the act
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who acts
    #[arg(long, value_name = "NAME", env = "USER")]
    who: String,
}

impl ActArgs {
    fn act(&self) -> Act {
        Act {
            who: self.who.clone(),
            why: self.reason.clone(),
        }
    }
}

/// What a command of this room came to.
fn finish(done: Result<()>, ui: &Ui) -> ExitCode {
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    ui.failure(&format!("{error:#}"));
    if error.downcast_ref::<connect::Unreachable>().is_some() {
        ExitCode::from(UNREACHABLE)
    } else {
        ExitCode::FAILURE
    }
}

/// Runs `shopctl saga`.
pub async fn saga(args: &SagaArgs, ui: &Ui) -> ExitCode {
    finish(saga::run(args, ui).await, ui)
}

/// Runs `shopctl refund`.
pub async fn refund(args: &RefundArgs, ui: &Ui) -> ExitCode {
    finish(refund::run(args, ui).await, ui)
}

/// Runs `shopctl dead-letter`.
pub async fn letters(args: &LetterArgs, ui: &Ui) -> ExitCode {
    finish(letters::run(args, ui).await, ui)
}

/// Runs `shopctl outbox`.
pub async fn outbox(args: &OutboxArgs, ui: &Ui) -> ExitCode {
    finish(outbox::run(args, ui).await, ui)
}

/// `90s`, `10m`, `2h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with a unit: 90s, 10m, 2h or 7d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .filter(|seconds| i64::try_from(*seconds).is_ok())
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "m",
            "10",
            "-1m",
            "1.5h",
            "10 m",
            "10µ",
            "999999999999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }
}
