//! The birth of a saga.

use std::sync::Arc;

use super::{
    DurableEffect, Inputs, LateMoney, Next, Saga, SagaStep, TimelineEntry, VolatileEffect, Wake,
};
use crate::ids::Version;
use crate::model::Order;

/// Accepts an order: it is written before anything acts on it, so that a crash cannot leave a hold that nobody knows.
#[must_use]
pub fn accept(order: Arc<Order>, inputs: &Inputs<'_>) -> Next {
    let lines: Vec<String> = order
        .lines
        .iter()
        .map(|line| format!("{} × {}", line.quantity, line.sku))
        .collect();
    let saga = Saga {
        order,
        version: Version::FIRST,
        step: SagaStep::Reserving,
        quote: None,
        missed_deadlines: 0,
        late_money: LateMoney::None,
    };
    let cause = format!("Order accepted: {}. Asking the stock.", lines.join(", "));
    Next {
        durable: vec![
            DurableEffect::Timeline(TimelineEntry::of(&saga, cause)),
            DurableEffect::Wake(Wake::After(inputs.limits.first_deadline)),
        ],
        volatile: vec![VolatileEffect::AskReserve],
        saga,
    }
}
