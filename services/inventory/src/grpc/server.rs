//! What the service puts on the network; how is in `shopapi_rpc::server`.

use std::sync::Arc;

use actor_kit::tree::TreeWindow;
use actor_kit::{ActorError, StopSignal};
use shopapi_proto::inventory::v1::catalog_service_server::CatalogServiceServer;
use shopapi_proto::inventory::v1::inventory_service_server::InventoryServiceServer;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use shopapi_rpc::{Trust, actor_rows, tree_service};
use tokio::net::TcpListener;

use super::Api;
use super::catalog::CatalogApi;
use super::commands::CommandApi;

/// Serves until `stop`, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Api,
    trust: Trust,
    window: TreeWindow,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let bytes_max = api.limits.message_bytes_max;
    let limits = ServerLimits {
        streams_max: api.limits.streams_max,
        connection_age_max: api.limits.connection_age_max,
        ..ServerLimits::default()
    };
    let exposed = Exposed::new()
        .with(
            InventoryServiceServer::new(CommandApi::new(api.clone()))
                .max_decoding_message_size(bytes_max)
                .max_encoding_message_size(bytes_max),
        )
        .with(
            CatalogServiceServer::new(CatalogApi::new(api))
                .max_decoding_message_size(bytes_max)
                .max_encoding_message_size(bytes_max),
        )
        .with(tree_service("inventory", move || actor_rows!(window)));
    let stopped = stop.cancelled_owned();
    Ok(server::serve(Arc::new(listener), exposed, trust, limits, stopped).await?)
}
