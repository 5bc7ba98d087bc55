//! `/docs`: the API's description as a page that can also make the calls. Three small files of our own, nothing from elsewhere: the page runs
//! under a policy that lets it load and call only this gateway, and adds 10 KB to the program where the usual viewer adds megabytes.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::Shared;

const PAGE: &str = include_str!("docs/index.html");
const SCRIPT: &str = include_str!("docs/docs.js");
const STYLE: &str = include_str!("docs/docs.css");
/// Its own script and style, calls to its own origin, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(
            "/docs",
            get(async || file("text/html; charset=utf-8", PAGE)),
        )
        .route(
            "/docs/docs.js",
            get(async || file("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route(
            "/docs/docs.css",
            get(async || file("text/css; charset=utf-8", STYLE)),
        )
}

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, text)
}
