//! Ids. Those that travel to other services are UUIDv5 of (order, purpose) in the installation's namespace: a re-run, or another
//! replica, sends the same command and never a twin.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An order, and its saga. Handed out in blocks by the orders database; always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub i64);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often an order's saga has moved: 1 when it is accepted, one more with each transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub i64);

impl Version {
    /// The version of an order that was just accepted.
    pub const FIRST: Self = Self(1);

    /// The version after one more transition.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The random id of one installation, kept in the orders database; the namespace of derived ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation(pub Uuid);

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_ids! {
    /// A customer: the `sub` of a user token.
    CustomerId;
    /// The reservation of an order's stock. One per order.
    ReservationId;
    /// The release of that reservation. One per order.
    ReleaseId;
    /// The payment of an order. One per order.
    PaymentId;
    /// One attempt to write an order's transition; tells after an unknown commit whether the row is ours.
    WriteId;
    /// A published event (UUIDv7); subscribers dedupe on it.
    EventId;
}

impl WriteId {
    /// A fresh one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }
}

impl EventId {
    /// A fresh one.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }
}

/// The ids under which the other services know an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SagaIds {
    /// What inventory holds.
    pub reservation_id: ReservationId,
    /// What gives it back.
    pub release_id: ReleaseId,
    /// What payments charges.
    pub payment_id: PaymentId,
}

impl SagaIds {
    /// The ids of `order_id`, the same on every replica and at every time.
    #[must_use]
    pub fn derive(installation: Installation, order_id: OrderId) -> Self {
        let id = |purpose: &str| {
            Uuid::new_v5(
                &installation.0,
                format!("order/{order_id}/{purpose}").as_bytes(),
            )
        };
        Self {
            reservation_id: ReservationId(id("reserve")),
            release_id: ReleaseId(id("release")),
            payment_id: PaymentId(id("payment")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_apart() {
        let here = Installation(Uuid::from_u128(1));
        let there = Installation(Uuid::from_u128(2));
        let ids = SagaIds::derive(here, OrderId(7));
        assert_eq!(ids, SagaIds::derive(here, OrderId(7)));
        assert_ne!(ids, SagaIds::derive(here, OrderId(8)));
        assert_ne!(ids, SagaIds::derive(there, OrderId(7)));
        assert_ne!(ids.reservation_id.0, ids.release_id.0);
        assert_ne!(ids.reservation_id.0, ids.payment_id.0);
    }

    #[test]
    fn derived_ids_never_change_between_releases() {
        let ids = SagaIds::derive(Installation(Uuid::from_u128(1)), OrderId(7));
        insta::assert_debug_snapshot!(ids);
    }
}
