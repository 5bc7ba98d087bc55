//! A way through the model as people read it: one line for each step, what was done and what changed.

use std::fmt::Write as _;

use order_saga::saga::{Goods, SagaStep};
use order_saga::{OrderStatus, Saga};
use payment::{Payment, PaymentState, RefundState};
use stateright::Path;

use crate::events::{Command, RESOLUTIONS, why};
use crate::payments::{Happening, NO_ROW};
use crate::sagas::{EventNo, NO_SAGA};
use crate::state::{Charge, FRESH, NO_ANSWER, OrderState, State};
use crate::world::{Action, Reply, Verdict, World};

/// The path, told.
pub(crate) fn tell(world: &World, path: Path<State, Action>) -> String {
    let steps = path.into_vec();
    let mut story = String::new();
    let on_hand = world.stocks.books(steps[0].0.books).stock.values().next();
    let on_hand = on_hand.map_or(0, |row| row.on_hand);
    writeln!(story, "     0  pieces in stock: {on_hand}").unwrap();
    for (number, pair) in steps.windows(2).enumerate() {
        let [(before, Some(action)), (after, _)] = pair else {
            continue;
        };
        let said = what(world, before, *action);
        let changed = changes(world, before, after);
        writeln!(story, "    {:>2}  {said:<72} {changed}", number + 1).unwrap();
    }
    story
}

fn what(world: &World, before: &State, action: Action) -> String {
    let o = order_of(action);
    let whose = match world.config.orders {
        1 => String::new(),
        _ => format!("order {}: ", o + 1),
    };
    let event = at_replicas(world, before, action).unwrap_or_else(|| elsewhere(action));
    whose + &event
}

const fn order_of(action: Action) -> usize {
    match action {
        Action::Accept(o)
        | Action::RunEffects(o, _)
        | Action::Crash(o, _)
        | Action::Deadline(o, _)
        | Action::Cancel(o, _)
        | Action::AskRefund(o, _)
        | Action::Fact(o, ..)
        | Action::Answer(o, ..)
        | Action::Poison(o, _)
        | Action::Retry(o, _)
        | Action::Compensate(o, _)
        | Action::Resolve(o, ..)
        | Action::Execute(o, ..)
        | Action::Created(o)
        | Action::Attempt(o)
        | Action::Decide(o, ..)
        | Action::Outcome(o, _)
        | Action::LookUp(o)
        | Action::RefundCall(o)
        | Action::DecideRefund(o, ..)
        | Action::Charge(o, _)
        | Action::GiveBack(o) => o,
    }
}

/// What happens at the replicas of orders.
fn at_replicas(world: &World, before: &State, action: Action) -> Option<String> {
    let name = |r: usize| ["A", "B", "C"][r];
    let on = |o: usize, r: usize| {
        let replica = &before.orders[o].replicas[r];
        if replica.cache == FRESH {
            format!("replica {}", name(r))
        } else {
            let cached = step_name(world.sagas[o].step_of(replica.cache));
            format!("replica {} (still sees {cached})", name(r))
        }
    };
    let pending = |o: usize, r: usize| set(before.orders[o].replicas[r].pending);
    Some(match action {
        Action::Accept(_) => "the order is accepted by replica A".to_owned(),
        Action::RunEffects(o, r) => format!("replica {} sends {}", name(r), pending(o, r)),
        Action::Crash(o, r) if pending(o, r).is_empty() => format!("replica {} crashes", name(r)),
        Action::Crash(o, r) => {
            format!(
                "replica {} crashes before it sends {}",
                name(r),
                pending(o, r)
            )
        }
        Action::Deadline(o, r) => format!("the deadline passes, at {}", on(o, r)),
        Action::Cancel(o, r) => format!("the customer cancels, at {}", on(o, r)),
        Action::AskRefund(o, r) => format!("the customer wants the money back, at {}", on(o, r)),
        Action::Fact(o, r, fact) => {
            format!("the bus delivers {} to {}", fact_name(fact), on(o, r))
        }
        Action::Answer(o, r, a) => {
            let answer = event_name(world, o, before.orders[o].answers[a]);
            format!("{answer} arrives at {}", on(o, r))
        }
        Action::Poison(o, r) => format!("handling panicked too often, at {}", on(o, r)),
        Action::Retry(o, r) => format!("an operator retries, at {}", on(o, r)),
        Action::Compensate(o, r) => format!("an operator gives the order back, at {}", on(o, r)),
        Action::Resolve(o, r, to) => {
            let to = RESOLUTIONS[to];
            format!("an operator settles the order as {to:?}, at {}", on(o, r))
        }
        Action::Execute(_, command, Reply::Lost) => {
            format!("{command:?} is executed; no answer arrives")
        }
        Action::Execute(_, command, Reply::Travels(_)) => {
            format!("{command:?} is executed; an answer is under way")
        }
        Action::Execute(o, command, Reply::At(r)) => {
            format!("{command:?} is executed; the answer is at {}", on(o, r))
        }
        _ => return None,
    })
}

/// What happens in payments and at the provider.
fn elsewhere(action: Action) -> String {
    match action {
        Action::Created(_) => "the bus delivers orders.created to payments".to_owned(),
        Action::Attempt(_) => "payments records an attempt and calls the provider".to_owned(),
        Action::Decide(_, n, verdict) => {
            let verdict = match verdict {
                Verdict::Charge => "charges",
                Verdict::Decline => "declines",
                Verdict::DoNothing => "is busy and does nothing",
            };
            format!("call {n} reaches the provider, which {verdict}")
        }
        Action::Outcome(_, happening) => format!("payments learns: {}", learnt(happening)),
        Action::LookUp(_) => "payments looks the charge up: nothing so far".to_owned(),
        Action::RefundCall(_) => "payments records a refund call and makes it".to_owned(),
        Action::DecideRefund(_, n, yes) => {
            let verdict = if yes {
                "gives the money back"
            } else {
                "refuses"
            };
            format!("refund {n} reaches the provider, which {verdict}")
        }
        Action::Charge(_, verdict) => match verdict {
            Verdict::Charge => "payments charges, and is told so",
            Verdict::Decline => "payments charges, and is declined",
            Verdict::DoNothing => "payments charges in vain",
        }
        .to_owned(),
        Action::GiveBack(_) => "payments gives the money back, and is told so".to_owned(),
        other => format!("{other:?}"),
    }
}

/// `ReserveAnswered(Held)`: enough to follow.
fn event_name(world: &World, o: usize, event: EventNo) -> String {
    let text = format!("{:?}", world.sagas[o].event(event));
    let mut words = text.split(['{', '(', ')']).map(str::trim);
    let name = words.next().unwrap_or_default();
    match words.next() {
        Some(detail) if text.contains('(') => format!("{name}({detail})"),
        _ => name.to_owned(),
    }
}

fn learnt(happening: Happening) -> String {
    match happening {
        Happening::Captured(n) => format!("call {n} charged"),
        Happening::Declined(n) => format!("call {n} was declined"),
        Happening::NotCharged(n) => format!("call {n} did nothing"),
        Happening::Unanswered(n) => format!("call {n} has no answer"),
        Happening::FoundCharged(_) => "the look-up finds a charge".to_owned(),
        Happening::FoundNothing(..) => "the look-up found nothing".to_owned(),
        Happening::Refunded(n) => format!("refund {n} is done"),
        Happening::RefundRefused(n) => format!("refund {n} is refused"),
        other => format!("{other:?}"),
    }
}

fn set(commands: u8) -> String {
    let names = Command::ALL
        .iter()
        .filter(|command| commands & **command as u8 != 0);
    let names: Vec<String> = names.map(|command| format!("{command:?}")).collect();
    names.join(", ")
}

fn fact_name(fact: u8) -> &'static str {
    match fact.trailing_zeros() {
        0 => "payments.succeeded",
        1 => "payments.failed",
        2 => "payments.refunded",
        3 => "payments.refund_failed",
        4 => "payments.refunded (late)",
        _ => "payments.refund_failed (late)",
    }
}

/// What a step changed, for everybody to see.
fn changes(world: &World, before: &State, after: &State) -> String {
    let mut changed = Vec::new();
    for o in 0..world.config.orders {
        let (was, is) = (&before.orders[o], &after.orders[o]);
        let mut note = |name: &str, was: String, is: String| {
            if was != is {
                changed.push(format!("{name} {was} → {is}"));
            }
        };
        note("saga", saga(world, o, was), saga(world, o, is));
        let reservation = |state: &State| {
            let state = world.stocks.state(state.books, &world.sagas[o].order);
            state.map_or("none".to_owned(), |state| {
                format!("{state:?}").to_uppercase()
            })
        };
        note("stock", reservation(before), reservation(after));
        note("payment", payment(world, o, was), payment(world, o, is));
        note("provider", provider(was), provider(is));
        for answer in is.answers {
            if answer != NO_ANSWER && !was.answers.contains(&answer) {
                changed.push(format!("answer: {}", event_name(world, o, answer)));
            }
        }
    }
    if let Some(wrong) = after.wrong.filter(|wrong| before.wrong != Some(*wrong)) {
        changed.push(format!("wrong: {wrong:?}"));
    }
    changed.join("; ")
}

fn saga(world: &World, o: usize, order: &OrderState) -> String {
    if order.saga == NO_SAGA {
        return "none".to_owned();
    }
    let saga: &Saga = world.sagas[o].saga(order.saga);
    let mut text = step_name(&saga.step);
    if saga.missed_deadlines > 0 {
        write!(text, " (deadline missed)").unwrap();
    }
    let status: OrderStatus = saga.status();
    format!("{text} [{status}]")
}

fn step_name(step: &SagaStep) -> String {
    let detail = match step {
        SagaStep::Voiding { cause } | SagaStep::ReleasingForRefund { cause } => why(*cause),
        SagaStep::Releasing { reason } | SagaStep::Cancelled { reason } => reason.as_str(),
        SagaStep::Refunding { goods }
        | SagaStep::Settling { goods }
        | SagaStep::Refunded { goods } => match goods {
            Goods::Sold => "goods sold",
            Goods::Released { .. } => "goods released",
        },
        SagaStep::Stuck { reason, .. } => reason.as_str(),
        _ => return step.name().to_owned(),
    };
    format!("{}({detail})", step.name())
}

fn payment(world: &World, o: usize, order: &OrderState) -> String {
    if order.row == NO_ROW {
        return "none".to_owned();
    }
    let Some(row) = world.row(o, order) else {
        return "?".to_owned();
    };
    let payment: &Payment = &row.payment;
    let mut text = payment.state.as_str().to_owned();
    if payment.void_requested && payment.state == PaymentState::Unknown {
        text.push_str("+void");
    }
    if payment.late_capture {
        text.push_str("+late capture");
    }
    if payment.refund != RefundState::None {
        write!(text, "+refund {}", payment.refund.as_str()).unwrap();
    }
    text
}

fn provider(order: &OrderState) -> String {
    let mut text = match order.charge {
        Charge::Undecided => "nothing",
        Charge::Captured => "charged",
        Charge::Declined => "declined",
    }
    .to_owned();
    if order.refunded != 0 {
        text.push_str("+refunded");
    }
    if order.refund_refused != 0 {
        text.push_str("+refund refused");
    }
    text
}
