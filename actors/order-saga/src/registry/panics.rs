//! Coordinators that crash: their orders get a successor, and in the end are set aside.

use std::sync::Arc;

use actor_kit::Ctx;
use tokio::time::Instant;
use tracing::{error, warn};

use super::SagaRegistry;
use crate::coordinator::CoordinatorMsg;
use crate::ids::OrderId;
use crate::saga::SagaEvent;

/// How often an order's coordinator crashed.
pub(super) struct Panics {
    times: u32,
    last: Instant,
}

impl SagaRegistry {
    pub(super) fn on_crashed(&mut self, order_id: OrderId, why: &str, ctx: &Ctx<Self>) {
        let limits = Arc::clone(&self.links.limits);
        let now = Instant::now();
        self.panics
            .retain(|_, panics| now.duration_since(panics.last) < limits.panics_memory);
        let panics = self.panics.entry(order_id).or_insert(Panics {
            times: 0,
            last: now,
        });
        panics.times += 1;
        panics.last = now;
        let times = panics.times;
        warn!(%order_id, times, why, "a coordinator crashed");
        let message = if times < limits.panics_max {
            CoordinatorMsg::Wake
        } else if times < limits.panics_max.saturating_mul(2) {
            CoordinatorMsg::Note(SagaEvent::HandlingPanicked { times })
        } else {
            // Not even setting it aside works. Its deadline keeps it in sight of the operators.
            return error!(%order_id, times, "a saga cannot be set aside");
        };
        self.forward_or_load(vec![(order_id, message)], ctx);
    }
}
