//! The two request headers that change what an order call does. Pure.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use super::problem::Problem;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Says that an answer is the one of an earlier request with the same key.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key: a UUID has 36 characters, and every key is an index entry.
const KEY_BYTES_MAX: usize = 255;

/// The caller's key for this request, if there is one.
///
/// # Errors
/// `invalid-request` when it is empty, too long, not printable ASCII, or given twice.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let refused = |detail: &str| Err(Problem::invalid_one("header:Idempotency-Key", detail));
    if values.next().is_some() {
        return refused("is given twice; send one");
    }
    let Some(key) = value.to_str().ok().map(str::trim) else {
        return refused("must be printable ASCII, for example a UUID");
    };
    if !(1..=KEY_BYTES_MAX).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return refused(
            "must be 1 to 255 printable ASCII characters without spaces, for example a UUID",
        );
    }
    Ok(Some(key))
}

/// The `wait` of `Prefer` (RFC 7240), at most `max`. A preference that does not parse is one that is not honoured, never an error;
/// the first `wait` counts.
pub(crate) fn prefer_wait(headers: &HeaderMap, max: Duration) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, value)| {
            let digits = value.trim().trim_matches('"');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            // A number too large for u64 is a wish for "as long as possible".
            is_number.then(|| digits.parse().map_or(max, Duration::from_secs).min(max))
        })
        .filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const MAX: Duration = Duration::from_secs(30);

    fn wait_of(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(PREFER, HeaderValue::from_str(value).unwrap());
        prefer_wait(&headers, MAX).map(|wait| wait.as_secs())
    }

    #[test]
    fn prefer_wait_is_read_as_the_rfc_writes_it() {
        let table = [
            ("wait=10", Some(10)),
            ("Wait = 10", Some(10)),
            ("respond-async, wait=5", Some(5)),
            ("wait=5; foo=bar", Some(5)),
            ("wait=\"7\"", Some(7)),
            ("wait=31", Some(30)),
            ("wait=99999999999999999999999", Some(30)),
            ("wait=5, wait=9", Some(5)),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("wait=", None),
            ("wait", None),
            ("waiting=5", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(wait_of(value), expected, "{value}");
        }
    }

    #[test]
    fn a_key_is_one_short_printable_word() {
        let check = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
            }
            idempotency_key(&headers)
                .map(|key| key.map(str::to_owned))
                .map_err(|_| ())
        };
        let longest = "k".repeat(255);
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[b"4c1e"]), Ok(Some("4c1e".to_owned())));
        assert_eq!(check(&[longest.as_bytes()]), Ok(Some(longest.clone())));
        assert_eq!(check(&[b""]), Err(()));
        assert_eq!(check(&[b"two words"]), Err(()));
        assert_eq!(check(&["ü".as_bytes()]), Err(()));
        assert_eq!(check(&["k".repeat(256).as_bytes()]), Err(()));
        assert_eq!(check(&[b"one", b"two"]), Err(()));
    }
}
