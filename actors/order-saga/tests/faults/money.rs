//! Payments by its rules, its processor, and a provider with books of its own.

use std::collections::BTreeSet;

use order_saga::Order;
use order_saga::saga::SagaEvent;
use payment::{
    AttemptOutcome, Base, Decision, Event, Found, Payment, PaymentState, Policy, RefundOutcome,
    Work, decide, resume,
};
use uuid::Uuid;

use crate::glue;
use crate::journeys::{Charges, Journey};

pub(crate) struct Money {
    pub(crate) row: Option<Payment>,
    /// What the provider took and gave back; one key each, so that repeats do not count.
    pub(crate) captured: bool,
    pub(crate) refunds: BTreeSet<Uuid>,
    charges: Charges,
    refuses_refunds: bool,
    policy: Policy,
    /// The attempt whose call is under way.
    calling: Option<i32>,
}

impl Money {
    pub(crate) fn new(journey: &Journey) -> Self {
        Self {
            row: None,
            captured: false,
            refunds: BTreeSet::new(),
            charges: journey.charges,
            refuses_refunds: journey.refuses_refunds,
            policy: Policy::default(),
            calling: None,
        }
    }

    pub(crate) fn state(&self) -> Option<PaymentState> {
        self.row.as_ref().map(|row| row.state)
    }

    /// Captures less refunds, in orders.
    pub(crate) fn kept(&self) -> i64 {
        i64::from(self.captured) - i64::try_from(self.refunds.len()).unwrap()
    }

    pub(crate) fn is_calling(&self) -> bool {
        self.calling.is_some()
    }

    /// Decides and writes; says whether it was refused, and what is published.
    pub(crate) fn apply(&mut self, order: &Order, event: &Event) -> (bool, Option<SagaEvent>) {
        match decide(self.row.as_ref(), event, &self.policy, 0.5) {
            Decision::Write(change) => {
                let version = match change.base {
                    Base::Absent => 0,
                    Base::Version(version) => version,
                };
                assert_eq!(version, self.row.as_ref().map_or(0, |row| row.version));
                assert_eq!(change.payment.version, version + 1);
                let told = change.event.as_ref();
                let told = told.map(|event| glue::from_payments(order, event));
                self.row = Some(change.payment);
                (false, told)
            }
            Decision::Ignore(_) => (false, None),
            Decision::Refuse(_) => (true, None),
            Decision::Illegal(why) => panic!("{event:?}: {why}"),
        }
    }

    /// The processor's next piece of work. `None`: there is none, or the provider hangs.
    pub(crate) fn work(&mut self, order: &Order) -> Option<Vec<SagaEvent>> {
        let events = if let Some(attempt) = self.calling.take() {
            vec![Event::AttemptEnded {
                attempt,
                outcome: self.charge(),
            }]
        } else {
            let row = self.row.clone()?;
            match resume(&row, &self.policy)? {
                Work::Charge => {
                    self.calling = Some(row.attempt + 1);
                    vec![Event::AttemptStarted]
                }
                Work::LookUp => vec![Event::LookedUp {
                    attempt: row.attempt,
                    look_up: row.look_ups,
                    found: self.look_up(&row)?,
                }],
                Work::Refund => vec![
                    Event::RefundStarted,
                    Event::RefundEnded {
                        attempt: row.refund_attempt,
                        outcome: self.refund(&row),
                    },
                ],
            }
        };
        let told = events.iter().filter_map(|event| self.apply(order, event).1);
        Some(told.collect())
    }

    fn charge(&mut self) -> AttemptOutcome {
        match self.charges {
            Charges::Captured => {
                self.captured = true;
                AttemptOutcome::Captured
            }
            Charges::Declined => AttemptOutcome::Declined {
                reason: "declined".to_owned(),
            },
            Charges::NotNow => AttemptOutcome::NotCharged,
            Charges::SilentUntilVoided | Charges::FoundAfterVoided => {
                self.captured = true;
                AttemptOutcome::Unknown
            }
        }
    }

    fn look_up(&self, row: &Payment) -> Option<Found> {
        let found = match self.charges {
            Charges::Captured | Charges::Declined | Charges::NotNow => self.captured,
            Charges::SilentUntilVoided => {
                if !row.void_requested {
                    return None;
                }
                self.captured
            }
            Charges::FoundAfterVoided => self.captured && row.look_ups > 0,
        };
        Some(if found {
            Found::Charged
        } else {
            Found::NotCharged
        })
    }

    fn refund(&mut self, row: &Payment) -> RefundOutcome {
        if self.refuses_refunds {
            return RefundOutcome::Refused {
                reason: "refused".to_owned(),
            };
        }
        assert!(self.captured, "nothing was taken");
        self.refunds.insert(row.refund_id(row.refund_attempt));
        RefundOutcome::Refunded
    }
}
