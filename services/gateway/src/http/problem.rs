//! The vocabulary of errors: RFC 9457 documents with a stable `type`, and a `detail` that says what to do.

use std::time::Duration;

use actor_kit::TraceContext;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What went wrong. The slug of each is a promise to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The body is no JSON.
    MalformedJson,
    /// JSON, a header or a parameter with values that are not allowed.
    InvalidRequest,
    /// No token, or one that is not believed.
    Unauthenticated,
    /// Wrong e-mail or password.
    InvalidCredentials,
    /// The body names another customer than the token.
    CustomerMismatch,
    /// No such path.
    NotFound,
    /// No such order, or somebody else's.
    OrderNotFound,
    /// No such product.
    ProductNotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// The body took too long.
    RequestTimeout,
    /// Stock does not cover the order.
    OutOfStock,
    /// Stock refused the order for another reason.
    OrderRefused,
    /// Paid orders are refunded, not cancelled.
    AlreadyPaid,
    /// The order is past cancelling.
    NotCancellable,
    /// The order is not paid.
    NotRefundable,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The order names a SKU that the catalogue does not know.
    UnknownSku,
    /// The lines are priced in different currencies.
    MixedCurrency,
    /// The total is zero, negative or too large.
    TotalOutOfRange,
    /// More work than is admitted.
    Overloaded,
    /// Something behind us does not answer.
    Unavailable,
    /// Our own mistake.
    Internal,
}

impl Kind {
    /// Every kind, for the document and its test.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 24] = [
        Self::MalformedJson,
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::InvalidCredentials,
        Self::CustomerMismatch,
        Self::NotFound,
        Self::OrderNotFound,
        Self::ProductNotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::OutOfStock,
        Self::OrderRefused,
        Self::AlreadyPaid,
        Self::NotCancellable,
        Self::NotRefundable,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::UnknownSku,
        Self::MixedCurrency,
        Self::TotalOutOfRange,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The `type`: a relative reference that clients branch on.
    pub(crate) const fn slug(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed-json",
            Self::InvalidRequest => "invalid-request",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidCredentials => "invalid-credentials",
            Self::CustomerMismatch => "customer-mismatch",
            Self::NotFound => "not-found",
            Self::OrderNotFound => "order-not-found",
            Self::ProductNotFound => "product-not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::RequestTimeout => "request-timeout",
            Self::OutOfStock => "out-of-stock",
            Self::OrderRefused => "order-refused",
            Self::AlreadyPaid => "already-paid",
            Self::NotCancellable => "not-cancellable",
            Self::NotRefundable => "not-refundable",
            Self::BodyTooLarge => "body-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::UnknownSku => "unknown-sku",
            Self::MixedCurrency => "mixed-currency",
            Self::TotalOutOfRange => "total-out-of-range",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal-error",
        }
    }

    /// The status.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson | Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::InvalidCredentials => StatusCode::UNAUTHORIZED,
            Self::CustomerMismatch => StatusCode::FORBIDDEN,
            Self::NotFound | Self::OrderNotFound | Self::ProductNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::OutOfStock
            | Self::OrderRefused
            | Self::AlreadyPaid
            | Self::NotCancellable
            | Self::NotRefundable => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused
            | Self::UnknownSku
            | Self::MixedCurrency
            | Self::TotalOutOfRange => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `title`: the same for every occurrence.
    const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not valid JSON",
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthenticated => "A valid access token is needed",
            Self::InvalidCredentials => "E-mail or password is wrong",
            Self::CustomerMismatch => "Not your own customer id",
            Self::NotFound => "There is nothing here",
            Self::OrderNotFound => "No such order",
            Self::ProductNotFound => "No such product",
            Self::MethodNotAllowed => "Wrong method",
            Self::RequestTimeout => "The request took too long to arrive",
            Self::OutOfStock => "Not enough stock",
            Self::OrderRefused => "The order was refused",
            Self::AlreadyPaid => "The order is paid",
            Self::NotCancellable => "The order cannot be cancelled",
            Self::NotRefundable => "The order cannot be refunded",
            Self::BodyTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is not declared as JSON",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Self::UnknownSku => "The order names an unknown SKU",
            Self::MixedCurrency => "The products are sold in different currencies",
            Self::TotalOutOfRange => "The order's total is out of range",
            Self::Overloaded => "Too many orders at once",
            Self::Unavailable => "Not available at the moment",
            Self::Internal => "Something went wrong here",
        }
    }
}

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer into the body, or `header:<name>`, or `query:<name>`.
    #[schema(example = "/items/0/quantity")]
    pub(crate) pointer: String,
    /// What to change.
    pub(crate) detail: String,
}

/// An error on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: String,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
}

/// `application/problem+json` (RFC 9457). Some types carry more members, such as `order_id` and `lines`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemDocument {
    /// Stable: programs branch on it.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "out-of-stock")]
    kind: &'static str,
    /// For people; the same for every occurrence.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do about it.
    detail: String,
    /// Names this request in traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    /// Everything that is wrong with the request, where that is known.
    #[serde(skip)]
    #[schema(inline)]
    #[expect(
        dead_code,
        reason = "stands in the schema; the values travel in `members`"
    )]
    errors: Option<Vec<FieldError>>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            members: Map::new(),
        }
    }

    /// A request whose values are not allowed, with every place that is wrong.
    pub(crate) fn invalid(errors: &[FieldError]) -> Self {
        let detail = match errors {
            [only] => format!("{}: {}", only.pointer, only.detail),
            _ => format!("{} values have to be changed; see `errors`.", errors.len()),
        };
        Self::new(Kind::InvalidRequest, detail).with("errors", &errors)
    }

    /// A request with one wrong value.
    pub(crate) fn invalid_one(pointer: &str, detail: impl Into<String>) -> Self {
        Self::invalid(&[FieldError {
            pointer: pointer.to_owned(),
            detail: detail.into(),
        }])
    }

    /// Adds a member of its type.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        // Our own types always serialise; a member that did not would only be missing.
        if let Ok(value) = serde_json::to_value(value) {
            self.members.insert(name.to_owned(), value);
        }
        self
    }

    /// Tells when it makes sense to try again.
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

/// Whole seconds, rounded up, at least one: zero would invite a client to hammer.
fn retry_seconds(after: Duration) -> u64 {
    after
        .as_millis()
        .div_ceil(1000)
        .clamp(1, 3600)
        .try_into()
        .unwrap_or(3600)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let document = ProblemDocument {
            kind: self.kind.slug(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: self.detail,
            trace_id: TraceContext::current().trace_id(),
            errors: None,
            members: self.members,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_seconds(after)));
        }
        if self.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_slug_of_its_own_and_an_error_status() {
        let slugs: HashSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let (slug, status) = (kind.slug(), kind.status());
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{slug}"
            );
            assert!(
                slug.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                "{slug}"
            );
            assert!(!kind.title().is_empty());
        }
    }

    #[test]
    fn retry_after_is_never_zero_and_never_endless() {
        assert_eq!(retry_seconds(Duration::ZERO), 1);
        assert_eq!(retry_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(retry_seconds(Duration::MAX), 3600);
    }
}
