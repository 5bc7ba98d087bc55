//! What every tree measures about itself. Without a meter provider it does nothing.

use std::sync::{Arc, Weak};

use opentelemetry::KeyValue;

use super::{ChildInfo, Shared};
use crate::metrics::meter;

/// Shows the children of a tree: `actor_mailbox_depth{actor}` and `actor_restarts_total{actor}`. Looks when asked; costs nothing between.
pub(super) fn observe(tree: &Arc<Shared>) {
    let seen = Arc::downgrade(tree);
    meter()
        .u64_observable_gauge("actor_mailbox_depth")
        .with_description("Places taken in an actor's mailbox")
        .with_callback(move |observer| {
            for child in children(&seen) {
                let depth = u64::try_from(child.depth).unwrap_or(u64::MAX);
                observer.observe(depth, &[KeyValue::new("actor", child.name)]);
            }
        })
        .build();
    let seen = Arc::downgrade(tree);
    meter()
        .u64_observable_counter("actor_restarts")
        .with_description("How often an actor was started again after a crash")
        .with_callback(move |observer| {
            for child in children(&seen) {
                let restarts = u64::from(child.restarts);
                observer.observe(restarts, &[KeyValue::new("actor", child.name)]);
            }
        })
        .build();
}

/// None once the tree has gone: the meter outlives it and must not keep it.
fn children(tree: &Weak<Shared>) -> Vec<ChildInfo> {
    tree.upgrade()
        .map(|tree| tree.children())
        .unwrap_or_default()
}
