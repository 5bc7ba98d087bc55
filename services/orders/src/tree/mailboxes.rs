//! The addresses of the tree.

use actor_kit::Mailbox;
use jetstream::{ConsumerMsg, PublisherMsg};
use order_saga::{
    InventoryRequest, JournalMsg, OrderMoved, PaymentsRequest, RegistryMsg, SweeperMsg, TailMsg,
};
use outbox::{DrainerMsg, PlanLimits};

use crate::config::Limits;
use crate::maintenance::MaintenanceMsg;

/// Where everybody is reached. Restarts do not change it.
pub(super) struct Mailboxes {
    pub(super) journal: Mailbox<JournalMsg>,
    pub(super) publisher: Mailbox<PublisherMsg>,
    pub(super) letters: Mailbox<PublisherMsg>,
    pub(super) drainer: Mailbox<DrainerMsg>,
    pub(super) maintenance: Mailbox<MaintenanceMsg>,
    pub(super) inventory: Mailbox<InventoryRequest>,
    pub(super) payments: Mailbox<PaymentsRequest>,
    pub(super) registry: Mailbox<RegistryMsg>,
    pub(super) sweeper: Mailbox<SweeperMsg>,
    pub(super) consumer: Mailbox<ConsumerMsg>,
    pub(super) tail: Mailbox<TailMsg>,
    pub(super) hints: Mailbox<OrderMoved>,
}

impl Mailboxes {
    pub(super) fn new(limits: &Limits) -> Self {
        let inner = limits.inner_capacity;
        Self {
            journal: Mailbox::new("journal", inner),
            // The drainer keeps no more than its own window in flight.
            publisher: Mailbox::new("publisher", PlanLimits::default().window),
            // Letters are replayed one by one, by people.
            letters: Mailbox::new("letter-publisher", 8),
            drainer: Mailbox::new("outbox-drainer", inner),
            // Nobody but itself sends to it.
            maintenance: Mailbox::new("maintenance", 1),
            inventory: Mailbox::new("inventory-client", inner),
            payments: Mailbox::new("payments-client", inner),
            registry: Mailbox::new("saga-registry", inner),
            sweeper: Mailbox::new("saga-sweeper", 1),
            // Only inspection.
            consumer: Mailbox::new("payments-consumer", 8),
            tail: Mailbox::new("order-tail", inner),
            hints: Mailbox::new("order-hints", inner),
        }
    }
}
