//! How other services are reached. Transport security, our identity and the choice among a callee's replicas belong here and nowhere else.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint, Uri};

/// How long one attempt to connect may take; the callee is in the same network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A ping this often finds a partition, after which an HTTP/2 connection never recovers by itself.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a ping may stay unanswered before the connection is replaced.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel that connects at its first call and again whenever it has to.
pub(super) fn open(callee: Uri) -> Channel {
    Endpoint::from(callee)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy()
}
