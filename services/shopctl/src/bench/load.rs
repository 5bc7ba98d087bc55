//! Customers who order, wait for the end, and order again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::catalogue::Product;
use crate::client::Api;
use crate::random::Random;

/// What a customer waits for an order's end in one request.
const WAIT: &str = "wait=30";
/// A refused customer comes back after this: the least a `Retry-After` can say would idle the bench.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// How often an order that outlived its request is looked at.
const POLL: Duration = Duration::from_millis(50);
/// An order that has not ended by then counts as lost.
const END_DEADLINE: Duration = Duration::from_secs(60);
/// One line in five is for one of the few products that everybody wants.
const HOT_ONE_IN: u64 = 5;
const HOT_PRODUCTS: u64 = 5;
const LINES_MAX: u64 = 3;

/// What came of the load.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Latencies to the final state, sorted.
    pub(super) latencies: Vec<Duration>,
    /// Orders answered 503: not accepted.
    pub(super) refused: u64,
    /// Orders that ended, but not PAID.
    pub(super) unpaid: u64,
}

/// Keeps `in_flight` customers busy for `duration`, then lets the last orders end.
///
/// # Errors
/// When the API answers something that no load can explain.
pub(super) async fn run(
    customers: &[Api],
    products: &[Product],
    in_flight: usize,
    duration: Duration,
) -> Result<Outcome> {
    let until = Instant::now() + duration;
    let skus: Arc<[String]> = products.iter().map(|product| product.sku.clone()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for (seed, api) in (0_u64..).zip(customers.iter().cycle()).take(in_flight) {
        tasks.spawn(customer(
            api.clone(),
            Arc::clone(&skus),
            Random::new(seed),
            until,
        ));
    }
    let mut total = Outcome::default();
    while let Some(done) = tasks.join_next().await {
        let outcome = done.context("a customer's task ended")??;
        total.latencies.extend(outcome.latencies);
        total.refused += outcome.refused;
        total.unpaid += outcome.unpaid;
    }
    total.latencies.sort_unstable();
    Ok(total)
}

async fn customer(
    api: Api,
    skus: Arc<[String]>,
    mut random: Random,
    until: Instant,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    while Instant::now() < until {
        let body = order(&skus, &mut random);
        let started = Instant::now();
        let answer = api
            .post("/api/v1/orders", &body, &[("prefer", WAIT)])
            .await?;
        if answer.status == 503 {
            outcome.refused += 1;
            tokio::time::sleep(REFUSED_PAUSE).await;
            continue;
        }
        let answer = answer.expect(&[200, 201, 202])?;
        let status = match ended(&answer.body) {
            Some(status) => status,
            None => follow(&api, answer.order_id()?, started).await?,
        };
        if status == "PAID" {
            outcome.latencies.push(started.elapsed());
        } else {
            outcome.unpaid += 1;
        }
    }
    Ok(outcome)
}

fn ended(order: &Value) -> Option<String> {
    let status = order.get("status")?.as_str()?;
    ["PAID", "REJECTED", "CANCELLED"]
        .contains(&status)
        .then(|| status.to_owned())
}

async fn follow(api: &Api, order_id: i64, started: Instant) -> Result<String> {
    loop {
        let answer = api.get(&format!("/api/v1/orders/{order_id}")).await?;
        if answer.status == 200
            && let Some(status) = ended(&answer.body)
        {
            return Ok(status);
        }
        anyhow::ensure!(
            started.elapsed() < END_DEADLINE,
            "order {order_id} has not ended: {}",
            answer.body
        );
        tokio::time::sleep(POLL).await;
    }
}

fn order(skus: &[String], random: &mut Random) -> Value {
    let lines = 1 + random.below(LINES_MAX);
    let mut picked: Vec<&str> = Vec::new();
    for _ in 0..lines {
        let many = u64::try_from(skus.len()).unwrap_or(u64::MAX);
        let among = if random.below(HOT_ONE_IN) == 0 {
            HOT_PRODUCTS.min(many)
        } else {
            many
        };
        let index = usize::try_from(random.below(among)).unwrap_or(0);
        if let Some(sku) = skus
            .get(index)
            .filter(|sku| !picked.contains(&sku.as_str()))
        {
            picked.push(sku);
        }
    }
    let items: Vec<Value> = picked
        .into_iter()
        .map(|sku| json!({ "sku": sku, "quantity": 1 + random.below(3) }))
        .collect();
    json!({ "items": items, "payment_method": "tok_ok" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_valid_and_the_same_on_every_run() {
        let skus: Vec<String> = (0..1_000).map(|index| format!("S{index}")).collect();
        let orders = |seed| -> Vec<Value> {
            let mut random = Random::new(seed);
            (0..200).map(|_| order(&skus, &mut random)).collect()
        };
        for order in orders(7) {
            let items = order["items"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()));
            let mut picked: Vec<_> = items
                .iter()
                .map(|item| item["sku"].as_str().unwrap())
                .collect();
            picked.sort_unstable();
            picked.dedup();
            assert_eq!(picked.len(), items.len(), "no SKU twice");
        }
        assert_eq!(orders(7), orders(7));
        assert_ne!(orders(7), orders(8));
    }

    #[test]
    fn only_final_states_end_an_order() {
        assert_eq!(ended(&json!({"status": "PAID"})).as_deref(), Some("PAID"));
        assert_eq!(ended(&json!({"status": "AWAITING_PAYMENT"})), None);
        assert_eq!(ended(&Value::Null), None);
    }
}
