//! The gateway's own gRPC port, for operators and probes; customers never see it.

use std::sync::Arc;

use actor_kit::tree::TreeWindow;
use actor_kit::{ActorError, StopSignal};
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use shopapi_rpc::{Trust, actor_rows, tree_service};
use tokio::net::TcpListener;

/// Serves until `stop`. While it does, the gateway follows the files of its identity.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    trust: Trust,
    window: TreeWindow,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let tree = tree_service("gateway", move || actor_rows!(window));
    let stopped = stop.cancelled_owned();
    Ok(server::serve(
        listener,
        Exposed::new().with(tree),
        trust,
        ServerLimits::default(),
        stopped,
    )
    .await?)
}
