//! The tree as the console sees it.

use actor_kit::tree::{ChildState, ChildView, TreeWindow};
use shopapi_proto::admin::v1::Actor;
use shopapi_proto::admin::v1::actor::State;

/// Every actor of this process.
pub(crate) fn actors(window: &TreeWindow) -> Vec<Actor> {
    window.inspect().iter().map(actor).collect()
}

fn actor(child: &ChildView) -> Actor {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let state = match child.state {
        ChildState::Running => State::Running,
        ChildState::Restarting => State::Restarting,
        ChildState::Stopped => State::Stopped,
    };
    Actor {
        name: child.name.to_string(),
        about: child.about.to_owned(),
        parent: child.parent.unwrap_or_default().to_owned(),
        state: state.into(),
        doing: child.doing.to_owned(),
        restarts: child.restarts,
        mailbox_depth: count(child.mailbox_depth),
        mailbox_capacity: count(child.mailbox_capacity),
        children: count(child.dynamic_children),
    }
}
