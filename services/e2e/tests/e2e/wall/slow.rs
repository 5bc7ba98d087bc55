//! Those who keep a connection and send next to nothing, and those who guess under many addresses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::exchange::{REFUSED_WITHIN, body, exchange, status};
use super::{ORDERS, request};

/// What dawdles: sends `bytes`, then one byte now and then, and expects an end.
async fn dawdle(gateway: SocketAddr, bytes: Vec<u8>, drip: &'static [u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        let mut chunk = [0; 512];
        tokio::select! {
            read = stream.read(&mut chunk) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            },
            _ = tick.tick() => { let _ = stream.write_all(drip).await; }
        }
        assert!(began.elapsed() < REFUSED_WITHIN, "still open");
    }
    (
        String::from_utf8_lossy(&answer).into_owned(),
        began.elapsed(),
    )
}

pub(super) async fn assert_the_slow_are_cut_off(gateway: SocketAddr, headers: &str) -> usize {
    let head = format!("{ORDERS} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{headers}");
    let (silent, in_head, in_body, stalled) = tokio::join!(
        dawdle(gateway, Vec::new(), b""),
        dawdle(gateway, head.clone().into_bytes(), b"x-a: b\r\n"),
        dawdle(
            gateway,
            format!("{head}content-length: 1000\r\n\r\n").into_bytes(),
            b" "
        ),
        dawdle(
            gateway,
            format!("{head}content-length: 1000\r\n\r\n{{").into_bytes(),
            b""
        ),
    );
    for (name, (answer, took)) in [("silent", silent), ("slow head", in_head)] {
        let cut = answer.is_empty() || matches!(status(&answer), Some(400 | 408 | 431));
        assert!(cut && took < REFUSED_WITHIN, "{name}: {took:?} {answer}");
    }
    for (name, (answer, took)) in [("slow body", in_body), ("stalled body", stalled)] {
        assert_eq!(
            (status(&answer), &body(&answer)["type"]),
            (Some(408), &json!("request-timeout")),
            "{name}: {took:?} {answer}"
        );
    }
    4
}

/// Who writes addresses into a header is still one address: guessing goes on being counted. Last, because it uses the address up.
pub(super) async fn assert_a_forged_address_does_not_help(gateway: SocketAddr) -> usize {
    let tries = 80;
    let mut throttled = 0;
    for n in 0..tries {
        let token = json!({"refresh_token": format!("{n:064x}")}).to_string();
        let headers =
            format!("content-type: application/json\r\nx-forwarded-for: 198.51.100.{n}\r\n");
        let answer = exchange(
            gateway,
            &request("POST /api/v1/auth/refresh", &headers, token.as_bytes()),
        )
        .await;
        match status(&answer) {
            Some(401) => {}
            Some(429) => {
                throttled += 1;
                assert_eq!(body(&answer)["type"], "too-many-attempts");
                assert!(answer.contains("retry-after: "), "{answer}");
            }
            _ => panic!("{answer}"),
        }
    }
    assert!(throttled > 0, "none of {tries} guesses was throttled");
    tries
}
