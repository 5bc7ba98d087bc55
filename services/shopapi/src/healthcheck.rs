//! `shopapi healthcheck`: asks the service of this machine for `/readyz`, for platforms that probe by running a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use shopapi_tls::PinnedServer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than readiness takes at most, shorter than platforms' own timeouts.
const DEADLINE: Duration = Duration::from_secs(2);
/// The answer is a status line and a few names.
const ANSWER_BYTES_MAX: u64 = 8 * 1024;

/// Whom to ask.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) listens_at: SocketAddr,
    /// Where TLS is spoken: the certificate that the service shows.
    pub(crate) tls: Option<PinnedServer>,
}

/// Fails with what the service said unless it is ready.
pub(crate) async fn run(asked: &Asked) -> anyhow::Result<()> {
    let addr = reachable(asked.listens_at);
    let answer = tokio::time::timeout(DEADLINE, ask(addr, asked.tls.as_ref()))
        .await
        .with_context(|| format!("{addr} did not answer within {} s", DEADLINE.as_secs()))??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        Some(_) => bail!("not ready: {}", body.trim()),
        None => bail!("{addr} does not speak HTTP"),
    }
}

async fn ask(addr: SocketAddr, tls: Option<&PinnedServer>) -> anyhow::Result<String> {
    let stream = TcpStream::connect(addr)
        .await
        .with_context(|| format!("cannot connect to {addr}"))?;
    match tls {
        None => exchange(addr, stream).await,
        Some(server) => {
            let stream = server.connect(addr, stream).await;
            let stream = stream.with_context(|| {
                format!("{addr} does not speak TLS with the certificate of SHOPAPI_HTTP_TLS_DIR")
            })?;
            exchange(addr, stream).await
        }
    }
}

async fn exchange(
    addr: SocketAddr,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> anyhow::Result<String> {
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    // A connection that is not closed properly after its answer has answered.
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A service that listens everywhere is asked over loopback.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn in_the_clear(listens_at: SocketAddr) -> Asked {
        Asked {
            listens_at,
            tls: None,
        }
    }

    /// A server that answers one connection with `answer`.
    async fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /readyz "));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        addr
    }

    #[tokio::test]
    async fn ready_is_ok_and_everything_else_says_why_not() {
        let ready = server("HTTP/1.1 200 OK\r\n\r\n{}").await;
        assert!(run(&in_the_clear(ready)).await.is_ok());

        let unready =
            server("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"failing\":[\"database\"]}").await;
        let error = run(&in_the_clear(unready)).await.unwrap_err().to_string();
        assert!(error.contains("database"), "{error}");

        let stranger = server("").await;
        assert!(
            run(&in_the_clear(stranger))
                .await
                .unwrap_err()
                .to_string()
                .contains("HTTP")
        );
    }

    #[tokio::test]
    async fn nobody_there_is_not_ready() {
        let free = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let error = run(&in_the_clear(free)).await.unwrap_err().to_string();
        assert!(error.contains("cannot connect"), "{error}");
    }

    #[test]
    fn a_service_that_listens_everywhere_is_asked_over_loopback() {
        let at = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:9101"), "127.0.0.1:9101");
        assert_eq!(at("[::]:9101"), "[::1]:9101");
        assert_eq!(at("10.0.0.7:9101"), "10.0.0.7:9101");
    }
}
