//! Who waits on one order, for what and how long. No I/O, no clock of its own.

use std::time::Duration;

use actor_kit::Reply;
use tokio::time::Instant;

use crate::ids::{CustomerId, OrderId};
use crate::messages::{Awaited, Created, Until};
use crate::ports::Snapshot;
use crate::saga::{SagaState, SagaStep};

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    until: Until,
    /// From here on any answer of the stock will do.
    patience: Instant,
    /// From here on anything will do.
    deadline: Instant,
    /// The order must be theirs.
    customer_id: Option<CustomerId>,
    port: Port,
}

/// Where the answer goes.
#[derive(Debug)]
enum Port {
    Create {
        reply: Reply<Created>,
        replayed: bool,
    },
    Await(Reply<Awaited>),
}

impl Waiter {
    /// The caller of Create: waits for the stock at least `stock_deadline`, and for the order's end as long as it asked for.
    pub(crate) fn creating(
        reply: Reply<Created>,
        wait: Duration,
        stock_deadline: Duration,
        now: Instant,
    ) -> Self {
        Self {
            until: if wait.is_zero() {
                Until::Answered
            } else {
                Until::Settled
            },
            patience: now + wait,
            deadline: now + wait.max(stock_deadline),
            customer_id: None,
            port: Port::Create {
                reply,
                replayed: false,
            },
        }
    }

    /// The caller of Await.
    pub(crate) fn awaiting(
        reply: Reply<Awaited>,
        until: Until,
        at_most: Duration,
        now: Instant,
    ) -> Self {
        Self {
            until,
            patience: now + at_most,
            deadline: now + at_most,
            customer_id: None,
            port: Port::Await(reply),
        }
    }

    /// The order must belong to this customer.
    pub(crate) const fn of_customer(mut self, customer_id: Option<CustomerId>) -> Self {
        self.customer_id = customer_id;
        self
    }

    /// Whether the order belongs to someone else than who asks.
    pub(crate) fn is_foreign(&self, snapshot: &Snapshot) -> bool {
        self.customer_id
            .is_some_and(|customer| customer != snapshot.saga.order.customer_id)
    }

    /// The caller repeats a request: it waits on the order of the first one.
    pub(crate) fn replayed(mut self) -> Self {
        if let Port::Create { replayed, .. } = &mut self.port {
            *replayed = true;
        }
        self
    }

    /// Answers that the key belongs to another request.
    pub(crate) fn key_reused(self, order_id: OrderId) {
        match self.port {
            Port::Create { reply, .. } => reply.send(Created::KeyReused { order_id }),
            Port::Await(reply) => reply.send(Awaited::Unavailable),
        }
    }

    /// Answers that the database refused the order.
    pub(crate) fn poisoned(self) {
        match self.port {
            Port::Create { reply, .. } => reply.send(Created::Poisoned),
            Port::Await(reply) => reply.send(Awaited::Unavailable),
        }
    }

    /// Answers that nothing is known.
    pub(crate) fn unavailable(self) {
        match self.port {
            Port::Create { reply, .. } => reply.send(Created::Unavailable),
            Port::Await(reply) => reply.send(Awaited::Unavailable),
        }
    }

    /// Answers that there is no such order.
    pub(crate) fn not_found(self) {
        match self.port {
            Port::Create { reply, .. } => reply.send(Created::Unavailable),
            Port::Await(reply) => reply.send(Awaited::NotFound),
        }
    }

    fn order(self, snapshot: Snapshot) {
        match self.port {
            Port::Create { reply, replayed } => reply.send(Created::Order { snapshot, replayed }),
            Port::Await(reply) => reply.send(Awaited::Order(snapshot)),
        }
    }

    fn has_what_it_wants(&self, snapshot: &Snapshot) -> bool {
        let saga = &snapshot.saga;
        match self.until {
            Until::Answered => saga.step != SagaStep::Reserving,
            Until::Settled => saga.status().is_settled() || saga.saga_state() == SagaState::Stuck,
            Until::After(version) => saga.version > version,
        }
    }

    fn is_due(&self, snapshot: &Snapshot, now: Instant) -> bool {
        now >= self.deadline || (now >= self.patience && snapshot.saga.step != SagaStep::Reserving)
    }

    fn is_closed(&self) -> bool {
        match &self.port {
            Port::Create { reply, .. } => reply.is_closed(),
            Port::Await(reply) => reply.is_closed(),
        }
    }
}

/// All who wait on one order.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// One more, or back to the caller when there are `max` already.
    pub(crate) fn add(&mut self, waiter: Waiter, max: usize) -> Result<(), Waiter> {
        self.0.retain(|waiter| !waiter.is_closed());
        if self.0.len() >= max {
            return Err(waiter);
        }
        self.0.push(waiter);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Answers everyone who has what it wants or whose time is up, and forgets who has left.
    pub(crate) fn tell(&mut self, snapshot: &Snapshot, now: Instant) {
        self.answer_if(snapshot, |waiter| {
            waiter.has_what_it_wants(snapshot) || waiter.is_due(snapshot, now)
        });
    }

    /// The stock did not answer: answers those who were waiting for nothing else.
    pub(crate) fn give_up_on_stock(&mut self, snapshot: &Snapshot, now: Instant) {
        self.answer_if(snapshot, |waiter| now >= waiter.patience);
    }

    fn answer_if(&mut self, snapshot: &Snapshot, ready: impl Fn(&Waiter) -> bool) {
        for waiter in self
            .0
            .extract_if(.., |waiter| waiter.is_closed() || ready(waiter))
        {
            waiter.order(snapshot.clone());
        }
    }

    /// Ends every wait in the same way.
    pub(crate) fn end_all(&mut self, end: impl Fn(Waiter)) {
        self.0.drain(..).for_each(end);
    }

    /// When the next one runs out of patience or time.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.0
            .iter()
            .map(|waiter| {
                if waiter.patience > now {
                    waiter.patience
                } else {
                    waiter.deadline
                }
            })
            .min()
    }
}
