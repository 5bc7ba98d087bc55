//! A new order as it arrives, and the check that makes it a valid one. Pure.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use shopapi_auth::CustomerId;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problem::{FieldError, Kind, Problem};
use crate::config::Limits;

/// Longest payment method: a provider's token, never a card number.
const PAYMENT_METHOD_BYTES_MAX: usize = 64;
/// Errors that are reported at once; more would only be noise.
const ERRORS_MAX: usize = 20;

/// What to order and how to pay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// 1 to 100 lines, each SKU once.
    #[serde(deserialize_with = "super::object::list")]
    pub(crate) items: Vec<NewLine>,
    /// A token of the payment provider.
    #[schema(example = "tok_ok")]
    pub(crate) payment_method: String,
    /// Must be the caller's own id when it is given.
    pub(crate) customer_id: Option<String>,
}

/// A line of a new order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    #[schema(example = "TEA-GREEN-100")]
    pub(crate) sku: String,
    /// 1 to 10,000.
    #[schema(example = 2, minimum = 1, maximum = 10_000)]
    pub(crate) quantity: i64,
}

/// Without the payment method, which must not reach a log or a panic.
impl fmt::Debug for NewOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOrder")
            .field("items", &self.items)
            .field("customer_id", &self.customer_id)
            .finish_non_exhaustive()
    }
}

impl NewOrder {
    /// Every limit that the shape of the JSON does not express.
    ///
    /// # Errors
    /// `customer-mismatch`, or `invalid-request` with every place that is wrong.
    pub(crate) fn check(&self, caller: CustomerId, limits: &Limits) -> Result<(), Problem> {
        let mut errors = Errors::default();
        self.check_customer(caller, &mut errors)?;
        match self.items.len() {
            0 => errors.add("/items", "must have at least one line"),
            count if count > limits.lines_max => errors.add(
                "/items",
                format!(
                    "has {count} lines; place orders of at most {} lines",
                    limits.lines_max
                ),
            ),
            _ => self.check_lines(limits, &mut errors),
        }
        if !is_payment_method(&self.payment_method) {
            errors.add(
                "/payment_method",
                format!(
                    "must be a token of 1 to {PAYMENT_METHOD_BYTES_MAX} letters, digits, `_` or `-`"
                ),
            );
        }
        errors.into_result()
    }

    fn check_customer(&self, caller: CustomerId, errors: &mut Errors) -> Result<(), Problem> {
        let Some(named) = &self.customer_id else {
            return Ok(());
        };
        match Uuid::try_parse(named) {
            Ok(named) if named == caller.0 => Ok(()),
            Ok(_) => Err(Problem::new(
                Kind::CustomerMismatch,
                "Orders are placed for the customer of the access token. Leave `customer_id` out, or log in as that customer.",
            )),
            Err(_) => {
                errors.add("/customer_id", "must be a UUID, or left out");
                Ok(())
            }
        }
    }

    fn check_lines(&self, limits: &Limits, errors: &mut Errors) {
        let mut seen = HashSet::with_capacity(self.items.len());
        for (index, line) in self.items.iter().enumerate() {
            if !is_sku(&line.sku, limits.sku_bytes_max) {
                errors.add(
                    format!("/items/{index}/sku"),
                    format!(
                        "must be 1 to {} letters, digits, `-`, `_` or `.`",
                        limits.sku_bytes_max
                    ),
                );
            } else if !seen.insert(line.sku.as_str()) {
                errors.add(
                    format!("/items/{index}/sku"),
                    "stands in an earlier line already; add the quantities up in one line",
                );
            }
            if !(1..=limits.quantity_max).contains(&line.quantity) {
                errors.add(
                    format!("/items/{index}/quantity"),
                    format!("must be a whole number from 1 to {}", limits.quantity_max),
                );
            }
        }
    }

    /// SHA-256 of what the order means: the same for every spelling of the same request, so that lines may come in another order.
    /// Lengths stand before texts, so that two different requests never hash the same bytes.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let mut digest = Sha256::new();
        digest.update(b"shopapi.new-order.v1");
        let mut text = |value: &str| {
            digest.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(value.as_bytes());
        };
        text(&self.payment_method);
        let mut lines: Vec<_> = self
            .items
            .iter()
            .map(|line| (&line.sku, line.quantity))
            .collect();
        lines.sort_unstable();
        for (sku, quantity) in lines {
            text(sku);
            text(&quantity.to_string());
        }
        digest.finalize().to_vec()
    }
}

/// A SKU as catalogues write them; in particular nothing that needs escaping in a path or a log.
pub(crate) fn is_sku(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_payment_method(text: &str) -> bool {
    (1..=PAYMENT_METHOD_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What is wrong so far.
#[derive(Debug, Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.0.len() < ERRORS_MAX {
            self.0.push(FieldError {
                pointer: pointer.into(),
                detail: detail.into(),
            });
        }
    }

    fn into_result(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(&self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(lines: &[(&str, i64)]) -> NewOrder {
        NewOrder {
            items: lines
                .iter()
                .map(|(sku, quantity)| NewLine {
                    sku: (*sku).to_owned(),
                    quantity: *quantity,
                })
                .collect(),
            payment_method: "tok_ok".to_owned(),
            customer_id: None,
        }
    }

    fn check(order: &NewOrder) -> Result<(), Problem> {
        order.check(CustomerId(Uuid::from_u128(1)), &Limits::default())
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let skus: Vec<String> = (0..100).map(|number| format!("SKU-{number}")).collect();
        let lines: Vec<(&str, i64)> = skus.iter().map(|sku| (sku.as_str(), 10_000)).collect();
        assert_eq!(check(&order(&lines)), Ok(()));
        assert_eq!(check(&order(&[(&"a".repeat(64), 1)])), Ok(()));
    }

    #[test]
    fn the_fingerprint_is_about_the_meaning() {
        let one = order(&[("a", 1), ("b", 2)]).fingerprint();
        assert_eq!(one, order(&[("b", 2), ("a", 1)]).fingerprint());
        assert_ne!(one, order(&[("a", 2), ("b", 1)]).fingerprint());
        assert_ne!(one, order(&[("a", 1)]).fingerprint());
        assert_ne!(
            order(&[("a1", 2)]).fingerprint(),
            order(&[("a", 12)]).fingerprint()
        );
        let mut paid_otherwise = order(&[("a", 1), ("b", 2)]);
        paid_otherwise.payment_method = "tok_declined".to_owned();
        assert_ne!(one, paid_otherwise.fingerprint());
    }

    #[test]
    fn no_rendering_shows_how_somebody_pays() {
        let shown = format!("{:?}", order(&[("TEA", 1)]));
        assert!(
            shown.contains("TEA") && !shown.contains("tok_ok"),
            "{shown}"
        );
    }

    #[test]
    fn as_many_errors_are_reported_as_a_person_reads() {
        let lines: Vec<(&str, i64)> = (0..100).map(|_| ("no spaces", 0)).collect();
        let problem = check(&order(&lines)).unwrap_err();
        let shown = format!("{problem:?}");
        assert!(shown.contains("20 values have to be changed"), "{shown}");
    }

    proptest! {
        #[test]
        fn nothing_outside_the_limits_gets_through(
            lines in proptest::collection::vec(("\\PC{0,70}", any::<i64>()), 0..120),
            payment_method in "\\PC{0,70}",
        ) {
            let limits = Limits::default();
            let order = NewOrder {
                items: lines.iter().map(|(sku, quantity)| NewLine { sku: sku.clone(), quantity: *quantity }).collect(),
                payment_method,
                customer_id: None,
            };
            if check(&order).is_ok() {
                let skus: HashSet<_> = order.items.iter().map(|line| &line.sku).collect();
                prop_assert_eq!(skus.len(), order.items.len());
                prop_assert!((1..=limits.lines_max).contains(&order.items.len()));
                prop_assert!(order.items.iter().all(|line| (1..=10_000).contains(&line.quantity)));
                prop_assert!(order.payment_method.is_ascii() && !order.payment_method.is_empty());
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            // Random bytes are never a whole order: the shortest one has 40 of them, in the right places.
            prop_assert!(crate::http::extract::parse::<NewOrder>(&bytes).is_err());
        }

        #[test]
        fn no_json_makes_the_parser_or_the_check_panic(
            sku in "\\PC{0,20}",
            number in "-?[0-9]{1,400}(\\.[0-9]{1,4})?(e[0-9]{1,3})?",
            depth in 0_usize..300,
        ) {
            let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let sku = serde_json::to_string(&sku).unwrap();
            for text in [
                format!(r#"{{"items":[{{"sku":{sku},"quantity":{number}}}],"payment_method":"tok_ok"}}"#),
                format!(r#"{{"items":{nested},"payment_method":"tok_ok"}}"#),
            ] {
                if let Ok(order) = crate::http::extract::parse::<NewOrder>(text.as_bytes()) {
                    let whole = order.items.first().is_none_or(|line| number.parse() == Ok(line.quantity));
                    prop_assert!(whole, "{} was read as {:?}", number, order.items);
                    let _ = check(&order);
                }
            }
        }
    }
}
