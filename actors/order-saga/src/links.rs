//! Whom the saga's actors talk to.

use std::fmt;
use std::sync::Arc;

use actor_kit::Mailbox;

use crate::journal::JournalMsg;
use crate::limits::SagaLimits;
use crate::messages::RegistryMsg;
use crate::ports::{InventoryRequest, OrderMoved, PaymentsRequest, SagaStore};
use crate::tail::TailMsg;

/// Random numbers in `0.0..1.0`: the actors' only source of chance, so that tests have none.
pub type Jitter = Arc<dyn Fn() -> f64 + Send + Sync>;

/// Jitter from the thread's random number generator.
#[must_use]
pub fn random_jitter() -> Jitter {
    Arc::new(rand::random::<f64>)
}

/// The mailboxes and ports around the registry; the tree of the service wires them.
#[derive(Clone)]
pub struct Links {
    /// The group-commit writer.
    pub journal: Mailbox<JournalMsg>,
    /// The client of inventory.
    pub inventory: Mailbox<InventoryRequest>,
    /// The client of payments.
    pub payments: Mailbox<PaymentsRequest>,
    /// The registry itself: its coordinators ask it to retire.
    pub registry: Mailbox<RegistryMsg>,
    /// The order tail, told who waits for other replicas.
    pub tail: Mailbox<TailMsg>,
    /// Who tells other replicas that an order has moved; `None` when there are none. Best effort: dropped when full.
    pub hints: Option<Mailbox<OrderMoved>>,
    /// Reads of stored sagas.
    pub store: Arc<dyn SagaStore>,
    /// The numbers.
    pub limits: Arc<SagaLimits>,
    /// Chance.
    pub jitter: Jitter,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}
