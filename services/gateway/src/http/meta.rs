//! What is not about the shop: probes, the API's description, and paths that are not there.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use super::Shared;
use super::problem::{Kind, Problem};

/// Where the OpenAPI document is.
pub(crate) const OPENAPI_PATH: &str = "/api/v1/openapi.json";

/// The process answers.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operation",
    responses((status = 200, description = "The process answers", content_type = "text/plain", body = String)),
)]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// The service takes work.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "Ready, or degraded"),
        (status = 503, description = "Not ready, or draining"),
    ),
)]
pub(crate) async fn readyz(State(api): State<Shared>) -> Response {
    let report = api.readiness.report().await;
    let status = if report.status.takes_work() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, report.to_json()).into_response()
}

/// The document before its paths are added.
pub(crate) fn document() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("shopapi")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Orders that are paid or given back. Errors are application/problem+json; \
                     branch on `type`.",
                ))
                .build(),
        )
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("user", SecurityScheme::Http(bearer))
                .build(),
        ))
        .build()
}

/// Serves the document, rendered once.
pub(crate) fn openapi(document: &OpenApi) -> MethodRouter<Shared> {
    // Our own document always serialises.
    let json = document.to_json().unwrap_or_default();
    axum::routing::get(move || {
        let json = json.clone();
        async move {
            (
                [(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                )],
                json,
            )
        }
    })
}

pub(crate) async fn no_such_path(_: Uri) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!("No such path. GET {OPENAPI_PATH} describes the ones that exist."),
    )
}

pub(crate) async fn no_such_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("The path exists with other methods: see the Allow header or GET {OPENAPI_PATH}."),
    )
}
