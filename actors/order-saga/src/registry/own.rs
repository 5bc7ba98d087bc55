//! What the registry and its coordinators tell it.

use actor_kit::{Reply, TaskPanicked};

use crate::coordinator::waiters::Waiter;
use crate::ids::OrderId;
use crate::ports::{Found, StoreUnavailable};

/// What the registry and its coordinators tell it; opaque.
#[derive(Debug)]
pub struct Own(pub(super) Inner);

#[derive(Debug)]
pub(super) enum Inner {
    Retire {
        order_id: OrderId,
        incarnation: u64,
        received: u64,
        reply: Reply<bool>,
    },
    Replay {
        order_id: OrderId,
        waiter: Waiter,
    },
    Loaded {
        ids: Vec<OrderId>,
        loaded: Result<Result<Vec<Found>, StoreUnavailable>, TaskPanicked>,
    },
}

impl Own {
    pub(crate) const fn retire(
        order_id: OrderId,
        incarnation: u64,
        received: u64,
        reply: Reply<bool>,
    ) -> Self {
        Self(Inner::Retire {
            order_id,
            incarnation,
            received,
            reply,
        })
    }

    pub(crate) const fn replay(order_id: OrderId, waiter: Waiter) -> Self {
        Self(Inner::Replay { order_id, waiter })
    }
}
