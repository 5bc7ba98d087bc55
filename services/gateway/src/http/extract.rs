//! Who is calling and what they sent, as far as the transport tells.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{self, Body, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use shopapi_auth::CustomerId;

use super::Shared;
use super::errors::{Subject, from_token, not_found};
use super::object::Object;
use super::problem::{Kind, Problem};

/// The customer that the request's token speaks for.
pub(crate) struct Caller(pub(crate) CustomerId);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            Problem::new(
                Kind::Unauthenticated,
                "POST /api/v1/auth/login gives an access token; send it as `Authorization: Bearer <token>`.",
            )
        })?;
        api.tokens
            .verify(token, now_s())
            .map(Self)
            .map_err(from_token)
    }
}

/// The token of `Authorization: Bearer …`; `None` when the header is absent, doubled or of another scheme.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Seconds since the Unix epoch; a clock before it is a clock that nothing is valid at.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A JSON object of bounded size that arrives in bounded time and has no unknown fields.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Shared) -> Result<Self, Problem> {
        if !is_json(request.headers()) || is_encoded(request.headers()) {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "Send the body as JSON with `Content-Type: application/json`, not compressed.",
            ));
        }
        let bytes = tokio::time::timeout(
            api.limits.body_deadline,
            whole_body(request.into_body(), api.limits.body_bytes_max),
        )
        .await
        .map_err(|_elapsed| {
            Problem::new(
                Kind::RequestTimeout,
                format!(
                    "The body must arrive within {} s.",
                    api.limits.body_deadline.as_secs()
                ),
            )
        })??;
        parse(&bytes).map(Self)
    }
}

async fn whole_body(body: Body, bytes_max: usize) -> Result<body::Bytes, Problem> {
    // What says beforehand that it is too large is not waited for.
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(too_large(bytes_max));
    }
    body::to_bytes(body, bytes_max).await.map_err(|error| {
        let is_too_large =
            std::error::Error::source(&error).is_some_and(|cause| cause.is::<LengthLimitError>());
        if is_too_large {
            too_large(bytes_max)
        } else {
            Problem::new(
                Kind::MalformedJson,
                "The body ended before it was complete. Send it again.",
            )
        }
    })
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Kind::BodyTooLarge,
        format!("The body may have at most {} KiB.", bytes_max / 1024),
    )
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let parsed = serde_json::from_slice(bytes);
    parsed
        .map(|Object(value)| value)
        .map_err(|error| match error.classify() {
            // The text names fields and positions, and quotes at most what the caller sent.
            Category::Data => Problem::invalid_one("/", error.to_string()),
            Category::Syntax | Category::Eof | Category::Io => Problem::new(
                Kind::MalformedJson,
                if bytes.is_empty() {
                    "The body is empty. Send a JSON object.".to_owned()
                } else {
                    format!("Correct the JSON: {error}.")
                },
            ),
        })
}

/// A body that has to be decoded first: what it would grow to is not known, so it is not taken.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// `application/json`, with any parameters, or a type that ends in `+json`; said once.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let said = values.next();
    if values.next().is_some() {
        return false;
    }
    said.and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase())
        .is_some_and(|essence| {
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"))
        })
}

/// The order id of the path. Whatever is not a positive number names no order.
pub(crate) struct OrderId(pub(crate) i64);

impl FromRequestParts<Shared> for OrderId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        let id = Path::<i64>::from_request_parts(parts, api).await;
        match id {
            Ok(Path(id)) if id > 0 => Ok(Self(id)),
            _ => Err(not_found(Subject::Order)),
        }
    }
}

/// Query parameters, with unknown ones refused where `T` says so.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Shared) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, api)
            .await
            .map(|Query(params)| Self(params))
            .map_err(|error| Problem::invalid_one("query", error.body_text()))
    }
}

/// The largest page of a list.
const PAGE_MAX: i32 = 100;
/// The page of who does not say.
const PAGE_DEFAULT: i32 = 20;

/// The size of a page.
///
/// # Errors
/// `invalid-request` outside 1 to [`PAGE_MAX`].
pub(crate) fn page_size(limit: Option<i32>) -> Result<i32, Problem> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::invalid_one(
            "query:limit",
            format!("must be from 1 to {PAGE_MAX}"),
        ))
    }
}
