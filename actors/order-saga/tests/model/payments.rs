//! The rules of payments, tabulated: every row that commands and facts can lead to, and what each does to it.
//!
//! Rows are numbered with what their write set beside them: whether there is a wake time. Left out are the version (each write is checked
//! to add one) and the number of calls of a refund attempt, which only stretches pauses. Charge attempts are bounded.
//!
//! A decision here always meets the present row: the ledger writes by version, and a write that comes too late is decided again on the row
//! that it found.

use order_saga::Order;
use order_saga::saga::{SagaEvent, VoidAnswer};
use payment::{
    AttemptOutcome, Base, ChargeCall, Decision, Event, Found, Payment, PaymentEvent, PaymentState,
    Policy, RefundOutcome, RefundState, Refusal, Wake, Work, decide, resume,
};

use crate::bugs::Bug;
use crate::glue;

/// A row, by number.
pub(crate) type RowId = u16;

/// There is no row.
pub(crate) const NO_ROW: RowId = RowId::MAX;

/// The events that payments publishes, a bit each.
pub(crate) mod fact {
    pub(crate) const SUCCEEDED: u8 = 1;
    pub(crate) const FAILED: u8 = 2;
    pub(crate) const REFUNDED: u8 = 4;
    pub(crate) const REFUND_FAILED: u8 = 8;
    pub(crate) const REFUNDED_LATE: u8 = 16;
    pub(crate) const REFUND_FAILED_LATE: u8 = 32;
    pub(crate) const ALL: [u8; 6] = [
        SUCCEEDED,
        FAILED,
        REFUNDED,
        REFUND_FAILED,
        REFUNDED_LATE,
        REFUND_FAILED_LATE,
    ];
}

const fn fact_of(event: &PaymentEvent) -> u8 {
    match event {
        PaymentEvent::Succeeded => fact::SUCCEEDED,
        PaymentEvent::Failed { .. } => fact::FAILED,
        PaymentEvent::Refunded {
            late_capture: false,
            ..
        } => fact::REFUNDED,
        PaymentEvent::Refunded { .. } => fact::REFUNDED_LATE,
        PaymentEvent::RefundFailed {
            late_capture: false,
            ..
        } => fact::REFUND_FAILED,
        PaymentEvent::RefundFailed { .. } => fact::REFUND_FAILED_LATE,
    }
}

/// What can happen to a row. Attempts count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    Request,
    Void,
    Refund,
    AttemptStarted,
    Captured(u8),
    Declined(u8),
    NotCharged(u8),
    Unanswered(u8),
    FoundCharged(u8),
    /// The attempt, and how often the voided payment had been looked up.
    FoundNothing(u8, u8),
    RefundStarted,
    Refunded(u8),
    RefundRefused(u8),
}

/// What a happening does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Written {
        to: RowId,
        /// What is published with it.
        fact: u8,
    },
    Ignored,
    Refused,
    Illegal,
}

/// A row with what stands beside it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) payment: Payment,
    /// Sweeps find it.
    pub(crate) wake: bool,
    /// What `resume` names.
    pub(crate) work: Option<Work>,
    /// Voided, and no look-up is left: more than a day has passed.
    pub(crate) watch_over: bool,
}

/// All of it, for one order.
pub(crate) struct Payments {
    rows: Vec<Row>,
    columns: usize,
    /// By row (the last for no row) and happening.
    applied: Vec<Applied>,
    /// Answers to Request, Void and Refund by row, then without a row, then the answers to refused ones.
    answers: Vec<[Option<SagaEvent>; 3]>,
    attempts_max: u8,
    look_ups_max: u8,
}

/// The version of the numbered rows does not matter.
const VERSION: i64 = 7;

impl Payments {
    pub(crate) fn tabulate(
        order: &Order,
        policy: &Policy,
        attempts_max: u8,
        bug: Option<Bug>,
    ) -> Self {
        let look_ups_max = u8::try_from(policy.voided_look_ups.len()).unwrap();
        let refund_attempts_max = u8::try_from(policy.refund_attempts_max).unwrap();
        let happenings = happenings(attempts_max, refund_attempts_max, look_ups_max);
        let mut numbers = Numbers {
            rows: Vec::new(),
            policy,
            attempts_max,
            bug,
        };
        let applies: Vec<Event> = happenings
            .iter()
            .map(|happening| event(order, *happening))
            .collect();
        let nothing: Vec<Applied> = applies
            .iter()
            .map(|event| numbers.apply(None, event))
            .collect();
        let mut applied = Vec::new();
        let mut done = 0;
        while let Some(row) = numbers.rows.get(done).cloned() {
            for event in &applies {
                applied.push(numbers.apply(Some(&row.payment), event));
            }
            done += 1;
        }
        applied.extend(nothing);
        let all_answers = |row: Option<&Payment>| {
            [
                Some(glue::request_answer(row)),
                glue::void_answer(row),
                glue::refund_answer(row),
            ]
        };
        let rows = numbers
            .rows
            .iter()
            .map(|row| all_answers(Some(&row.payment)));
        let mut answers: Vec<_> = rows.collect();
        // Only a planted bug leaves no row behind a command that was not refused.
        let voided = SagaEvent::VoidAnswered(VoidAnswer::Voided);
        answers.push([None, Some(voided), None]);
        answers.push(all_answers(None));
        let tables = Self {
            rows: numbers.rows,
            columns: happenings.len(),
            applied,
            answers,
            attempts_max,
            look_ups_max,
        };
        for (column, happening) in happenings.iter().enumerate() {
            assert_eq!(tables.column(*happening), column, "{happening:?}");
        }
        tables
    }

    pub(crate) fn apply(&self, row: RowId, happening: Happening) -> Applied {
        self.applied[self.line(row) * self.columns + self.column(happening)]
    }

    /// Where a happening stands in the list that [`happenings`] makes.
    fn column(&self, happening: Happening) -> usize {
        let per_attempt = 6 + usize::from(self.look_ups_max);
        let attempt = |attempt: u8| 5 + (usize::from(attempt) - 1) * per_attempt;
        let refund = |refund: u8| attempt(self.attempts_max + 1) + (usize::from(refund) - 1) * 2;
        match happening {
            Happening::Request => 0,
            Happening::Void => 1,
            Happening::Refund => 2,
            Happening::AttemptStarted => 3,
            Happening::RefundStarted => 4,
            Happening::Captured(n) => attempt(n),
            Happening::Declined(n) => attempt(n) + 1,
            Happening::NotCharged(n) => attempt(n) + 2,
            Happening::Unanswered(n) => attempt(n) + 3,
            Happening::FoundCharged(n) => attempt(n) + 4,
            Happening::FoundNothing(n, look_up) => attempt(n) + 5 + usize::from(look_up),
            Happening::Refunded(n) => refund(n),
            Happening::RefundRefused(n) => refund(n) + 1,
        }
    }

    pub(crate) fn row(&self, row: RowId) -> Option<&Row> {
        self.rows.get(usize::from(row))
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The answer to a command that left the row as `row`, or was refused.
    pub(crate) fn answer(
        &self,
        command: Happening,
        row: RowId,
        refused: bool,
    ) -> Option<&SagaEvent> {
        let column = match command {
            Happening::Request => 0,
            Happening::Void => 1,
            Happening::Refund => 2,
            _ => return None,
        };
        let line = if refused {
            self.rows.len() + 1
        } else {
            self.line(row)
        };
        self.answers[line][column].as_ref()
    }

    fn line(&self, row: RowId) -> usize {
        if row == NO_ROW {
            self.rows.len()
        } else {
            usize::from(row)
        }
    }
}

struct Numbers<'a> {
    rows: Vec<Row>,
    policy: &'a Policy,
    attempts_max: u8,
    bug: Option<Bug>,
}

impl Numbers<'_> {
    fn apply(&mut self, row: Option<&Payment>, event: &Event) -> Applied {
        let attempts = row.map_or(0, |row| row.attempt);
        if *event == Event::AttemptStarted && attempts >= i32::from(self.attempts_max) {
            return Applied::Ignored;
        }
        let change = match decide(row, event, self.policy, 0.5) {
            Decision::Write(change) => *change,
            Decision::Ignore(_) => return Applied::Ignored,
            Decision::Refuse(
                Refusal::ParametersDiffer
                | Refusal::OrderTaken
                | Refusal::NoSuchPayment
                | Refusal::NotCaptured
                | Refusal::Moved { .. },
            ) => return Applied::Refused,
            Decision::Illegal(_) => return Applied::Illegal,
        };
        // The version is also the `aggregate_seq` of the event.
        match (change.base, row) {
            (Base::Absent, None) => assert_eq!(change.payment.version, 1, "{change:?}"),
            (Base::Version(base), Some(row)) => {
                assert_eq!(base, row.version, "{change:?}");
                assert_eq!(change.payment.version, base + 1, "{change:?}");
            }
            _ => panic!("decided on another row than it writes: {change:?}"),
        }
        if self.bug == Some(Bug::VoidDoesNotTombstone)
            && row.is_none()
            && change.payment.state == PaymentState::Voided
        {
            return Applied::Ignored;
        }
        let mut payment = change.payment;
        let mut wake = change.wake != Wake::Never;
        if self.bug == Some(Bug::LateCaptureNotRefunded) && payment.late_capture {
            payment.refund = RefundState::None;
            payment.refund_attempt = 0;
            wake = false;
        }
        // One key for all charges of an order: the provider takes the money once. Each refund attempt has its own.
        assert_eq!(ChargeCall::from(&payment.request).payment_id, payment.id());
        assert_ne!(payment.refund_id(1), payment.refund_id(2));
        payment.version = VERSION;
        payment.refund_tries = payment.refund_tries.min(1);
        let work = resume(&payment, self.policy);
        let watch_over = payment.state == PaymentState::Voided && work.is_none();
        let to = self.number(Row {
            payment,
            wake,
            work,
            watch_over,
        });
        let fact = change.event.as_ref().map_or(0, fact_of);
        Applied::Written { to, fact }
    }

    fn number(&mut self, row: Row) -> RowId {
        let known = self.rows.iter().position(|known| *known == row);
        let number = known.unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        RowId::try_from(number).unwrap()
    }
}

fn happenings(attempts: u8, refunds: u8, look_ups: u8) -> Vec<Happening> {
    let mut all = vec![
        Happening::Request,
        Happening::Void,
        Happening::Refund,
        Happening::AttemptStarted,
        Happening::RefundStarted,
    ];
    for attempt in 1..=attempts {
        all.extend([
            Happening::Captured(attempt),
            Happening::Declined(attempt),
            Happening::NotCharged(attempt),
            Happening::Unanswered(attempt),
            Happening::FoundCharged(attempt),
        ]);
        all.extend((0..=look_ups).map(|look_up| Happening::FoundNothing(attempt, look_up)));
    }
    for refund in 1..=refunds {
        all.extend([
            Happening::Refunded(refund),
            Happening::RefundRefused(refund),
        ]);
    }
    all
}

fn event(order: &Order, happening: Happening) -> Event {
    let ended = |attempt: u8, outcome| Event::AttemptEnded {
        attempt: i32::from(attempt),
        outcome,
    };
    let looked_up = |attempt: u8, look_up: u8, found| Event::LookedUp {
        attempt: i32::from(attempt),
        look_up: i32::from(look_up),
        found,
    };
    let refund_ended = |attempt: u8, outcome| Event::RefundEnded {
        attempt: i32::from(attempt),
        outcome,
    };
    match happening {
        Happening::Request => Event::Request(glue::payment_request(order)),
        Happening::Void => Event::Void(glue::payment_request(order)),
        Happening::Refund => Event::Refund,
        Happening::AttemptStarted => Event::AttemptStarted,
        Happening::Captured(attempt) => ended(attempt, AttemptOutcome::Captured),
        Happening::Declined(attempt) => {
            let reason = "declined".to_owned();
            ended(attempt, AttemptOutcome::Declined { reason })
        }
        Happening::NotCharged(attempt) => ended(attempt, AttemptOutcome::NotCharged),
        Happening::Unanswered(attempt) => ended(attempt, AttemptOutcome::Unknown),
        Happening::FoundCharged(attempt) => looked_up(attempt, 0, Found::Charged),
        Happening::FoundNothing(attempt, look_up) => looked_up(attempt, look_up, Found::NotCharged),
        Happening::RefundStarted => Event::RefundStarted,
        Happening::Refunded(attempt) => refund_ended(attempt, RefundOutcome::Refunded),
        Happening::RefundRefused(attempt) => {
            let reason = "refused".to_owned();
            refund_ended(attempt, RefundOutcome::Refused { reason })
        }
    }
}
