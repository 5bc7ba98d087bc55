//! A call on a socket of its own, its answer, and what is wrong with it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Input, Want};

/// Above every limit of the gateway: 30 s for a head, 10 s for a body.
pub(super) const REFUSED_WITHIN: Duration = Duration::from_secs(45);

/// Everything that comes back until the connection is closed.
pub(super) async fn exchange(gateway: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    // The gateway may close before everything is written.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    // A reset after the answer is a close as well.
    let _ = tokio::time::timeout(REFUSED_WITHIN, stream.read_to_end(&mut answer))
        .await
        .expect("not refused in bounded time");
    String::from_utf8_lossy(&answer).into_owned()
}

pub(super) fn status(answer: &str) -> Option<u16> {
    answer
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| answer.strip_prefix("HTTP/1.0 "))?
        .get(..3)?
        .parse()
        .ok()
}

pub(super) fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or(Value::Null)
}

/// How an answer refuses, in words that can be counted.
pub(super) fn kind(answer: &str) -> String {
    match (status(answer), body(answer)["type"].as_str()) {
        (Some(code), Some(kind)) => format!("{code} {kind}"),
        (Some(code), None) => format!("{code} bare"),
        (None, _) => "closed without an answer".to_owned(),
    }
}

/// What is wrong with the answer to an input, if anything.
pub(super) fn complaint(input: &Input, answer: &str) -> Option<String> {
    let Input { name, want, .. } = input;
    let refused = match *want {
        Want::Problem(code, kind) => {
            let body = body(answer);
            let problem = answer
                .to_ascii_lowercase()
                .contains("content-type: application/problem+json");
            let advice = body["detail"].as_str().is_some_and(|text| text.len() > 10);
            status(answer) == Some(code) && body["type"] == kind && problem && advice
        }
        Want::Bare => {
            let bare = status(answer).is_some_and(|code| (400..500).contains(&code));
            answer.is_empty() || (bare && body(answer).is_null())
        }
    };
    // One answer: nothing of what followed was read as a second call.
    let once = answer.matches("HTTP/1.").count() <= 1;
    (!refused || !once).then(|| {
        let start: String = answer.chars().take(600).collect();
        format!("{name}: wanted {want:?}, got {start:?}")
    })
}
