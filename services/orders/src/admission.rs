//! The one place that turns work away: at the door, before anything is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who may come in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    overdue: Arc<AtomicBool>,
}

/// A new order under way; dropped when its caller has its answer.
#[derive(Debug)]
pub(crate) struct Admitted(#[expect(dead_code, reason = "held for its Drop")] OwnedSemaphorePermit);

impl Admission {
    pub(crate) fn new(in_flight_max: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(in_flight_max)),
            overdue: Arc::default(),
        }
    }

    /// A place for one new order. `None` when too many are under way, here or, as far as the database shows, anywhere.
    pub(crate) fn admit(&self) -> Option<Admitted> {
        if self.overdue.load(Ordering::Relaxed) {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Admitted(place))
    }

    /// What the last count of overdue sagas says.
    pub(crate) fn set_overdue(&self, overdue: bool) {
        if self.overdue.swap(overdue, Ordering::Relaxed) != overdue {
            if overdue {
                tracing::warn!("orders are overdue: new ones are turned away");
            } else {
                tracing::info!("no orders are overdue any more");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_order_has_its_answer() {
        let admission = Admission::new(1);
        let first = admission.admit();
        assert!(first.is_some());
        assert!(admission.admit().is_none());
        drop(first);
        assert!(admission.admit().is_some());
    }

    #[test]
    fn overdue_sagas_close_the_door_until_they_are_gone() {
        let admission = Admission::new(1);
        admission.set_overdue(true);
        assert!(admission.admit().is_none());
        admission.set_overdue(false);
        assert!(admission.admit().is_some());
    }
}
