//! Who may act when: the steps that somebody could take next.

use payment::{PaymentState, RefundState, Work};

use crate::events::{Command, RESOLUTIONS, told};
use crate::payments::{Happening, Row, fact};
use crate::sagas::{NO_SAGA, Reaction};
use crate::state::{Charge, FRESH, NO_ANSWER, OrderState, State};
use crate::world::{Action, Reply, Verdict, World, attempts, bit, refund_attempts};

impl World {
    /// Every step that somebody could take. Some change nothing.
    pub(crate) fn steps(&self, state: &State, actions: &mut Vec<Action>) {
        if state.wrong.is_some() && self.bug.is_none() {
            return;
        }
        for (o, order) in state.orders[..self.config.orders].iter().enumerate() {
            if order.saga == NO_SAGA {
                actions.push(Action::Accept(o));
                continue;
            }
            self.replica_steps(o, order, actions);
            self.command_steps(o, order, actions);
            self.payment_steps(o, order, actions);
        }
    }

    fn replica_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        let replicas = self.replicas(order);
        for (r, replica) in replicas.iter().enumerate() {
            if self.config.symmetric && r > 0 && replicas[r - 1] == *replica {
                continue;
            }
            if replica.pending != 0 {
                actions.extend([Action::RunEffects(o, r), Action::Crash(o, r)]);
                continue;
            }
            if replica.cache != FRESH {
                actions.push(Action::Crash(o, r));
            }
            if order.wake {
                actions.push(Action::Deadline(o, r));
            }
            actions.push(Action::Cancel(o, r));
            if self.config.refunds {
                actions.push(Action::AskRefund(o, r));
            }
            let facts = fact::ALL.into_iter().filter(|fact| order.facts & fact != 0);
            actions.extend(facts.map(|fact| Action::Fact(o, r, fact)));
            let under_way = |a: &usize| order.answers[*a] != NO_ANSWER;
            let answers = (0..self.config.answers_under_way).filter(under_way);
            actions.extend(answers.map(|a| Action::Answer(o, r, a)));
            if self.config.operators {
                actions.extend([
                    Action::Poison(o, r),
                    Action::Retry(o, r),
                    Action::Compensate(o, r),
                ]);
                let resolutions = self.resolutions(o, order);
                actions.extend(resolutions.map(|to| Action::Resolve(o, r, to)));
            }
        }
    }

    /// What an operator may say of an order that was set aside: only what is true, and only what the order waits for.
    fn resolutions(&self, o: usize, order: &OrderState) -> impl Iterator<Item = usize> {
        let sagas = &self.sagas[o];
        let payment = self.row(o, order).map(|row| &row.payment);
        let replicas = self.replicas(order).iter();
        let sent = replicas.fold(order.sent, |sent, replica| sent | replica.pending);
        let never_asked = order.told & told::CREATED == 0;
        let closed = payment.is_some_and(|payment| {
            matches!(payment.state, PaymentState::Voided | PaymentState::Declined)
        });
        let captured = payment.is_some_and(|payment| payment.state == PaymentState::Captured);
        // Nobody pays back what payments is paying back.
        let idle = payment.is_some_and(|payment| match payment.refund {
            RefundState::None => sent & Command::Refund as u8 == 0,
            RefundState::Stuck => true,
            RefundState::Requested | RefundState::Open | RefundState::Refunded => false,
        });
        let kept = captured && idle && order.refunded == 0;
        let true_of = [never_asked || closed, kept, kept];
        let is_stuck = sagas.face(order.saga).stuck.is_some();
        let fits = sagas
            .known
            .resolve
            .map(|event| is_stuck && matches!(sagas.react(order.saga, event), Reaction::Next(_)));
        (0..RESOLUTIONS.len()).filter(move |to| true_of[*to] && fits[*to])
    }

    fn command_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        for command in Command::ALL {
            if order.sent & command as u8 == 0 {
                continue;
            }
            actions.push(Action::Execute(o, command, Reply::Lost));
            let places = 0..self.config.answers_under_way;
            actions.extend(places.map(|a| Action::Execute(o, command, Reply::Travels(a))));
            if self.config.answers_under_way == 0 {
                let replicas = self.replicas(order).iter().enumerate();
                let idle = replicas.filter(|(_, replica)| replica.pending == 0);
                actions.extend(idle.map(|(r, _)| Action::Execute(o, command, Reply::At(r))));
            }
        }
    }

    fn payment_steps(&self, o: usize, order: &OrderState, actions: &mut Vec<Action>) {
        if order.told & told::CREATED != 0 {
            actions.push(Action::Created(o));
        }
        let Some(row) = self.row(o, order) else {
            return;
        };
        let can = self.config.provider;
        if !can.takes_time {
            match row.work {
                Some(Work::Charge) if can.declines => actions.extend([
                    Action::Charge(o, Verdict::Charge),
                    Action::Charge(o, Verdict::Decline),
                ]),
                Some(Work::Charge) => actions.push(Action::Charge(o, Verdict::Charge)),
                Some(Work::Refund) => actions.push(Action::GiveBack(o)),
                Some(Work::LookUp) | None => {}
            }
            return;
        }
        match row.work {
            Some(Work::Charge) => actions.push(Action::Attempt(o)),
            Some(Work::LookUp) if order.charge != Charge::Captured => {
                actions.push(Action::LookUp(o));
            }
            Some(Work::Refund) => actions.push(Action::RefundCall(o)),
            Some(Work::LookUp) | None => {}
        }
        self.call_steps(o, order, row, actions);
        self.refund_steps(o, order, row, actions);
    }

    /// Charge calls that were made, and their outcomes.
    fn call_steps(&self, o: usize, order: &OrderState, row: &Row, actions: &mut Vec<Action>) {
        let can = self.config.provider;
        for n in 1..=attempts(row) {
            if order.charge == Charge::Undecided
                && order.not_charged & bit(n) == 0
                && !row.watch_over
            {
                actions.push(Action::Decide(o, n, Verdict::Charge));
                if can.declines {
                    actions.push(Action::Decide(o, n, Verdict::Decline));
                }
                if can.fails {
                    actions.push(Action::Decide(o, n, Verdict::DoNothing));
                }
            }
            match order.charge {
                Charge::Captured => actions.extend(
                    [Happening::Captured(n), Happening::FoundCharged(n)]
                        .map(|happening| Action::Outcome(o, happening)),
                ),
                Charge::Declined => actions.push(Action::Outcome(o, Happening::Declined(n))),
                Charge::Undecided => {}
            }
            if order.not_charged & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::NotCharged(n)));
            }
            if can.keeps_silent {
                actions.push(Action::Outcome(o, Happening::Unanswered(n)));
            }
            if order.nothing_found & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::FoundNothing(n, 0)));
            }
        }
    }

    /// Refund calls that were made, and their outcomes.
    fn refund_steps(&self, o: usize, order: &OrderState, row: &Row, actions: &mut Vec<Action>) {
        for n in 1..=refund_attempts(row) {
            let decided = (order.refunded | order.refund_refused) & bit(n) != 0;
            let called = n < refund_attempts(row) || row.payment.refund == RefundState::Open;
            if called && !decided {
                actions.push(Action::DecideRefund(o, n, true));
                if self.config.provider.refuses_refunds {
                    actions.push(Action::DecideRefund(o, n, false));
                }
            }
            if order.refunded & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::Refunded(n)));
            }
            if order.refund_refused & bit(n) != 0 {
                actions.push(Action::Outcome(o, Happening::RefundRefused(n)));
            }
        }
    }
}
