//! The few words of the NATS protocol that it takes to look into a stream: by TLS, as the identity `shopctl`.
//!
//! Services speak to the bus through the crate `jetstream`; a test that used the same client would share its mistakes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use rustls_pki_types::ServerName;
use serde_json::Value;
use shopapi_tls::{Identity, IdentityFiles};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const DEADLINE: Duration = Duration::from_secs(5);
const PORT: u16 = 4222;
/// Where answers come to: the one inbox that the permissions of `shopctl` name.
const INBOX: &str = "_INBOX.shopctl.smoke";
/// Larger than any event.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A connection to the bus.
pub(super) struct Bus {
    stream: BufReader<TlsStream<TcpStream>>,
}

/// An event as it lies in a stream.
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) subject: String,
    /// The headers, as text.
    pub(super) headers: String,
}

impl Bus {
    /// Connects with the identity in this directory.
    pub(super) async fn connect(url: &str, identity: &Path) -> Result<Self> {
        tokio::time::timeout(DEADLINE, Self::greet(url, identity))
            .await
            .with_context(|| format!("{url} does not answer"))?
    }

    async fn greet(url: &str, identity: &Path) -> Result<Self> {
        let (host, port) = host_and_port(url)?;
        let identity = Identity::load(IdentityFiles::in_dir(identity))?;
        let mut plain = TcpStream::connect((host, port))
            .await
            .with_context(|| format!("connecting to {host}:{port}"))?;
        // NATS greets in the clear; what follows is TLS. Byte by byte, because what comes after the line belongs to TLS.
        let mut greeting = Vec::new();
        while !greeting.ends_with(b"\n") {
            greeting.push(plain.read_u8().await?);
            ensure!(greeting.len() < 64 * 1024, "{url} does not speak NATS");
        }
        ensure!(greeting.starts_with(b"INFO "), "{url} does not speak NATS");
        let name = ServerName::try_from(host.to_owned()).context("the host is no name")?;
        let tls = TlsConnector::from(identity.client_config(&[]))
            .connect(name, plain)
            .await
            .context("TLS with NATS")?;
        let mut bus = Self {
            stream: BufReader::new(tls),
        };
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"tls_required\":true,\"headers\":true,\"no_responders\":true,\
             \"protocol\":1,\"lang\":\"rust\",\"version\":\"1\",\"name\":\"shopctl smoke\"}}\r\nSUB {INBOX}.* 1\r\nPING\r\n"
        );
        bus.send(hello.as_bytes()).await?;
        while bus.line().await? != "PONG" {}
        Ok(bus)
    }

    /// The sequence of the newest event of a stream.
    pub(super) async fn last_sequence(&mut self, stream: &str) -> Result<u64> {
        let answer = self
            .ask(&format!("$JS.API.STREAM.INFO.{stream}"), "")
            .await?;
        let last = answer.pointer("/state/last_seq").and_then(Value::as_u64);
        last.with_context(|| format!("the stream {stream}: {answer}"))
    }

    /// The first event of a stream at or after a sequence; `None` when there is none.
    pub(super) async fn next(&mut self, stream: &str, from: u64) -> Result<Option<Stored>> {
        let query = format!("{{\"seq\":{from},\"next_by_subj\":\">\"}}");
        let answer = self
            .ask(&format!("$JS.API.STREAM.MSG.GET.{stream}"), &query)
            .await?;
        let Some(message) = answer.get("message") else {
            let code = answer.pointer("/error/code").and_then(Value::as_u64);
            ensure!(code == Some(404), "the stream {stream}: {answer}");
            return Ok(None);
        };
        let text = |field: &str| {
            message
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let headers = base64::engine::general_purpose::STANDARD
            .decode(text("hdrs"))
            .context("headers of an event")?;
        Ok(Some(Stored {
            sequence: message
                .get("seq")
                .and_then(Value::as_u64)
                .context("an event without a sequence")?,
            subject: text("subject").to_owned(),
            headers: String::from_utf8_lossy(&headers).into_owned(),
        }))
    }

    async fn ask(&mut self, subject: &str, payload: &str) -> Result<Value> {
        let answer = async {
            let request = format!("PUB {subject} {INBOX}.1 {}\r\n{payload}\r\n", payload.len());
            self.send(request.as_bytes()).await?;
            self.answer().await
        };
        tokio::time::timeout(DEADLINE, answer)
            .await
            .with_context(|| format!("no answer to {subject}; may `shopctl` ask that?"))?
            .with_context(|| subject.to_owned())
    }

    async fn answer(&mut self) -> Result<Value> {
        loop {
            let line = self.line().await?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => self.send(b"PONG\r\n").await?,
                ["MSG", .., size] => {
                    let payload = self.payload(size).await?;
                    return serde_json::from_slice(&payload).context("the answer is not JSON");
                }
                // Headers without a body say that nobody listens there.
                ["HMSG", .., size] => {
                    self.payload(size).await?;
                    bail!("nobody answers: is JetStream on?");
                }
                ["-ERR", ..] => bail!("NATS says {line}"),
                _ => {}
            }
        }
    }

    async fn payload(&mut self, size: &str) -> Result<Vec<u8>> {
        let size: usize = size.parse().context("a size of NATS")?;
        ensure!(size <= ANSWER_BYTES_MAX, "an answer of {size} bytes");
        let mut payload = vec![0; size + 2];
        self.stream.read_exact(&mut payload).await?;
        payload.truncate(size);
        Ok(payload)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        ensure!(
            read > 0,
            "NATS closed the connection; is the identity one that it knows?"
        );
        let line = line.trim_end();
        ensure!(!line.starts_with("-ERR"), "NATS says {line}");
        Ok(line.to_owned())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }
}

/// Of the first server in `tls://host:port[,…]`.
fn host_and_port(url: &str) -> Result<(&str, u16)> {
    let first = url.split(',').next().unwrap_or(url);
    let address = first
        .split_once("://")
        .map_or(first, |(_, address)| address);
    match address.rsplit_once(':') {
        Some((host, port)) => Ok((
            host,
            port.parse().with_context(|| format!("{url} has no port"))?,
        )),
        None => Ok((address, PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_of_a_url_is_asked() {
        assert_eq!(host_and_port("tls://nats:4222").unwrap(), ("nats", 4222));
        assert_eq!(host_and_port("tls://a:1,tls://b:2").unwrap(), ("a", 1));
        assert_eq!(host_and_port("nats").unwrap(), ("nats", PORT));
        assert!(host_and_port("tls://nats:many").is_err());
    }
}
