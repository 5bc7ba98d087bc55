//! Owns the gRPC channel to inventory's catalogue: reads only.
//!
//! A crash loses the calls in flight, whose askers learn it at once; the channel is built anew.

use std::time::Duration;

use actor_kit::{Actor, ActorError, Ctx, Reply};
use shopapi_proto::inventory::v1::catalog_service_client::CatalogServiceClient;
use shopapi_proto::inventory::v1::{
    GetProductRequest, GetProductResponse, ListProductsRequest, ListProductsResponse,
};
use shopapi_rpc::{Balanced, ClientTrust, Endpoints};

use crate::rpc::{self, Answer, Method, Repeat};

const SERVICE: &str = "shopapi.inventory.v1.CatalogService";
/// Largest answer that is read: a page of 100 products takes about 20 KiB.
const RESPONSE_BYTES_MAX: usize = 512 * 1024;
/// Largest request that is sent: a cursor and a number.
const REQUEST_BYTES_MAX: usize = 4 * 1024;

/// One call to the catalogue. Sent by the HTTP handlers; the reply is the callee's answer.
pub(crate) enum CatalogCall {
    /// A page of products.
    List {
        request: ListProductsRequest,
        reply: Reply<Answer<ListProductsResponse>>,
    },
    /// One product.
    Get {
        request: GetProductRequest,
        reply: Reply<Answer<GetProductResponse>>,
    },
}

/// The actor.
pub(crate) struct CatalogClient {
    client: CatalogServiceClient<Balanced>,
    call_deadline: Duration,
}

impl CatalogClient {
    /// A client that connects at its first call.
    pub(crate) fn new(inventory: Endpoints, trust: ClientTrust, call_deadline: Duration) -> Self {
        Self {
            client: CatalogServiceClient::new(Balanced::connect(inventory, trust))
                .max_decoding_message_size(RESPONSE_BYTES_MAX)
                .max_encoding_message_size(REQUEST_BYTES_MAX),
            call_deadline,
        }
    }
}

impl Actor for CatalogClient {
    type Msg = CatalogCall;

    async fn handle(&mut self, ctx: &Ctx<Self>, message: CatalogCall) -> Result<(), ActorError> {
        let mut client = self.client.clone();
        let deadline = self.call_deadline;
        match message {
            CatalogCall::List { request, reply } => {
                let method = Method {
                    service: SERVICE,
                    name: "ListProducts",
                    repeat: Repeat::Harmless,
                    order_id: None,
                };
                rpc::forward(
                    ctx,
                    method,
                    deadline,
                    request,
                    reply,
                    |_| None,
                    |request| async move { client.list_products(request).await },
                );
            }
            CatalogCall::Get { request, reply } => {
                let method = Method {
                    service: SERVICE,
                    name: "GetProduct",
                    repeat: Repeat::Harmless,
                    order_id: None,
                };
                rpc::forward(
                    ctx,
                    method,
                    deadline,
                    request,
                    reply,
                    |_| None,
                    |request| async move { client.get_product(request).await },
                );
            }
        }
        Ok(())
    }

    fn message_name(message: &CatalogCall) -> &'static str {
        match message {
            CatalogCall::List { .. } => "catalog-client list",
            CatalogCall::Get { .. } => "catalog-client get",
        }
    }
}
