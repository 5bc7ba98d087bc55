//! What the books of orders say afterwards.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio_postgres::Client;

/// How long the orders that were open at some moment took to their next step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HandOver {
    /// Orders open then.
    pub(super) open: usize,
    /// Half of them had moved by then.
    pub(super) median: Duration,
    /// The last one.
    pub(super) slowest: Duration,
}

/// The next step of every order that was open at `killed`: those of the killed replica, which another had to take over, and those of the others. The
/// slowest is a bound on every hand-over.
pub(super) async fn hand_over(books: &Client, killed: OffsetDateTime) -> Result<HandOver> {
    let rows = books
        .query(
            "SELECT extract(epoch FROM min(later.at) - $1)::float8
             FROM order_timeline AS later
             WHERE later.at > $1
               AND EXISTS (SELECT FROM order_timeline AS before WHERE before.order_id = later.order_id AND before.at <= $1)
             GROUP BY later.order_id ORDER BY 1",
            &[&killed],
        )
        .await?;
    let waits: Vec<Duration> = rows
        .iter()
        .map(|row| Duration::from_secs_f64(row.get(0)))
        .collect();
    Ok(summary(&waits))
}

fn summary(sorted: &[Duration]) -> HandOver {
    HandOver {
        open: sorted.len(),
        median: sorted.get(sorted.len() / 2).copied().unwrap_or_default(),
        slowest: sorted.last().copied().unwrap_or_default(),
    }
}

/// How many of the accepted orders the books do not know.
pub(super) async fn lost(books: &Client, accepted: &[i64]) -> Result<usize> {
    let known: i64 = books
        .query_one(
            "SELECT count(*) FROM orders WHERE order_id = ANY($1)",
            &[&accepted],
        )
        .await?
        .get(0);
    Ok(accepted
        .len()
        .saturating_sub(usize::try_from(known).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_the_middle_and_the_end() {
        let waits = [1, 2, 9].map(Duration::from_secs);
        let told = summary(&waits);
        assert_eq!(
            (told.open, told.median, told.slowest),
            (3, waits[1], waits[2])
        );
        assert_eq!(summary(&[]).open, 0);
    }
}
