//! `CatalogService`: reads.

use shopapi_proto::inventory::v1 as proto;
use shopapi_proto::inventory::v1::catalog_service_server::CatalogService;
use shopapi_proto::inventory::v1::{
    GetProductRequest, GetProductResponse, ListProductsRequest, ListProductsResponse,
};
use stock::Sku;
use tonic::{Request, Response, Status};

use super::{Api, status};
use crate::catalogue::Product;

/// Products on a page when the caller does not say.
const PAGE_DEFAULT: u32 = 20;
/// Products on a page at most.
const PAGE_MAX: u32 = 100;

/// The reads.
#[derive(Clone, Debug)]
pub(super) struct CatalogApi {
    api: Api,
}

impl CatalogApi {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }
}

#[tonic::async_trait]
impl CatalogService for CatalogApi {
    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let ListProductsRequest { limit, after_sku } = request.into_inner();
        let limit = match u32::try_from(limit) {
            Ok(0) => PAGE_DEFAULT,
            Ok(limit @ 1..=PAGE_MAX) => limit,
            _ => {
                return Err(status::invalid(format!(
                    "limit must be 1 to {PAGE_MAX}, or 0 for {PAGE_DEFAULT}"
                )));
            }
        };
        if !after_sku.is_empty() && Sku::new(&after_sku).is_none() {
            return Err(status::invalid("after_sku is not a SKU"));
        }
        let page = self.api.catalogue.list(limit, &after_sku).await?;
        Ok(Response::new(ListProductsResponse {
            products: page.products.into_iter().map(product).collect(),
            next_after_sku: page.next_after.unwrap_or_default(),
        }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        // A text that cannot be a SKU names no product.
        let sku = Sku::new(&request.into_inner().sku).ok_or_else(status::no_product)?;
        let found = self
            .api
            .catalogue
            .get(&sku)
            .await?
            .ok_or_else(status::no_product)?;
        Ok(Response::new(GetProductResponse {
            product: Some(product(found)),
        }))
    }
}

fn product(product: Product) -> proto::Product {
    let Product {
        sku,
        name,
        unit_price_cents,
        currency,
        available,
    } = product;
    proto::Product {
        sku,
        name,
        unit_price_cents,
        currency,
        available,
    }
}
