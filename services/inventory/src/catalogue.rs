//! Reads of the catalogue, on a pool of their own: a crowd of readers does not slow a reservation down.

use std::time::Duration;

use inventory_sql::queries::catalogue::{self as sql, Product as ProductRow};
use shopapi_postgres::{Failure, FailureClass, ReadPool};
use stock::Sku;
use tokio::time::timeout;
use tracing::warn;

/// A product on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its SKU.
    pub sku: String,
    /// What people call it.
    pub name: String,
    /// The price of one piece, in cents.
    pub unit_price_cents: i64,
    /// The price's currency, ISO 4217.
    pub currency: String,
    /// Pieces that can be had at the moment of reading.
    pub available: i64,
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        let ProductRow {
            sku,
            name,
            unit_price_cents,
            currency,
            available,
        } = row;
        Self {
            sku,
            name,
            unit_price_cents,
            currency,
            available,
        }
    }
}

/// One page of products, in the order of their SKUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The products.
    pub products: Vec<Product>,
    /// The SKU to go on after; `None` on the last page.
    pub next_after: Option<String>,
}

/// The database did not answer. Why, is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue is not available")]
pub struct Unavailable;

/// The catalogue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pool: ReadPool,
    deadline: Duration,
}

impl Catalogue {
    /// A catalogue that reads from `pool`, each read within `deadline`.
    #[must_use]
    pub fn new(pool: ReadPool, deadline: Duration) -> Self {
        Self { pool, deadline }
    }

    /// Up to `limit` products after the SKU `after` (`""` for the first page). A product that is added meanwhile is on the page where
    /// it belongs or on none, and no product is on two.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn list(&self, limit: u32, after: &str) -> Result<Page, Unavailable> {
        // One row more than asked for tells whether there is another page.
        let rows_max = i64::from(limit) + 1;
        let mut products = self.read(Query::List { after, rows_max }).await?;
        let more = i64::try_from(products.len()).is_ok_and(|count| count == rows_max);
        if more {
            products.pop();
        }
        let last = products.last().filter(|_| more);
        let next_after = last.map(|product| product.sku.clone());
        Ok(Page {
            products,
            next_after,
        })
    }

    /// The product, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn get(&self, sku: &Sku) -> Result<Option<Product>, Unavailable> {
        Ok(self.read(Query::Get { sku: sku.as_str() }).await?.pop())
    }

    async fn read(&self, query: Query<'_>) -> Result<Vec<Product>, Unavailable> {
        match timeout(self.deadline, self.read_twice(query)).await {
            Ok(Ok(found)) => Ok(found.into_iter().map(Product::from).collect()),
            Ok(Err(failure)) => {
                warn!(%failure, "the catalogue cannot be read");
                Err(Unavailable)
            }
            Err(_elapsed) => {
                warn!(deadline = ?self.deadline, "the catalogue was not read in time");
                Err(Unavailable)
            }
        }
    }

    /// A read may be repeated: once, for what a new connection or a new plan cures.
    async fn read_twice(&self, query: Query<'_>) -> Result<Vec<ProductRow>, Failure> {
        let failure = match self.read_once(query).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        match failure.class {
            FailureClass::Unknown | FailureClass::Retry | FailureClass::StalePlan => {
                self.read_once(query).await
            }
            FailureClass::Data | FailureClass::Disconnected | FailureClass::Other => Err(failure),
        }
    }

    async fn read_once(&self, query: Query<'_>) -> Result<Vec<ProductRow>, Failure> {
        let client = self.pool.get().await?;
        let found = match query {
            Query::List { after, rows_max } => {
                sql::list_products()
                    .bind(&client, &after, &rows_max)
                    .all()
                    .await
            }
            Query::Get { sku } => sql::get_product().bind(&client, &sku).all().await,
        };
        found.map_err(|error| self.pool.judge(client, &error))
    }
}

/// A read, repeatable.
#[derive(Clone, Copy, Debug)]
enum Query<'a> {
    List { after: &'a str, rows_max: i64 },
    Get { sku: &'a str },
}
