//! Asks a health port for its status: the few lines of HTTP that waiting for readiness needs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A service that does not answer its health port within this is not ready.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);

/// The status of `GET path` at `addr`, or `None` when nobody answers properly.
pub async fn get_status(addr: SocketAddr, path: &str) -> Option<u16> {
    let ask = async {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head)
            .ok()?
            .strip_prefix("HTTP/1.1 ")?
            .parse()
            .ok()
    };
    tokio::time::timeout(ANSWER_DEADLINE, ask)
        .await
        .ok()
        .flatten()
}
