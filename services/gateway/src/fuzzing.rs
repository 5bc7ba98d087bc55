//! What reads bytes from outside, for whoever throws bytes at it. Nothing here is part of the service.

use shopapi_auth::CustomerId;

use crate::config::Limits;
use crate::http;

/// Reads a body as every call that has one would; `Some` is the fingerprint of the order that it is.
///
/// # Panics
/// When an order passes that breaks a limit.
#[must_use]
pub fn read_body(bytes: &[u8], caller: CustomerId) -> Option<Vec<u8>> {
    http::read_accounts_body(bytes);
    let limits = Limits::default();
    let order = http::read_order(bytes, caller, &limits)?;
    assert!((1..=limits.lines_max).contains(&order.items.len()));
    for line in &order.items {
        assert!((1..=limits.quantity_max).contains(&line.quantity));
        assert!(
            !line.sku.is_empty() && line.sku.len() <= limits.sku_bytes_max && line.sku.is_ascii()
        );
    }
    let fingerprint = order.fingerprint();
    assert_eq!(fingerprint.len(), 32);
    Some(fingerprint)
}
