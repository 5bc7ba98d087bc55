//! What a customer does: log in, buy, be declined.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, Api};

use super::place::Place;
use super::{Said, until};

/// Pieces per order: more than one, so that a lost factor shows.
const QUANTITY: i64 = 2;

/// What is bought.
pub(super) struct Product {
    sku: String,
}

/// An order that came to its end.
pub(super) struct Placed {
    pub(super) order_id: i64,
    pub(super) trace_id: String,
}

/// A customer of our own: nobody else's orders are mixed in, and it works where no users are seeded.
pub(super) async fn customer(place: &Place) -> Result<Said<Api>> {
    let api = Api::of_url(&place.gateway);
    let email = format!("smoke-{}@example.com", Uuid::now_v7().simple());
    let password = Uuid::new_v4().simple().to_string();
    let body = json!({ "email": email, "password": password });
    until(|| async {
        api.post("/api/v1/auth/register", &body, &[])
            .await?
            .expect(&[201, 409])
    })
    .await?;
    let api = api.login(&email, &password).await?;
    Ok(Said::new(api, place.gateway.clone()))
}

/// The first product with enough of it on stock.
pub(super) async fn product(api: &Api) -> Result<Said<Product>> {
    let page =
        until(|| async { api.get("/api/v1/products?limit=100").await?.expect(&[200]) }).await?;
    let products = page.body.get("products").and_then(Value::as_array);
    let products = products.context("the answer has no list of products")?;
    let enough = |product: &&Value| {
        product
            .get("available")
            .and_then(Value::as_i64)
            .is_some_and(|pieces| pieces >= 2 * QUANTITY)
    };
    let product = products
        .iter()
        .find(enough)
        .context("nothing on offer has enough stock: run `shopctl offer`")?;
    let sku = product
        .get("sku")
        .and_then(Value::as_str)
        .context("a product has no sku")?
        .to_owned();
    let detail = format!("{} products, taking {sku}", products.len());
    Ok(Said::new(Product { sku }, detail))
}

async fn available(api: &Api, product: &Product) -> Result<i64> {
    let answer = api
        .get(&format!("/api/v1/products/{}", product.sku))
        .await?
        .expect(&[200])?;
    answer
        .body
        .get("available")
        .and_then(Value::as_i64)
        .context("the product does not say what is available")
}

async fn place_order(api: &Api, product: &Product, payment_method: &str) -> Result<i64> {
    let body = json!({
        "items": [{ "sku": product.sku, "quantity": QUANTITY }],
        "payment_method": payment_method,
    });
    let key = Uuid::now_v7().to_string();
    let answer = api
        .post("/api/v1/orders", &body, &[("idempotency-key", &key)])
        .await?
        .expect(&[201])?;
    answer.order_id()
}

/// The order once it says `status` and nothing more is to be done for it.
async fn ended(api: &Api, order_id: i64, status: &str, last_step: &str) -> Result<Answer> {
    until(|| async {
        let order = api
            .get(&format!("/api/v1/orders/{order_id}"))
            .await?
            .expect(&[200])?;
        let is = order.text("status").to_owned();
        ensure!(is == status, "order {order_id} is {is}, should be {status}");
        let timeline = api
            .get(&format!("/api/v1/orders/{order_id}/timeline"))
            .await?
            .expect(&[200])?;
        let step = last_of(&timeline.body).unwrap_or_default();
        ensure!(
            step == last_step,
            "order {order_id} rests at step {step}, should be {last_step}"
        );
        Ok(order)
    })
    .await
}

/// The step of the last entry of a timeline.
fn last_of(timeline: &Value) -> Option<&str> {
    let last = timeline.get("entries")?.as_array()?.last()?;
    last.get("saga_step")?.as_str()
}

fn placed(order_id: i64, order: &Answer) -> Placed {
    Placed {
        order_id,
        trace_id: order.text("trace_id").to_owned(),
    }
}

/// An order that is paid takes its pieces from the stock for good.
pub(super) async fn paid(api: &Api, product: &Product) -> Result<Said<Placed>> {
    let before = available(api, product).await?;
    let order_id = place_order(api, product, "tok_ok").await?;
    let order = ended(api, order_id, "PAID", "completed").await?;
    let after = available(api, product).await?;
    if after != before - QUANTITY {
        bail!(
            "{before} pieces before, {after} after an order of {QUANTITY}; does somebody else buy?"
        );
    }
    Ok(Said::new(
        placed(order_id, &order),
        format!("order {order_id}, stock {before} → {after}"),
    ))
}

/// An order that is declined leaves the stock as it was.
pub(super) async fn declined(api: &Api, product: &Product) -> Result<Said<Placed>> {
    let before = available(api, product).await?;
    let order_id = place_order(api, product, "tok_declined").await?;
    let order = ended(api, order_id, "CANCELLED", "cancelled").await?;
    let reason = order.text("cancel_reason");
    ensure!(
        reason == "payment_declined",
        "cancel_reason is {reason}, should be payment_declined"
    );
    let after = available(api, product).await?;
    ensure!(
        after == before,
        "{before} pieces before, {after} after; does somebody else buy?"
    );
    Ok(Said::new(
        placed(order_id, &order),
        format!("order {order_id}, stock {before} = {after}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_is_found() {
        let entries = json!([{ "saga_step": "reserving" }, { "saga_step": "completed" }]);
        assert_eq!(last_of(&json!({ "entries": entries })), Some("completed"));
        assert_eq!(last_of(&json!({})), None);
    }
}
