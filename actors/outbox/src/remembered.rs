//! Ids that were published, bounded.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

/// The last so many published ids.
#[derive(Debug)]
pub(crate) struct Remembered {
    ids: HashSet<Uuid>,
    order: VecDeque<Uuid>,
    max: usize,
}

impl Remembered {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            ids: HashSet::new(),
            order: VecDeque::new(),
            max,
        }
    }

    pub(crate) fn contains(&self, id: Uuid) -> bool {
        self.ids.contains(&id)
    }

    pub(crate) fn insert(&mut self, id: Uuid) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
    }
}
