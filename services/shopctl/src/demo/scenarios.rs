//! The four orders: what is sent and what has to come of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::client::{Answer, Api};

/// An order that takes longer than this to end has gone wrong. Flaky charges are retried with growing pauses, but a
/// cancel does not wait for them.
const END_DEADLINE: Duration = Duration::from_secs(30);
/// How often an order that has not ended is looked at again.
const POLL: Duration = Duration::from_millis(25);

/// One order to place.
pub(super) struct Scenario {
    /// Its headline.
    pub(super) title: &'static str,
    /// What it shows.
    pub(super) about: &'static str,
    /// SKU and quantity.
    pub(super) items: &'static [(&'static str, i64)],
    /// What the simulated provider is told to do.
    pub(super) payment_method: &'static str,
    /// Ask the order to be cancelled while its payment is under way.
    pub(super) cancel: bool,
    /// The status of the answer to the POST.
    created: u16,
    /// The status the order ends in.
    ends: &'static str,
    /// Its `cancel_reason`, when it has one.
    reason: Option<&'static str>,
}

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        title: "Paid",
        about: "stock is held, the charge is captured, the goods are sold",
        items: &[("BEANS-ESPRESSO", 2), ("MOKA-POT-3", 1)],
        payment_method: "tok_ok",
        cancel: false,
        created: 201,
        ends: "PAID",
        reason: None,
    },
    Scenario {
        title: "Declined, and given back",
        about: "the charge is refused, so the held stock is released",
        items: &[("CUP-SET-6", 2)],
        payment_method: "tok_declined",
        cancel: false,
        created: 201,
        ends: "CANCELLED",
        reason: Some("payment_declined"),
    },
    Scenario {
        title: "Out of stock",
        about: "one machine is there and two are wanted: nothing is held, nothing is charged",
        items: &[("MACHINE-GOLD", 2)],
        payment_method: "tok_ok",
        cancel: false,
        created: 409,
        ends: "REJECTED",
        reason: None,
    },
    Scenario {
        title: "Cancelled by the customer",
        about: "the provider keeps failing, the customer gives up: the payment is voided, then the stock is released",
        items: &[("GRINDER-HAND", 1)],
        payment_method: "tok_flaky_50",
        cancel: true,
        created: 201,
        ends: "CANCELLED",
        reason: Some("user_requested"),
    },
];

/// What happened to an order.
pub(super) struct Story {
    /// The answer to the POST.
    pub(super) created: Answer,
    /// The answer to the cancel, when there was one.
    pub(super) cancelled: Option<Answer>,
    /// The order at its end.
    pub(super) order: Value,
    /// Its transitions, oldest first.
    pub(super) timeline: Vec<Value>,
    /// From the POST to its end.
    pub(super) took: Duration,
    /// What is not as it should be.
    pub(super) complaints: Vec<String>,
}

/// Places the order, cancels it when the scenario says so, and follows it to its end.
///
/// # Errors
/// When the API does not answer as documented, or the order does not end.
pub(super) async fn play(api: &Api, scenario: &Scenario) -> Result<Story> {
    let items: Vec<Value> = scenario
        .items
        .iter()
        .map(|(sku, quantity)| json!({ "sku": sku, "quantity": quantity }))
        .collect();
    let body = json!({ "items": items, "payment_method": scenario.payment_method });
    let started = Instant::now();
    let created = api
        .post("/api/v1/orders", &body, &[])
        .await?
        .expect(&[scenario.created])?;
    let order_id = created.order_id()?;
    let cancelled = if scenario.cancel {
        let path = format!("/api/v1/orders/{order_id}/cancel");
        Some(
            api.post(&path, &Value::Null, &[])
                .await?
                .expect(&[200, 202])?,
        )
    } else {
        None
    };
    let order = until_ended(api, order_id).await?;
    let took = started.elapsed();
    let timeline = until_at_rest(api, order_id).await?;
    let mut complaints = Vec::new();
    let mut check = |what: &str, is: Option<&str>, should: Option<&str>| {
        if is != should {
            complaints.push(format!("{what} is {is:?}, should be {should:?}"));
        }
    };
    check(
        "status",
        order.get("status").and_then(Value::as_str),
        Some(scenario.ends),
    );
    check(
        "cancel_reason",
        order.get("cancel_reason").and_then(Value::as_str),
        scenario.reason,
    );
    Ok(Story {
        created,
        cancelled,
        order,
        timeline,
        took,
        complaints,
    })
}

async fn until_ended(api: &Api, order_id: i64) -> Result<Value> {
    let deadline = Instant::now() + END_DEADLINE;
    loop {
        let answer = api
            .get(&format!("/api/v1/orders/{order_id}"))
            .await?
            .expect(&[200])?;
        if is_final(answer.text("status")) {
            return Ok(answer.body);
        }
        if Instant::now() > deadline {
            bail!(
                "order {order_id} has not ended after {END_DEADLINE:?}: {}",
                answer.body
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A paid order's goods are marked sold a moment after its end; the story includes that.
async fn until_at_rest(api: &Api, order_id: i64) -> Result<Vec<Value>> {
    let deadline = Instant::now() + END_DEADLINE;
    loop {
        let answer = api
            .get(&format!("/api/v1/orders/{order_id}/timeline"))
            .await?
            .expect(&[200])?;
        let entries = entries(&answer.body).context("the timeline has no entries")?;
        let state = entries
            .last()
            .and_then(|last| last.get("saga_state")?.as_str())
            .unwrap_or_default();
        if ["COMPLETED", "COMPENSATED", "STUCK"].contains(&state) {
            return Ok(entries);
        }
        if Instant::now() > deadline {
            bail!(
                "the saga of order {order_id} is not at rest after {END_DEADLINE:?}: {}",
                answer.body
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

fn entries(body: &Value) -> Option<Vec<Value>> {
    body.get("entries").unwrap_or(body).as_array().cloned()
}

fn is_final(status: &str) -> bool {
    ["PAID", "REJECTED", "CANCELLED", "REFUNDED"].contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_orders_what_the_shop_sells() {
        let catalogue = crate::catalogue::small();
        for scenario in &SCENARIOS {
            assert!(is_final(scenario.ends), "{}", scenario.title);
            for (sku, quantity) in scenario.items {
                let product = catalogue
                    .iter()
                    .find(|product| product.sku == *sku)
                    .unwrap();
                let short = *quantity > product.initial;
                assert_eq!(short, scenario.ends == "REJECTED", "{}", scenario.title);
            }
        }
    }
}
