//! The promised counters, before and after the orders.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use super::{Said, text, until};

/// Longer than the interval at which services export and the Collector batches, so that a late rise is seen.
const EXPORTS: Duration = Duration::from_secs(7);
/// Looks until the counters stand still; somebody who orders all the time keeps them from it.
const LOOKS_MAX: usize = 8;

/// Names and values.
type Labels = &'static [(&'static str, &'static str)];

/// What one paid and one declined order add: metric, labels, times.
const EXPECTED: [(&str, Labels, u64); 6] = [
    (
        "shopapi_http_requests_total",
        &[
            ("method", "POST"),
            ("route", "/api/v1/orders"),
            ("status", "201"),
        ],
        2,
    ),
    ("shopapi_orders_created_total", &[("result", "accepted")], 2),
    ("shopapi_inventory_reserve_total", &[("result", "held")], 2),
    (
        "shopapi_inventory_release_total",
        &[("result", "released")],
        1,
    ),
    ("shopapi_payments_total", &[("result", "captured")], 1),
    ("shopapi_payments_total", &[("result", "declined")], 1),
];

/// Where the counters stand, in the order of [`EXPECTED`].
type Counters = [u64; EXPECTED.len()];

async fn read(url: &str) -> Result<Counters> {
    let exposition = text::get(url).await?;
    Ok(EXPECTED.map(|(name, labels, _)| sum(&exposition, name, labels)))
}

/// Waits until no counter rises any more.
pub(super) async fn at_rest(url: &str) -> Result<Said<Counters>> {
    let mut before = until(|| read(url)).await?;
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(EXPORTS).await;
        let again = read(url).await?;
        if again == before {
            return Ok(Said::new(before, url));
        }
        before = again;
    }
    bail!("the counters keep rising: somebody else places orders, and then nothing can be compared")
}

/// Waits until every counter has risen as expected, and sees that it stays there.
pub(super) async fn rose(url: &str, before: &Counters) -> Result<Said<()>> {
    until(|| async {
        let now = read(url).await?;
        compare(before, &now)
    })
    .await?;
    tokio::time::sleep(EXPORTS).await;
    compare(before, &read(url).await?)?;
    let detail = EXPECTED.map(|(_, labels, times)| {
        let (_, value) = labels.last().copied().unwrap_or_default();
        format!("{value} +{times}")
    });
    Ok(Said::new((), detail.join(", ")))
}

fn compare(before: &Counters, now: &Counters) -> Result<()> {
    for (((name, labels, times), before), now) in EXPECTED.iter().zip(before).zip(now) {
        let rose = now.saturating_sub(*before);
        ensure!(
            rose == *times,
            "{name}{labels:?} rose by {rose}, should have risen by {times}"
        );
    }
    Ok(())
}

/// The sum of all series of a counter that have these labels, whatever else they have.
fn sum(exposition: &str, name: &str, labels: &[(&str, &str)]) -> u64 {
    exposition
        .lines()
        .filter_map(|line| {
            let (found, value) = series(line.strip_prefix(name)?)?;
            let fits = labels
                .iter()
                .all(|(label, wanted)| found.get(label).is_some_and(|is| is == wanted));
            fits.then_some(value)
        })
        .sum()
}

/// The labels and the value in `{a="1",b="2"} 3`.
fn series(rest: &str) -> Option<(BTreeMap<&str, String>, u64)> {
    let mut labels = BTreeMap::new();
    let mut rest = match rest.strip_prefix('{') {
        Some(rest) => rest,
        None => return Some((labels, number(rest.strip_prefix(' ')?)?)),
    };
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, number(value.trim_start())?));
        }
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(label, value);
        rest = after;
    }
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, character)) = chars.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

/// Counters count whole things; exporters write them as floats, sometimes with a timestamp behind.
fn number(text: &str) -> Option<u64> {
    let value: f64 = text.split_whitespace().next()?.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of orders are small whole numbers"
    )]
    (0.0..1e15).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
# TYPE shopapi_payments_total counter
shopapi_payments_total{result="captured",service_name="payments",service_instance_id="a"} 3
shopapi_payments_total{service_instance_id="b",result="captured"} 4 1700000000000
shopapi_payments_total{result="declined"} 1e+00
shopapi_payments_total_other{result="captured"} 100
shopapi_plain_total 7
shopapi_odd_total{path="a\"},b",x="y"} 5
"#;

    #[test]
    fn all_replicas_of_a_series_are_added_and_nothing_else() {
        assert_eq!(
            sum(SAMPLE, "shopapi_payments_total", &[("result", "captured")]),
            7
        );
        assert_eq!(
            sum(SAMPLE, "shopapi_payments_total", &[("result", "declined")]),
            1
        );
        assert_eq!(
            sum(SAMPLE, "shopapi_payments_total", &[("result", "voided")]),
            0
        );
        assert_eq!(sum(SAMPLE, "shopapi_plain_total", &[]), 7);
        assert_eq!(sum(SAMPLE, "shopapi_odd_total", &[("x", "y")]), 5);
    }

    #[test]
    fn a_counter_that_rose_too_far_fails_as_one_that_did_not_rise() {
        let before = [0; EXPECTED.len()];
        let exact = EXPECTED.map(|(_, _, times)| times);
        assert!(compare(&before, &exact).is_ok());
        for at in 0..exact.len() {
            for wrong in [exact[at] - 1, exact[at] + 1] {
                let mut now = exact;
                now[at] = wrong;
                let error = compare(&before, &now).unwrap_err().to_string();
                assert!(error.contains(EXPECTED[at].0), "{error}");
            }
        }
    }
}
