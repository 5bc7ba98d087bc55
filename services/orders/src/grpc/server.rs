//! What the service puts on the network; how is in `shopapi_rpc::server`.

use std::sync::Arc;
use std::time::Duration;

use actor_kit::tree::TreeWindow;
use actor_kit::{ActorError, StopSignal};
use shopapi_proto::admin::v1::orders_admin_server::OrdersAdminServer;
use shopapi_proto::orders::v1::orders_service_server::OrdersServiceServer;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use shopapi_rpc::{Trust, tree_service};
use tokio::net::TcpListener;

use super::admin::AdminApi;
use super::orders::OrdersApi;
use super::{Api, tree};

/// What requests under way get when the service stops; longer than the stock takes to answer, short of the platform's patience.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);
/// What a call may take beyond the longest wait that a caller may ask for: the stock's answer and the commits around it.
const CALL_SLACK: Duration = Duration::from_secs(10);

/// Serves until `stop`, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Api,
    trust: Trust,
    window: TreeWindow,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let bytes_max = api.limits.message_bytes_max;
    let longest = api.limits.wait_max + CALL_SLACK;
    let limits = ServerLimits {
        streams_max: api.limits.streams_max,
        call_deadline: longest,
        connection_age_max: api.limits.connection_age_max,
        connection_age_grace: longest,
        drain_deadline: DRAIN_DEADLINE,
        ..ServerLimits::default()
    };
    let admin = OrdersAdminServer::new(AdminApi(api.operators.clone()))
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    let orders = OrdersServiceServer::new(OrdersApi::new(api, stop.clone()))
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    let tree = tree_service("orders", move || tree::actors(&window));
    let exposed = Exposed::new().with(orders).with(admin).with(tree);
    let stopped = stop.cancelled_owned();
    Ok(server::serve(Arc::new(listener), exposed, trust, limits, stopped).await?)
}
