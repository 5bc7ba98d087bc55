//! The public HTTP API as a customer uses it: keep-alive connections, JSON in and out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// A connection at rest for longer is not used again: below the 30 s after which the gateway closes it, or a request could meet the closing.
const POOL_IDLE_MAX: Duration = Duration::from_secs(20);
/// Longer than any `Prefer: wait` in use: an answer that takes longer will not come.
const ANSWER_DEADLINE: Duration = Duration::from_secs(45);

/// A connection pool to one gateway, with or without a logged-in user.
#[derive(Clone)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: Option<String>,
    refresh_token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` when it was empty.
    pub body: Value,
    /// How long the answer took.
    pub took: Duration,
    /// The seconds in `Retry-After`.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// A text field of the body, or "".
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The order's id.
    ///
    /// # Errors
    /// When the body has none.
    pub fn order_id(&self) -> Result<i64> {
        // Ids are numbers, or text for the sake of JavaScript.
        let id = self
            .body
            .get("order_id")
            .context("the answer has no order_id")?;
        id.as_i64()
            .or_else(|| id.as_str()?.parse().ok())
            .context("the answer's order_id is not a number")
    }

    /// The answer when it has one of these statuses, else an error that quotes it.
    ///
    /// # Errors
    /// For any other status.
    pub fn expect(self, statuses: &[u16]) -> Result<Self> {
        if statuses.contains(&self.status) {
            return Ok(self);
        }
        bail!("expected {statuses:?}, got {}: {}", self.status, self.body)
    }
}

impl Api {
    /// A client of the gateway at `gateway`.
    #[must_use]
    pub fn new(gateway: SocketAddr) -> Self {
        Self::of_url(&format!("http://{gateway}"))
    }

    /// A client of the gateway at `http://host:port`.
    #[must_use]
    pub fn of_url(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        // A delayed small write would be measured as the server's latency.
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE_MAX)
            .build(connector);
        Self {
            client,
            base: base.to_owned(),
            token: None,
            refresh_token: None,
        }
    }

    /// The same pool on behalf of a user.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn login(&self, email: &str, password: &str) -> Result<Self> {
        let body = json!({ "email": email, "password": password });
        self.tokens("login", &body)
            .await
            .with_context(|| format!("logging in as {email}"))
    }

    /// The same pool on behalf of somebody who was not known before.
    ///
    /// # Errors
    /// When the registration is refused.
    pub async fn register(&self, email: &str, password: &str) -> Result<Self> {
        let body = json!({ "email": email, "password": password });
        self.tokens("register", &body)
            .await
            .with_context(|| format!("registering {email}"))
    }

    /// The same user with new tokens; those of `self` are used up.
    ///
    /// # Errors
    /// When the refresh token is refused.
    pub async fn refreshed(&self) -> Result<Self> {
        let body = json!({ "refresh_token": self.refresh_token });
        self.tokens("refresh", &body).await.context("refreshing")
    }

    /// Ends the user's login.
    ///
    /// # Errors
    /// When the gateway does not take it.
    pub async fn logout(&self) -> Result<()> {
        let body = json!({ "refresh_token": self.refresh_token });
        let answer = self.post("/api/v1/auth/logout", &body, &[]).await?;
        answer.expect(&[204]).map(drop).context("logging out")
    }

    async fn tokens(&self, call: &str, body: &Value) -> Result<Self> {
        let path = format!("/api/v1/auth/{call}");
        let answer = self.post(&path, body, &[]).await?.expect(&[200, 201])?;
        Ok(Self {
            token: Some(answer.text("access_token").to_owned()),
            refresh_token: Some(answer.text("refresh_token").to_owned()),
            ..self.clone()
        })
    }

    /// What the gateway gave: the access token and the refresh token.
    #[must_use]
    pub fn secrets(&self) -> (Option<&str>, Option<&str>) {
        (self.token.as_deref(), self.refresh_token.as_deref())
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When no answer comes or it is not JSON.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None, &[]).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When no answer comes or it is not JSON.
    pub async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Result<Answer> {
        self.call(Method::POST, path, Some(body), headers).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = body
            .map(|body| Bytes::from(body.to_string()))
            .unwrap_or_default();
        let request = request
            .body(Full::new(bytes))
            .context("building the request")?;

        let started = Instant::now();
        let exchange = async {
            let response = self.client.request(request).await?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get("retry-after");
            let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
            let bytes = response.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, retry_after, bytes))
        };
        let (status, retry_after, bytes) = tokio::time::timeout(ANSWER_DEADLINE, exchange)
            .await
            .with_context(|| format!("{method} {path}: no answer in {ANSWER_DEADLINE:?}"))?
            .with_context(|| format!("{method} {path}"))?;
        let took = started.elapsed();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .with_context(|| format!("{method} {path}: the answer ({status}) is not JSON"))?
        };
        Ok(Answer {
            status,
            body,
            took,
            retry_after,
        })
    }
}
