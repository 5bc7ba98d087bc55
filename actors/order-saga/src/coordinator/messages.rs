//! What a coordinator is told.

use actor_kit::batch::WriteResult;
use actor_kit::{AskError, Generation, TaskPanicked};

use super::waiters::Waiter;
use crate::ids::Version;
use crate::journal::{IdempotencyKey, Journaled};
use crate::messages::Delivery;
use crate::ports::{Found, StoreUnavailable};
use crate::saga::{Next, SagaEvent};

/// What a coordinator is told; all but `Own` come from the registry, which counts them.
#[derive(Debug)]
pub(crate) enum CoordinatorMsg {
    /// Write this order, then begin. The first message of a new order's coordinator.
    Accept(Box<Birth>),
    /// Something happened to the order.
    Deliver(Delivery),
    /// Nobody asks for the outcome: a deadline, a panic.
    Note(SagaEvent),
    /// Somebody waits.
    Await(Waiter),
    /// A predecessor crashed: ask again what the stored step needs.
    Wake,
    /// Another replica has moved the order.
    Moved(Version),
    /// From the coordinator to itself.
    Own(Own),
}

/// What a new order begins with.
#[derive(Debug)]
pub(crate) struct Birth {
    pub(crate) next: Next,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) waiter: Waiter,
}

#[derive(Debug)]
pub(crate) enum Own {
    /// A question has its answer, or none.
    Answered(SagaEvent),
    /// The journal has decided.
    Written(WriteResult<Journaled>),
    /// The saga was read again.
    Loaded(Result<Result<Vec<Found>, StoreUnavailable>, TaskPanicked>),
    /// Somebody's time is up.
    WaitersDue(Generation),
    /// The registry says whether it has forgotten us.
    MayRetire(Result<bool, AskError>),
    /// Time to ask again.
    RetireAgain(Generation),
}

impl CoordinatorMsg {
    /// Its name in traces.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Accept(_) => "saga.accept",
            Self::Deliver(delivery) => delivery.event.name(),
            Self::Note(event) | Self::Own(Own::Answered(event)) => event.name(),
            Self::Await(_) => "saga.await",
            Self::Wake => "saga.wake",
            Self::Moved(_) => "saga.moved",
            Self::Own(Own::Written(_)) => "saga.written",
            Self::Own(Own::Loaded(_)) => "saga.loaded",
            Self::Own(Own::WaitersDue(_)) => "saga.waiters_due",
            Self::Own(Own::MayRetire(_) | Own::RetireAgain(_)) => "saga.retire",
        }
    }
}
