//! Register, log in, refresh, log out: from an e-mail and a password, or a refresh token, to tokens.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shopapi_auth::Session;
use utoipa::ToSchema;

use super::Shared;
use super::client_address::ClientAddress;
use super::errors::{broken_contract, from_account};
use super::extract::{JsonBody, now_s};
use super::problem::{Problem, ProblemDocument};

/// Who wants to register or log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    #[schema(example = "ann@example.com", max_length = 254)]
    email: String,
    /// 8 to 128 characters of any kind.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: Secret,
}

/// Who wants the next tokens, or none any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// A password or a token on its way in. Neither its `Debug` nor an error about it shows it.
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own text would quote a value of the wrong type.
        String::deserialize(deserializer)
            .map(|text| Self(text.into()))
            .map_err(|_| serde::de::Error::custom("a secret must be a string"))
    }
}

/// What somebody who is logged in needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// Send it as `Authorization: Bearer <token>`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token is good for.
    #[schema(example = 900)]
    expires_in: u64,
    /// Good once, for the next tokens; each comes with the next one. A used one that comes back ends the login.
    refresh_token: String,
}

/// Register, and be logged in.
#[utoipa::path(
    post,
    path = "/api/v1/auth/register",
    tag = "auth",
    request_body = Credentials,
    responses(
        (status = 201, description = "Registered and logged in", body = Tokens),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "email-taken", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "too-many-attempts; Retry-After says when to come back", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn register(
    State(api): State<Shared>,
    ClientAddress(from): ClientAddress,
    JsonBody(Credentials { email, password }): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let session = api.accounts.register(&email, password.0, from).await;
    let session = session.map_err(|error| from_account(&error))?;
    Ok((StatusCode::CREATED, tokens(&api, &session)?).into_response())
}

/// Log in.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "auth",
    request_body = Credentials,
    responses(
        (status = 200, description = "Logged in", body = Tokens),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "invalid-credentials", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "too-many-attempts; Retry-After says when to come back", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "overloaded, unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn login(
    State(api): State<Shared>,
    ClientAddress(from): ClientAddress,
    JsonBody(Credentials { email, password }): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let session = api.accounts.login(&email, password.0, from).await;
    tokens(&api, &session.map_err(|error| from_account(&error))?)
}

/// Get the next tokens.
#[utoipa::path(
    post,
    path = "/api/v1/auth/refresh",
    tag = "auth",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "The next tokens; the refresh token that was sent is used up", body = Tokens),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "invalid-refresh-token", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "too-many-attempts; Retry-After says when to come back", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn refresh(
    State(api): State<Shared>,
    ClientAddress(from): ClientAddress,
    JsonBody(RefreshRequest { refresh_token }): JsonBody<RefreshRequest>,
) -> Result<Response, Problem> {
    let session = api.accounts.refresh(&refresh_token.0, from).await;
    tokens(&api, &session.map_err(|error| from_account(&error))?)
}

/// End a login: its refresh tokens are no longer good. Its access tokens expire by themselves.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "auth",
    request_body = RefreshRequest,
    responses(
        (status = 204, description = "Ended, or there was nothing to end"),
        (status = 400, description = "malformed-json, invalid-request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "body-too-large", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "unsupported-media-type", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "unavailable", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn logout(
    State(api): State<Shared>,
    JsonBody(RefreshRequest { refresh_token }): JsonBody<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    let ended = api.accounts.logout(&refresh_token.0).await;
    ended
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(|error| from_account(&error))
}

fn tokens(api: &Shared, session: &Session) -> Result<Response, Problem> {
    let issued = api
        .tokens
        .issue(session.customer, now_s())
        .map_err(|_| broken_contract("token could not be signed"))?;
    let tokens = Tokens {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: issued.expires_in.as_secs(),
        refresh_token: session.refresh_token.expose().to_owned(),
    };
    // A token must not stay in a cache (RFC 6749, 5.1).
    Ok((
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(tokens),
    )
        .into_response())
}
