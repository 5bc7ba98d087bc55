//! What the shop of a development stack sells.

use anyhow::{Context, Result};
use devstack::Cluster;
use tokio_postgres::Client;

/// One product with its first stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its key.
    pub sku: String,
    /// What people call it.
    pub name: String,
    /// Price of one piece.
    pub unit_price_cents: i64,
    /// Pieces at the beginning.
    pub initial: i64,
}

/// The currency of everything sold here.
pub const CURRENCY: &str = "EUR";

/// A small coffee shop.
#[must_use]
pub fn small() -> Vec<Product> {
    [
        ("BEANS-ESPRESSO", "Espresso beans, 250 g", 1_190, 500),
        ("BEANS-FILTER", "Filter beans, 250 g", 1_290, 500),
        ("MOKA-POT-3", "Moka pot, three cups", 3_490, 40),
        ("GRINDER-HAND", "Hand grinder", 8_900, 12),
        ("CUP-SET-6", "Six espresso cups", 2_450, 60),
        ("MACHINE-GOLD", "Espresso machine, gold-plated", 249_900, 1),
    ]
    .into_iter()
    .map(|(sku, name, unit_price_cents, initial)| Product {
        sku: sku.to_owned(),
        name: name.to_owned(),
        unit_price_cents,
        initial,
    })
    .collect()
}

/// `count` products with stock that no bench can sell out.
#[must_use]
pub fn wide(count: usize) -> Vec<Product> {
    (0_i64..)
        .take(count)
        .map(|index| Product {
            sku: format!("BENCH-{index:05}"),
            name: format!("Bench product {index}"),
            unit_price_cents: 100 + index % 900,
            initial: 1_000_000_000,
        })
        .collect()
}

/// Puts products on offer; those that are on offer already stay as they are.
///
/// Changes of stock are the owner's business, not the service's, so this connects as the owner of `inventorydb`.
///
/// # Errors
/// When the database refuses.
pub async fn put_on_offer(cluster: &Cluster, products: &[Product]) -> Result<()> {
    let client = cluster.connect("inventory_owner", "inventorydb").await?;
    offer(&client, products).await
}

/// The same over a connection to `inventorydb` as its owner.
///
/// # Errors
/// When the database refuses.
pub async fn offer(client: &Client, products: &[Product]) -> Result<()> {
    add(client, products)
        .await
        .context("putting products on offer")
}

async fn add(client: &Client, products: &[Product]) -> Result<(), tokio_postgres::Error> {
    let skus: Vec<&str> = products
        .iter()
        .map(|product| product.sku.as_str())
        .collect();
    let names: Vec<&str> = products
        .iter()
        .map(|product| product.name.as_str())
        .collect();
    let prices: Vec<i64> = products
        .iter()
        .map(|product| product.unit_price_cents)
        .collect();
    let initial: Vec<i64> = products.iter().map(|product| product.initial).collect();
    client
        .execute(
            "SELECT add_product(p.sku, p.name, p.price, $5, p.initial)
             FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS p (sku, name, price, initial)",
            &[&skus, &names, &prices, &initial, &CURRENCY],
        )
        .await
        .map(drop)
}
