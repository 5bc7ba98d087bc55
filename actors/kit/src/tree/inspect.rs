//! The tree as people look at it: every child, what it is at, and the dynamic children.
//!
//! Nothing is asked of the actors: what is seen stands in atomics and short locks, so that a hanging actor can be seen to hang.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ractor::{ActorCell, ActorId, ActorStatus};

use super::{ChildState, Shared};
use crate::mailbox::Seen;

/// Dynamic children shown for one parent: more than a person reads, and a bound on the answer during a flood of orders.
const DYNAMIC_SHOWN_MAX: usize = 100;

/// One actor of a tree, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildView {
    /// Its name in the tree: `journal`, `saga/17`.
    pub name: Arc<str>,
    /// What it is for, as the tree's picture says.
    pub about: &'static str,
    /// The tree's child that made it; `None` for the tree's own children.
    pub parent: Option<&'static str>,
    /// What it is doing, seen from outside.
    pub state: ChildState,
    /// What it says that it is at, such as a saga's step; empty when it says nothing.
    pub doing: &'static str,
    /// How often it was started again. Dynamic children never are.
    pub restarts: u32,
    /// Places taken in its mailbox.
    pub mailbox_depth: usize,
    /// Places in its mailbox.
    pub mailbox_capacity: usize,
    /// Dynamic children that it has; at most a hundred of them follow it in the list.
    pub dynamic_children: usize,
}

/// The dynamic children of one child of the tree.
#[derive(Default)]
pub(crate) struct Family(Mutex<HashMap<ActorId, Member>>);

struct Member {
    cell: ActorCell,
    seen: Arc<dyn Seen>,
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").finish_non_exhaustive()
    }
}

impl Family {
    pub(crate) fn add(&self, cell: ActorCell, seen: Arc<dyn Seen>) {
        self.members().insert(cell.get_id(), Member { cell, seen });
    }

    pub(crate) fn remove(&self, child: ActorId) {
        self.members().remove(&child);
    }

    /// A restarted parent begins without children.
    pub(crate) fn clear(&self) {
        self.members().clear();
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.members().len()
    }

    fn members(&self) -> std::sync::MutexGuard<'_, HashMap<ActorId, Member>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn views(&self, parent: &'static str, about: &'static str) -> Vec<ChildView> {
        let members = self.members();
        let mut oldest: Vec<_> = members.iter().collect();
        // ractor counts its ids up: the oldest come first, which are the ones worth a look.
        oldest.sort_unstable_by_key(|(id, _)| id.pid());
        oldest
            .into_iter()
            .take(DYNAMIC_SHOWN_MAX)
            .map(|(_, member)| {
                let (mailbox_depth, mailbox_capacity) = member.seen.places();
                ChildView {
                    name: member.seen.name(),
                    about,
                    parent: Some(parent),
                    state: match member.cell.get_status() {
                        ActorStatus::Stopping | ActorStatus::Stopped => ChildState::Stopped,
                        ActorStatus::Unstarted
                        | ActorStatus::Starting
                        | ActorStatus::Running
                        | ActorStatus::Upgrading
                        | ActorStatus::Draining => ChildState::Running,
                    },
                    doing: member.seen.doing(),
                    restarts: 0,
                    mailbox_depth,
                    mailbox_capacity,
                    dynamic_children: 0,
                }
            })
            .collect()
    }
}

impl Shared {
    /// Every child in the order of its start, each followed by its oldest dynamic children.
    pub(super) fn inspect(&self) -> Vec<ChildView> {
        let states = self
            .states
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut views = Vec::with_capacity(states.len());
        for (spec, (state, restarts)) in self.specs.iter().zip(states) {
            let (mailbox_depth, mailbox_capacity) = spec.seen.places();
            views.push(ChildView {
                name: spec.seen.name(),
                about: spec.about,
                parent: None,
                state,
                doing: spec.seen.doing(),
                restarts,
                mailbox_depth,
                mailbox_capacity,
                dynamic_children: spec.family.count(),
            });
            let about = spec.dynamic.map_or("", |(_, about)| about);
            views.extend(spec.family.views(spec.name, about));
        }
        views
    }
}
