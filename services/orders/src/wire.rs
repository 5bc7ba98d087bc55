//! Protobuf and the saga's words, translated in one place.

pub(crate) mod admin;
pub(crate) mod events;
pub(crate) mod inventory;
pub(crate) mod orders;
pub(crate) mod payments;

use order_saga::{Refusal, RefusalReason, Shortage, Sku};
use shopapi_proto::common::v1 as common;
use shopapi_proto::common::v1::refusal::Reason;

pub(crate) fn line(line: &order_saga::Line) -> common::Line {
    common::Line {
        sku: line.sku.0.to_string(),
        quantity: line.quantity,
    }
}

pub(crate) fn refusal(refusal: &Refusal) -> common::Refusal {
    let reason = match refusal.reason {
        RefusalReason::OutOfStock => Reason::OutOfStock,
        RefusalReason::UnknownSku => Reason::UnknownSku,
        RefusalReason::MixedCurrency => Reason::MixedCurrency,
        RefusalReason::TotalOutOfRange => Reason::TotalOutOfRange,
        RefusalReason::InvalidLines => Reason::InvalidLines,
    };
    common::Refusal {
        reason: reason.into(),
        shortages: refusal
            .shortages
            .iter()
            .map(|shortage| common::Shortage {
                sku: shortage.sku.0.to_string(),
                requested: shortage.requested,
                available: shortage.available,
            })
            .collect(),
    }
}

/// `None` when the reason is none that this program knows.
fn refusal_of(refusal: common::Refusal) -> Option<Refusal> {
    let reason = match refusal.reason() {
        Reason::OutOfStock => RefusalReason::OutOfStock,
        Reason::UnknownSku => RefusalReason::UnknownSku,
        Reason::MixedCurrency => RefusalReason::MixedCurrency,
        Reason::TotalOutOfRange => RefusalReason::TotalOutOfRange,
        Reason::InvalidLines => RefusalReason::InvalidLines,
        Reason::Unspecified => return None,
    };
    Some(Refusal {
        reason,
        shortages: refusal
            .shortages
            .into_iter()
            .map(|shortage| Shortage {
                sku: Sku::new(&shortage.sku),
                requested: shortage.requested,
                available: shortage.available,
            })
            .collect(),
    })
}
