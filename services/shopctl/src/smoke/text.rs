//! GET of a text over plain HTTP: metrics and Jaeger's API.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

const DEADLINE: Duration = Duration::from_secs(10);
/// Metrics of a whole stack are about a megabyte.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The body of a 200.
///
/// # Errors
/// For every other status, and when no answer comes.
pub(super) async fn get(url: &str) -> Result<String> {
    let uri: hyper::Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let response = client.get(uri).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BYTES_MAX);
        let bytes = body
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!(error))?;
        anyhow::Ok((status, bytes.to_bytes()))
    };
    let (status, bytes) = tokio::time::timeout(DEADLINE, exchange)
        .await
        .with_context(|| format!("GET {url}: no answer in {DEADLINE:?}"))?
        .with_context(|| format!("GET {url}"))?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    if status != hyper::StatusCode::OK {
        bail!(
            "GET {url}: {status}: {}",
            body.chars().take(200).collect::<String>()
        );
    }
    Ok(body)
}
