//! Answers as the page's JSON.

use prost_types::Timestamp;
use serde_json::{Value, json};
use shopapi_proto::admin::v1::actor::State;
use shopapi_proto::admin::v1::{
    Actor, GetSagaResponse, GetTreeResponse, ListSagasResponse, Saga, TimelineEntry,
};

use super::presence::Presence;

/// Milliseconds since 1970.
pub(super) fn millis(at: Option<&Timestamp>) -> Option<u64> {
    let at = at?;
    let seconds = u64::try_from(at.seconds).ok()?;
    Some(seconds * 1_000 + u64::try_from(at.nanos / 1_000_000).ok()?)
}

fn actor(actor: &Actor) -> Value {
    let state = match actor.state() {
        State::Running => "running",
        State::Restarting => "restarting",
        State::Stopped => "stopped",
        State::Unspecified => "unknown",
    };
    json!({
        "name": actor.name,
        "about": actor.about,
        "parent": actor.parent,
        "state": state,
        "doing": actor.doing,
        "restarts": actor.restarts,
        "depth": actor.mailbox_depth,
        "capacity": actor.mailbox_capacity,
        "children": actor.children,
    })
}

/// A process; one that is gone keeps the tree that it had.
pub(super) fn process(name: &str, presence: &Presence, tree: Option<&GetTreeResponse>) -> Value {
    let actors = tree.map(|tree| tree.actors.iter().map(actor).collect::<Vec<_>>());
    json!({
        "name": name,
        "up": presence.up,
        "known": presence.known,
        "since": presence.since_ms,
        "restarts": presence.restarts,
        "wasGone": presence.was_gone_ms,
        "reason": presence.reason,
        "startedAt": tree.and_then(|tree| millis(tree.started_at.as_ref())),
        "actors": actors.unwrap_or_default(),
    })
}

fn saga(saga: &Saga) -> Value {
    json!({
        "orderId": saga.order_id,
        "status": saga.status,
        "state": saga.saga_state,
        "step": saga.step,
        "stuckAt": saga.stuck_at,
        "stuckReason": saga.stuck_reason,
        "cancelReason": saga.cancel_reason,
        "createdAt": millis(saga.created_at.as_ref()),
        "updatedAt": millis(saga.updated_at.as_ref()),
        "wakeIn": saga.wake_in_seconds,
    })
}

/// The orders under way.
pub(super) fn sagas(list: &ListSagasResponse) -> Value {
    json!({ "list": list.sagas.iter().map(saga).collect::<Vec<_>>(), "more": list.more })
}

fn entry(entry: &TimelineEntry) -> Value {
    json!({
        "version": entry.version,
        "status": entry.status,
        "step": entry.step,
        "state": entry.saga_state,
        "cause": entry.cause,
        "at": millis(entry.at.as_ref()),
    })
}

/// One order with its timeline and what operators did to it.
pub(super) fn order(order: &GetSagaResponse) -> Value {
    let acts = order.acts.iter().map(|act| {
        json!({
            "who": act.who,
            "why": act.why,
            "action": act.action,
            "outcome": act.outcome,
            "at": millis(act.at.as_ref()),
        })
    });
    json!({
        "saga": order.saga.as_ref().map(saga),
        "timeline": order.timeline.iter().map(entry).collect::<Vec<_>>(),
        "acts": acts.collect::<Vec<_>>(),
    })
}
