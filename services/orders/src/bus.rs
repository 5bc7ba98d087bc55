//! Orders on the bus: its outbox on the way out, the events of payments on the way in, hints between replicas.

pub(crate) mod dead_letters;
pub(crate) mod hints;
pub(crate) mod outbox;
pub(crate) mod payments_events;
