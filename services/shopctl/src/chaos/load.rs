//! Customers who order without pause while the stack is being broken. They repeat nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Product;
use crate::client::Api;
use crate::random::Random;

/// Customers at once.
const CUSTOMERS: u64 = 8;
/// Between two orders of one customer: about 30 orders a second in all.
const PAUSE_MIN_MS: u64 = 150;
const PAUSE_SPREAD_MS: u64 = 200;
/// What is paid with, in equal parts.
const METHODS: [&str; 8] = [
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_declined",
    "tok_flaky_1",
    "tok_slow_300",
    "tok_timeout_after_charge",
];

/// What the customers were told.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Orders that were accepted.
    pub(super) accepted: Vec<i64>,
    /// 503 with advice when to come back.
    pub(super) refused: u64,
    /// Everything else, which must not be, and how often.
    pub(super) unclean: BTreeMap<String, u64>,
}

/// Orders until `enough`.
///
/// # Errors
/// When a customer's task dies.
pub(super) async fn run(
    api: Api,
    products: Vec<Product>,
    seed: u64,
    enough: CancellationToken,
) -> Result<Outcome> {
    let skus: Vec<String> = products.into_iter().map(|product| product.sku).collect();
    let mut customers = JoinSet::new();
    for number in 0..CUSTOMERS {
        let random = Random::new(seed ^ number);
        customers.spawn(customer(api.clone(), skus.clone(), random, enough.clone()));
    }
    let mut total = Outcome::default();
    while let Some(done) = customers.join_next().await {
        let outcome = done.context("a customer's task ended")?;
        total.accepted.extend(outcome.accepted);
        total.refused += outcome.refused;
        for (what, times) in outcome.unclean {
            *total.unclean.entry(what).or_default() += times;
        }
    }
    Ok(total)
}

async fn customer(
    api: Api,
    skus: Vec<String>,
    mut random: Random,
    enough: CancellationToken,
) -> Outcome {
    let mut outcome = Outcome::default();
    while !enough.is_cancelled() {
        let sku = random.pick(&skus);
        let method = random.pick(&METHODS);
        let body = json!({ "items": [{ "sku": sku, "quantity": 1 }], "payment_method": method });
        match api.post("/api/v1/orders", &body, &[]).await {
            Ok(answer) => match (answer.status, answer.order_id(), answer.retry_after) {
                (200..=299, Ok(order_id), _) => outcome.accepted.push(order_id),
                (503, _, Some(_)) => outcome.refused += 1,
                (status, ..) => outcome.unclean(format!("{status}: {}", answer.text("type"))),
            },
            Err(error) => outcome.unclean(format!("{error:#}")),
        }
        let pause_ms = PAUSE_MIN_MS + random.below(PAUSE_SPREAD_MS);
        let pause = tokio::time::sleep(Duration::from_millis(pause_ms));
        enough.run_until_cancelled(pause).await;
    }
    outcome
}

impl Outcome {
    fn unclean(&mut self, what: String) {
        *self.unclean.entry(what).or_default() += 1;
    }
}
