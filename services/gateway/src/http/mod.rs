//! The HTTP adapter: from bytes to a message and back. It decides nothing about orders.
//!
//! ```text
//!  server.rs   sockets: limits, timeouts, graceful end
//!  write_deadline.rs  who does not read their answer
//!  framing.rs  what is refused before it is read
//!  observe.rs  around each request: span, deadline, last resort for panics
//!  extract.rs  who is calling, what they sent
//!  client_address.rs  where they are
//!  auth.rs products.rs orders.rs events.rs meta.rs   one handler per call
//!  streams.rs  places for event streams
//!  docs.rs  the description as a page
//!  object.rs new_order.rs model.rs    the JSON, checked;  headers.rs: Prefer, Idempotency-Key
//!  kind.rs problem.rs  the vocabulary of errors;  errors.rs: from every layer to it
//! ```

mod auth;
mod client_address;
mod docs;
mod errors;
mod events;
mod extract;
mod framing;
mod headers;
mod kind;
mod measure;
mod meta;
mod model;
mod new_order;
mod object;
mod observe;
mod orders;
mod problem;
mod products;
mod server;
mod streams;
mod write_deadline;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Once};

use actor_kit::Mailbox;
use axum::{Router, middleware};
use shopapi_auth::{Accounts, CustomerId, UserTokens};
use shopapi_health::Readiness;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::catalog_client::CatalogCall;
use crate::config::Limits;
use crate::orders_client::OrdersCall;
use crate::proxies::TrustedProxies;
pub(crate) use errors::refused_order;
pub(crate) use server::serve;
pub(crate) use streams::Streams;

/// What the handlers work with. Shared by all requests, changed by none.
pub(crate) struct Api {
    pub(crate) orders: Mailbox<OrdersCall>,
    pub(crate) catalog: Mailbox<CatalogCall>,
    pub(crate) tokens: UserTokens,
    pub(crate) accounts: Accounts,
    pub(crate) proxies: TrustedProxies,
    /// Whether an operator was told that somebody who is none of them forwards; anybody can make us say it, so it is said once.
    pub(crate) forwarding_ignored: Once,
    pub(crate) readiness: Readiness,
    pub(crate) limits: Limits,
    /// Places for event streams.
    pub(crate) streams: Streams,
    /// Cancelled when the service begins to stop: event streams end then, so that their connections can.
    pub(crate) draining: CancellationToken,
}

/// The handlers' view of [`Api`].
pub(crate) type Shared = Arc<Api>;

/// Every route, with the layers around it.
pub(crate) fn router(api: Shared) -> Router {
    let (router, document) = documented().split_for_parts();
    router
        .route(meta::OPENAPI_PATH, meta::openapi(&document))
        .merge(docs::routes())
        .fallback(meta::no_such_path)
        .method_not_allowed_fallback(meta::no_such_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            observe::around,
        ))
        .with_state(api)
}

/// A new order, read and checked as its handler does; for [`fuzzing`](crate::fuzzing).
pub(crate) fn read_order(
    bytes: &[u8],
    caller: CustomerId,
    limits: &Limits,
) -> Option<new_order::NewOrder> {
    let order: new_order::NewOrder = extract::parse(bytes).ok()?;
    order.check(caller, limits).ok().map(|()| order)
}

/// Credentials and refresh tokens, read as their handlers do; for [`fuzzing`](crate::fuzzing).
pub(crate) fn read_accounts_body(bytes: &[u8]) {
    let _ = extract::parse::<auth::Credentials>(bytes);
    let _ = extract::parse::<auth::RefreshRequest>(bytes);
}

/// The routes that stand in the OpenAPI document: the same declaration makes both.
fn documented() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(meta::document())
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(products::list))
        .routes(routes!(products::get))
        .routes(routes!(orders::create, orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::timeline))
        .routes(routes!(events::events))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::refund))
        .routes(routes!(meta::livez))
        .routes(routes!(meta::readyz))
}
