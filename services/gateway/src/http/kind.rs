//! The types of problems: slug, status and title of each. The slugs and statuses are promises to clients.

use axum::http::StatusCode;

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
    /// The refresh token is not good.
    InvalidRefreshToken,
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
    /// The body's length is not said.
    LengthRequired,
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
    /// Somebody has this e-mail.
    EmailTaken,
    /// Too many failed attempts, or refreshes of one login.
    TooManyAttempts,
    /// The customer has all the event streams that one may have.
    TooManyStreams,
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
    pub(crate) const ALL: [Self; 29] = [
        Self::MalformedJson,
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::InvalidCredentials,
        Self::InvalidRefreshToken,
        Self::EmailTaken,
        Self::TooManyAttempts,
        Self::TooManyStreams,
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
        Self::LengthRequired,
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
            Self::InvalidRefreshToken => "invalid-refresh-token",
            Self::EmailTaken => "email-taken",
            Self::TooManyAttempts => "too-many-attempts",
            Self::TooManyStreams => "too-many-streams",
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
            Self::LengthRequired => "length-required",
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
            Self::Unauthenticated | Self::InvalidCredentials | Self::InvalidRefreshToken => {
                StatusCode::UNAUTHORIZED
            }
            Self::TooManyAttempts | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::CustomerMismatch => StatusCode::FORBIDDEN,
            Self::NotFound | Self::OrderNotFound | Self::ProductNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::EmailTaken
            | Self::OutOfStock
            | Self::OrderRefused
            | Self::AlreadyPaid
            | Self::NotCancellable
            | Self::NotRefundable => StatusCode::CONFLICT,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
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
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::MalformedJson => "The body is not valid JSON",
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthenticated => "A valid access token is needed",
            Self::InvalidCredentials => "E-mail or password is wrong",
            Self::InvalidRefreshToken => "The refresh token is not valid",
            Self::EmailTaken => "The e-mail is taken",
            Self::TooManyAttempts => "Too many attempts",
            Self::TooManyStreams => "Too many event streams",
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
            Self::LengthRequired => "The body's length is needed",
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
}
