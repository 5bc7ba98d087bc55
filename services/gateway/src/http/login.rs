//! From an e-mail and a password to a token.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shared;
use super::errors::{broken_contract, from_login};
use super::extract::{JsonBody, now_s};
use super::problem::{Problem, ProblemDocument};

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    #[schema(example = "ann@example.test")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

/// A password on its way in. Neither its `Debug` nor an error about it shows it.
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own text would quote a value of the wrong type.
        String::deserialize(deserializer)
            .map(|text| Self(text.into()))
            .map_err(|_| serde::de::Error::custom("password must be a string"))
    }
}

/// A token and how long it is good for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
}

/// Log in.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "auth",
    request_body = Credentials,
    responses(
        (status = 200, description = "Logged in", body = Token),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "invalid-credentials", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn login(
    State(api): State<Shared>,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let customer = api
        .login
        .check(&credentials.email, credentials.password.0)
        .await
        .map_err(|error| from_login(&error))?;
    let issued = api
        .tokens
        .issue(customer, now_s())
        .map_err(|_| broken_contract("token could not be signed"))?;
    let token = Token {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: issued.expires_in.as_secs(),
    };
    // A token must not stay in a cache (RFC 6749, 5.1).
    Ok((
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(token),
    )
        .into_response())
}
