//! The catalogue. Open to everybody: prices and stock are what a shop shows.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use shopapi_proto::inventory::v1::{GetProductRequest, ListProductsRequest};

use super::Shared;
use super::errors::{Subject, broken_contract, from_ask, from_status, not_found};
use super::extract::{Params, page_size};
use super::model::{Product, ProductPage};
use super::new_order::is_sku;
use super::problem::{Problem, ProblemDocument};
use crate::catalog_client::CatalogCall;

/// Which page of the products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProductsQuery {
    /// 1 to 100; 20 when left out.
    limit: Option<i32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List products.
#[utoipa::path(
    get,
    path = "/api/v1/products",
    tag = "products",
    params(ProductsQuery),
    responses(
        (status = 200, description = "A page of products, by SKU", body = ProductPage),
        (status = 400, description = "invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(api): State<Shared>,
    Params(query): Params<ProductsQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let after_sku = query.cursor.unwrap_or_default();
    if !after_sku.is_empty() && !is_sku(&after_sku, api.limits.sku_bytes_max) {
        return Err(Problem::invalid_one(
            "query:cursor",
            "must be a `next_cursor` of this list",
        ));
    }
    let request = ListProductsRequest {
        limit: page_size(query.limit)?,
        after_sku,
    };
    let page = api
        .catalog
        .ask(api.limits.answer_deadline(), |reply| CatalogCall::List {
            request,
            reply,
        })
        .await
        .map_err(|error| from_ask(Subject::Product, error))?
        .map_err(|status| from_status(Subject::Product, &status))?;
    Ok(Json(ProductPage {
        products: page.products.into_iter().map(Product::from).collect(),
        next_cursor: Some(page.next_after_sku).filter(|cursor| !cursor.is_empty()),
    }))
}

/// Get a product.
#[utoipa::path(
    get,
    path = "/api/v1/products/{sku}",
    tag = "products",
    params(("sku" = String, Path, description = "The product's SKU", example = "TEA-GREEN-100")),
    responses(
        (status = 200, description = "The product", body = Product),
        (status = 404, description = "product-not-found", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(api): State<Shared>,
    Path(sku): Path<String>,
) -> Result<Json<Product>, Problem> {
    if !is_sku(&sku, api.limits.sku_bytes_max) {
        return Err(not_found(Subject::Product));
    }
    let request = GetProductRequest { sku };
    let found = api
        .catalog
        .ask(api.limits.answer_deadline(), |reply| CatalogCall::Get {
            request,
            reply,
        })
        .await
        .map_err(|error| from_ask(Subject::Product, error))?
        .map_err(|status| from_status(Subject::Product, &status))?;
    let product = found
        .product
        .ok_or_else(|| broken_contract("answer without its product"))?;
    Ok(Json(product.into()))
}
