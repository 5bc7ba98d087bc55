//! How the service is put on the network. Transport security and the callers' identity belong here and nowhere else.

use std::time::Duration;

use actor_kit::{ActorError, StopSignal};
use shopapi_proto::admin::v1::orders_admin_server::OrdersAdminServer;
use shopapi_proto::orders::v1::orders_service_server::OrdersServiceServer;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::warn;

use super::Api;
use super::admin::AdminApi;
use super::orders::OrdersApi;

/// Pings on a silent connection: below the idle cut-off of common load balancers.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// A ping without an answer for this long means that the caller is gone.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// What requests under way get when the service stops; longer than the stock takes to answer, short of the platform's patience.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);
/// What requests under way get when a connection is asked to move on: as long as the longest wait that a caller may ask for.
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(35);
/// Bytes of a request's headers: a token and a trace context fit many times.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// Serves until `stop`, then finishes the requests under way.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Api,
    stop: StopSignal,
) -> Result<(), ActorError> {
    let limits = std::sync::Arc::clone(&api.limits);
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<OrdersServiceServer<OrdersApi>>()
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(shopapi_proto::DESCRIPTORS)
        .build_v1()?;
    let bytes_max = limits.message_bytes_max;
    let admin = OrdersAdminServer::new(AdminApi(api.operators.clone()))
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    let routes = Routes::new(health)
        .add_service(reflection)
        .add_service(admin)
        .add_service(
            OrdersServiceServer::new(OrdersApi::new(api, stop.clone()))
                .max_decoding_message_size(bytes_max)
                .max_encoding_message_size(bytes_max),
        );
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(KEEPALIVE_INTERVAL));
    let draining = stop.clone();
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(limits.streams_max)
        .max_connection_age(limits.connection_age_max)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async move {
            draining.cancelled().await;
            health_reporter
                .set_not_serving::<OrdersServiceServer<OrdersApi>>()
                .await;
        });
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => return ended.map_err(ActorError::from),
        () = stop.cancelled() => {}
    }
    // A caller that keeps a stream open can hold a graceful shutdown up for ever.
    match timeout(DRAIN_DEADLINE, server).await {
        Ok(ended) => ended.map_err(ActorError::from),
        Err(_elapsed) => {
            warn!("connections closed with requests under way");
            Ok(())
        }
    }
}
