//! Requests whose framing or target could be read in two ways: refused before anybody reads them, and their connection is closed.
//!
//! A proxy in front of us that decides otherwise where a body ends would hand us the rest of one customer's request as another's. So a body
//! has a length that is said beforehand: RFC 9112 lets a server ask for one (411), our bodies are small, and every client knows theirs.
//!
//! Lengths that differ, or a list of them, never come this far: hyper refuses them. The same length in two headers comes as one, which RFC 9112
//! (6.3) allows, and nobody can read that in two ways.

use axum::http::{HeaderValue, Request, Version, header};
use axum::response::{IntoResponse as _, Response};

use super::problem::{Kind, Problem};

/// The answer to a request that is not looked at any further; `None` for a proper one.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<Response> {
    let headers = request.headers();
    let problem = if headers.contains_key(header::TRANSFER_ENCODING) {
        Problem::new(
            Kind::LengthRequired,
            "Send the body in one piece with `Content-Length`, without `Transfer-Encoding`.",
        )
    } else if request.version() == Version::HTTP_11
        && headers.get_all(header::HOST).iter().count() != 1
    {
        Problem::invalid_one("header:Host", "must be given exactly once")
    } else {
        return None;
    };
    let mut response = problem.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(version: Version, headers: &[(&str, &str)]) -> Option<u16> {
        let mut builder = Request::builder().version(version);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let response = refusal(&builder.body(()).unwrap())?;
        assert_eq!(response.headers()[header::CONNECTION], "close");
        Some(response.status().as_u16())
    }

    #[test]
    fn a_length_is_asked_for_and_one_host() {
        let (v10, v11) = (Version::HTTP_10, Version::HTTP_11);
        let host = ("host", "shop");
        assert_eq!(status(v11, &[host, ("content-length", "5")]), None);
        assert_eq!(
            status(v11, &[host, ("transfer-encoding", "chunked")]),
            Some(411)
        );
        assert_eq!(status(v11, &[]), Some(400));
        assert_eq!(status(v11, &[host, host]), Some(400));
        assert_eq!(status(v10, &[]), None);
    }
}
