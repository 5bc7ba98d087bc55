//! A small world around one saga: inventory and payments by their rules, two replicas with possibly stale caches, a bus that is a set.
//! The model check explores such a world exhaustively with the shipped rules of all rooms; this one is for random walks over `step`.

use super::samples::{accepted, payment_id, quote, refusal};
use crate::limits::SagaLimits;
use crate::saga::{
    CommitAnswer, DurableEffect, Inputs, OrderEvent, RefundAnswer, ReleaseAnswer, RequestAnswer,
    ReserveAnswer, Saga, SagaEvent, SagaStep, Stepped, StuckReason, VoidAnswer, VolatileEffect,
    resume, step,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reservation {
    Absent,
    Held,
    Refused,
    Released,
    Committed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payment {
    Absent,
    Requested,
    /// An attempt was made and its outcome is open.
    Open {
        void_requested: bool,
    },
    Captured,
    Declined,
    Voided {
        /// An attempt was made before: a capture may still be learnt.
        attempted: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refund {
    None,
    Pending,
    Done,
    Refused,
}

/// One replica: what it believes and what it has still to ask.
#[derive(Debug, Clone)]
struct Replica {
    cache: Saga,
    to_ask: Vec<VolatileEffect>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) stored: Saga,
    pub(super) reservation: Reservation,
    pub(super) payment: Payment,
    pub(super) refund: Refund,
    pub(super) published: Vec<OrderEvent>,
    stock_suffices: bool,
    replicas: [Replica; 2],
    /// Sent is deliverable any number of times, or never.
    bus: Vec<SagaEvent>,
    limits: SagaLimits,
    rule: Rule,
}

/// What decides: `step`, or a wrong copy of it that a test must find.
pub(super) type Rule = fn(&Saga, &SagaEvent, &Inputs<'_>) -> Stepped;

/// One thing that happens; numbers pick among what is possible.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happening {
    /// A replica's next question is answered.
    Ask { replica: bool, twice: bool },
    /// A replica's next question, or its answer, is lost.
    Lose { replica: bool, executed: bool },
    /// Something from the bus arrives, perhaps again.
    Deliver { replica: bool, pick: u8 },
    /// The deadline comes due at a replica.
    Deadline { replica: bool },
    /// A replica loses what it had in memory; its successor asks again.
    Crash { replica: bool },
    /// `orders.created` reaches payments.
    Request,
    /// Payments charges, or learns an outcome.
    Charge { outcome: Charge },
    /// Payments settles a refund.
    SettleRefund { refused: bool },
    /// The customer.
    Cancel { replica: bool },
    /// The customer.
    WantsMoneyBack { replica: bool },
    /// An operator.
    Operator { replica: bool, retry: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    Captured,
    Declined,
    NotCharged,
    OutcomeOpen,
}

impl World {
    pub(super) fn new(stock_suffices: bool) -> Self {
        Self::ruled_by(step, stock_suffices)
    }

    pub(super) fn ruled_by(rule: Rule, stock_suffices: bool) -> Self {
        let limits = SagaLimits {
            reserve_deadlines_max: 2,
            payment_deadlines_max: 2,
            ..SagaLimits::default()
        };
        let stored = accepted(&limits);
        let replica = |to_ask| Replica {
            cache: stored.clone(),
            to_ask,
        };
        Self {
            replicas: [replica(resume(&stored)), replica(vec![])],
            stored,
            reservation: Reservation::Absent,
            payment: Payment::Absent,
            refund: Refund::None,
            published: vec![],
            stock_suffices,
            bus: vec![],
            limits,
            rule,
        }
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Ask { replica, twice } => {
                if let Some(effect) = self.take_question(replica) {
                    if twice {
                        let _ = self.execute(effect);
                    }
                    if let Some(answer) = self.execute(effect) {
                        self.handle(replica, &answer);
                    }
                }
            }
            Happening::Lose { replica, executed } => {
                if let Some(effect) = self.take_question(replica)
                    && executed
                {
                    let _ = self.execute(effect);
                }
            }
            Happening::Deliver { replica, pick } => {
                if !self.bus.is_empty() {
                    let event = self.bus[usize::from(pick) % self.bus.len()].clone();
                    self.handle(replica, &event);
                }
            }
            Happening::Deadline { replica } => self.handle(replica, &SagaEvent::DeadlinePassed),
            Happening::Crash { replica } => {
                let stored = self.stored.clone();
                let replica = &mut self.replicas[usize::from(replica)];
                replica.to_ask = resume(&stored);
                replica.cache = stored;
            }
            Happening::Request => {
                let created = |event: &OrderEvent| matches!(event, OrderEvent::Created { .. });
                if self.published.iter().any(created) {
                    let _ = self.request();
                }
            }
            Happening::Charge { outcome } => self.charge(outcome),
            Happening::SettleRefund { refused } => self.settle_refund(refused),
            Happening::Cancel { replica } => self.handle(replica, &SagaEvent::CancelRequested),
            Happening::WantsMoneyBack { replica } => {
                self.handle(replica, &SagaEvent::RefundRequested);
            }
            Happening::Operator { replica, retry } => {
                let event = if retry {
                    SagaEvent::OperatorRetried
                } else {
                    SagaEvent::OperatorCompensated
                };
                self.handle(replica, &event);
            }
        }
    }

    fn take_question(&mut self, replica: bool) -> Option<VolatileEffect> {
        let to_ask = &mut self.replicas[usize::from(replica)].to_ask;
        (!to_ask.is_empty()).then(|| to_ask.remove(0))
    }

    /// What a replica's coordinator does with an event.
    fn handle(&mut self, replica: bool, event: &SagaEvent) {
        let mut fresh = false;
        loop {
            let cache = self.replicas[usize::from(replica)].cache.clone();
            let inputs = Inputs {
                limits: &self.limits,
                jitter: 0.5,
            };
            match (self.rule)(&cache, event, &inputs) {
                Stepped::Next(next) if cache.version == self.stored.version => {
                    assert_eq!(next.saga.version, cache.version.next());
                    for effect in &next.durable {
                        if let DurableEffect::Publish(event) = effect {
                            self.published.push(event.clone());
                        }
                    }
                    self.stored = next.saga.clone();
                    let replica = &mut self.replicas[usize::from(replica)];
                    replica.cache = next.saga;
                    replica.to_ask.extend(next.volatile);
                    return self.check();
                }
                Stepped::Ignore(_) => return,
                Stepped::Illegal if fresh => {
                    panic!("{event:?} contradicts {:?}", self.stored.step)
                }
                // Stale, or illegal for what may be an old cache: read again, step the same event again.
                Stepped::Next(_) | Stepped::Illegal => {
                    self.replicas[usize::from(replica)].cache = self.stored.clone();
                    fresh = true;
                }
            }
        }
    }

    /// Inventory and payments, by their rules.
    fn execute(&mut self, effect: VolatileEffect) -> Option<SagaEvent> {
        Some(match effect {
            VolatileEffect::AskReserve => SagaEvent::ReserveAnswered(self.reserve()),
            VolatileEffect::AskRelease => SagaEvent::ReleaseAnswered(self.release()),
            VolatileEffect::AskCommit => SagaEvent::CommitAnswered(self.commit()),
            VolatileEffect::RequestPayment => SagaEvent::RequestAnswered(self.request()),
            VolatileEffect::VoidPayment => SagaEvent::VoidAnswered(self.void()),
            VolatileEffect::RefundPayment => SagaEvent::RefundAnswered(self.refund()),
            VolatileEffect::Alert => return None,
        })
    }

    fn reserve(&mut self) -> ReserveAnswer {
        if self.reservation == Reservation::Absent {
            self.reservation = if self.stock_suffices {
                Reservation::Held
            } else {
                Reservation::Refused
            };
        }
        match self.reservation {
            Reservation::Held => ReserveAnswer::Held(quote()),
            Reservation::Refused => ReserveAnswer::Refused(refusal()),
            Reservation::Absent | Reservation::Released => ReserveAnswer::Released,
            Reservation::Committed => ReserveAnswer::Committed,
        }
    }

    fn release(&mut self) -> ReleaseAnswer {
        match self.reservation {
            Reservation::Absent | Reservation::Held => {
                self.reservation = Reservation::Released;
                ReleaseAnswer::Released
            }
            Reservation::Refused | Reservation::Released => ReleaseAnswer::Released,
            Reservation::Committed => ReleaseAnswer::Committed,
        }
    }

    fn commit(&mut self) -> CommitAnswer {
        match self.reservation {
            Reservation::Held | Reservation::Committed => {
                self.reservation = Reservation::Committed;
                CommitAnswer::Committed
            }
            Reservation::Absent | Reservation::Released => CommitAnswer::Released,
            Reservation::Refused => CommitAnswer::Refused,
        }
    }

    fn request(&mut self) -> RequestAnswer {
        if self.payment == Payment::Absent {
            self.payment = Payment::Requested;
        }
        match self.payment {
            Payment::Absent | Payment::Requested => RequestAnswer::Requested,
            Payment::Open { .. } => RequestAnswer::Unknown,
            Payment::Captured => RequestAnswer::Captured,
            Payment::Declined => RequestAnswer::Declined("declined".to_owned()),
            Payment::Voided { .. } => RequestAnswer::Voided,
        }
    }

    fn void(&mut self) -> VoidAnswer {
        match self.payment {
            Payment::Absent | Payment::Requested => {
                self.payment = Payment::Voided { attempted: false };
                VoidAnswer::Voided
            }
            Payment::Open { .. } => {
                self.payment = Payment::Open {
                    void_requested: true,
                };
                VoidAnswer::Unknown
            }
            Payment::Captured => VoidAnswer::Captured,
            Payment::Declined => VoidAnswer::Declined("declined".to_owned()),
            Payment::Voided { .. } => VoidAnswer::Voided,
        }
    }

    fn refund(&mut self) -> RefundAnswer {
        match (self.payment, self.refund) {
            (Payment::Captured, Refund::None) => {
                self.refund = Refund::Pending;
                RefundAnswer::Pending
            }
            (Payment::Captured, Refund::Pending) => RefundAnswer::Pending,
            (Payment::Captured, Refund::Done) => RefundAnswer::Refunded,
            (Payment::Captured, Refund::Refused) => RefundAnswer::Refused("refused".to_owned()),
            (_, _) => RefundAnswer::NotCaptured,
        }
    }

    fn charge(&mut self, outcome: Charge) {
        let payment_id = payment_id();
        match (self.payment, outcome) {
            (Payment::Requested, Charge::OutcomeOpen) => {
                self.payment = Payment::Open {
                    void_requested: false,
                };
            }
            (Payment::Requested | Payment::Open { .. }, Charge::Captured) => {
                self.payment = Payment::Captured;
                self.bus.push(SagaEvent::PaymentSucceeded { payment_id });
            }
            (Payment::Requested | Payment::Open { .. }, Charge::Declined) => {
                self.payment = Payment::Declined;
                self.bus.push(SagaEvent::PaymentFailed {
                    payment_id,
                    reason: "declined".to_owned(),
                });
            }
            (Payment::Open { void_requested }, Charge::NotCharged) => {
                self.payment = if void_requested {
                    Payment::Voided { attempted: true }
                } else {
                    Payment::Requested
                };
            }
            (Payment::Voided { attempted: true }, Charge::Captured) => {
                self.bus.push(SagaEvent::PaymentRefunded {
                    payment_id,
                    late_capture: true,
                });
            }
            (Payment::Voided { attempted: true }, Charge::Declined) => {
                self.bus.push(SagaEvent::RefundFailed {
                    payment_id,
                    reason: "refused".to_owned(),
                    late_capture: true,
                });
            }
            (
                Payment::Absent | Payment::Captured | Payment::Declined | Payment::Voided { .. },
                _,
            )
            | (Payment::Requested, Charge::NotCharged)
            | (Payment::Open { .. }, Charge::OutcomeOpen) => {}
        }
    }

    fn settle_refund(&mut self, refused: bool) {
        let payment_id = payment_id();
        if self.refund != Refund::Pending {
            return;
        }
        if refused {
            self.refund = Refund::Refused;
            self.bus.push(SagaEvent::RefundFailed {
                payment_id,
                reason: "refused".to_owned(),
                late_capture: false,
            });
        } else {
            self.refund = Refund::Done;
            self.bus.push(SagaEvent::PaymentRefunded {
                payment_id,
                late_capture: false,
            });
        }
    }

    /// What must hold after every commit.
    fn check(&self) {
        let published = |name: &str| {
            self.published
                .iter()
                .filter(|event| event.name() == name)
                .count()
        };
        for name in ["created", "paid", "rejected", "cancelled", "refunded"] {
            assert!(published(name) <= 1, "{name} is published twice");
        }
        assert!(
            published("paid") + published("cancelled") + published("rejected") <= 1,
            "more than one end: {:?}",
            self.published
        );
        assert!(
            published("refunded") + published("cancelled") + published("rejected") <= 1,
            "more than one end: {:?}",
            self.published
        );
        match &self.stored.step {
            SagaStep::Completed => {
                assert_eq!(self.payment, Payment::Captured);
                assert_eq!(self.reservation, Reservation::Committed);
                assert_eq!(self.refund, Refund::None);
            }
            SagaStep::Cancelled { .. } => {
                assert!(!matches!(
                    self.payment,
                    Payment::Captured | Payment::Open { .. }
                ));
                assert!(!matches!(
                    self.reservation,
                    Reservation::Held | Reservation::Committed
                ));
            }
            SagaStep::Rejected { .. } => assert_eq!(self.payment, Payment::Absent),
            SagaStep::Refunded { .. } => {
                assert_eq!(self.payment, Payment::Captured);
                assert_eq!(self.refund, Refund::Done);
                assert_ne!(self.reservation, Reservation::Held);
            }
            SagaStep::Refunding { .. } => assert_eq!(self.payment, Payment::Captured),
            SagaStep::Reserving
            | SagaStep::AwaitingPayment
            | SagaStep::Voiding { .. }
            | SagaStep::Releasing { .. }
            | SagaStep::Committing
            | SagaStep::CommittingForRefund
            | SagaStep::ReleasingForRefund { .. }
            | SagaStep::Settling { .. }
            | SagaStep::Stuck { .. } => {}
        }
    }

    /// Faults end: deadlines come due, questions are answered, attempts settle. Says whether the saga came to rest.
    pub(super) fn heal(&mut self) -> bool {
        const ROUNDS: usize = 30;
        self.happen(Happening::Crash { replica: false });
        for _ in 0..ROUNDS {
            if self.stored.step.is_at_rest() {
                return true;
            }
            while !self.replicas[0].to_ask.is_empty() {
                self.happen(Happening::Ask {
                    replica: false,
                    twice: false,
                });
            }
            self.charge(Charge::NotCharged);
            self.settle_refund(false);
            self.happen(Happening::Deadline { replica: false });
        }
        false
    }

    /// The only reason for which this world's saga may need people.
    pub(super) fn is_owed(&self) -> bool {
        self.refund == Refund::Refused
            && matches!(
                self.stored.step,
                SagaStep::Stuck {
                    reason: StuckReason::RefundRefused,
                    ..
                }
            )
    }
}
