//! The gateway's own gRPC port, for operators and probes; customers never see it.

use std::sync::Arc;

use actor_kit::{ActorError, StopSignal};
use shopapi_rpc::Trust;
use shopapi_rpc::server::{self, Exposed, ServerLimits};
use tokio::net::TcpListener;

/// Serves until `stop`. While it does, the gateway follows the files of its identity.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    trust: Trust,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let stopped = stop.cancelled_owned();
    Ok(server::serve(
        listener,
        Exposed::new(),
        trust,
        ServerLimits::default(),
        stopped,
    )
    .await?)
}
