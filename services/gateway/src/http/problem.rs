//! The vocabulary of errors: RFC 9457 documents with a stable `type`, and a `detail` that says what to do.

use std::time::Duration;

use actor_kit::TraceContext;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(crate) use super::kind::Kind;

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
    use super::*;

    #[test]
    fn retry_after_is_never_zero_and_never_endless() {
        assert_eq!(retry_seconds(Duration::ZERO), 1);
        assert_eq!(retry_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(retry_seconds(Duration::MAX), 3600);
    }
}
