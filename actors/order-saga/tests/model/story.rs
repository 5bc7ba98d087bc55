//! A way through the model as people read it: one line for each step, what was done and what changed.

use std::fmt::Write as _;

use order_saga::saga::{Goods, SagaStep};
use order_saga::{OrderStatus, Saga};
use payment::{Payment, PaymentState, RefundState};
use stateright::Path;

use crate::payments::{Happening, NO_ROW};
use crate::sagas::{Command, EventNo, NO_SAGA, why};
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
        writeln!(story, "    {:>2}  {said:<62} {changed}", number + 1).unwrap();
    }
    story
}

fn what(world: &World, before: &State, action: Action) -> String {
    let of = |o: usize| match world.config.orders {
        1 => String::new(),
        _ => format!("order {}: ", o + 1),
    };
    let at = |r: usize| ["A", "B", "C"][r];
    let event = |o: usize, event: EventNo| {
        let name = world.sagas[o].event(event);
        let name = format!("{name:?}");
        let short = name.split(['{', '(']).take(2).collect::<Vec<_>>().join("(");
        if name.contains('(') {
            format!("{short})")
        } else {
            short.trim().to_owned()
        }
    };
    let on = |o: usize, r: usize| {
        let replica = &before.orders[o].replicas[r];
        if replica.cache == FRESH {
            format!("replica {}", at(r))
        } else {
            let cached = step_name(world.sagas[o].step_of(replica.cache));
            format!("replica {} (which still sees {cached})", at(r))
        }
    };
    match action {
        Action::Accept(o) => format!("{}the order is accepted by replica A", of(o)),
        Action::RunEffects(o, r) => {
            let pending = set(before.orders[o].replicas[r].pending);
            format!("{}replica {} sends {pending}", of(o), at(r))
        }
        Action::Crash(o, r) => format!("{}replica {} crashes", of(o), at(r)),
        Action::Deadline(o, r) => format!("{}the deadline passes, at {}", of(o), on(o, r)),
        Action::Cancel(o, r) => format!("{}the customer cancels, at {}", of(o), on(o, r)),
        Action::AskRefund(o, r) => {
            format!(
                "{}the customer wants the money back, at {}",
                of(o),
                on(o, r)
            )
        }
        Action::Fact(o, r, fact) => {
            let name = fact_name(fact);
            format!("{}the bus delivers {name} to {}", of(o), on(o, r))
        }
        Action::Answer(o, r) => {
            let name = event(o, before.orders[o].answer);
            format!("{}{name} arrives at {}", of(o), on(o, r))
        }
        Action::Execute(o, command, reply) => {
            let to = match reply {
                Reply::Lost => "; no answer arrives".to_owned(),
                Reply::Travels => "; an answer is under way".to_owned(),
                Reply::At(r) => format!("; the answer is at {}", on(o, r)),
            };
            format!("{}{command:?} is executed{to}", of(o))
        }
        Action::Created(o) => format!("{}the bus delivers orders.created to payments", of(o)),
        Action::Attempt(o) => format!(
            "{}payments records an attempt and calls the provider",
            of(o)
        ),
        Action::Decide(o, n, verdict) => {
            let verdict = match verdict {
                Verdict::Charge => "charges",
                Verdict::Decline => "declines",
                Verdict::DoNothing => "is busy: does nothing",
            };
            format!("{}call {n} reaches the provider, which {verdict}", of(o))
        }
        Action::Outcome(o, happening) => format!("{}payments learns: {}", of(o), learnt(happening)),
        Action::LookUp(o) => format!("{}payments looks the charge up: nothing so far", of(o)),
        Action::RefundCall(o) => format!("{}payments records a refund call and makes it", of(o)),
        Action::DecideRefund(o, n, yes) => {
            let verdict = if yes {
                "gives the money back"
            } else {
                "refuses"
            };
            format!("{}refund {n} reaches the provider, which {verdict}", of(o))
        }
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
        if is.answer != NO_ANSWER && is.answer != was.answer {
            changed.push(format!("answer: {:?}", world.sagas[o].event(is.answer)));
        }
    }
    if let Some(wrong) = after.wrong {
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
        SagaStep::Refunding { goods } | SagaStep::Refunded { goods } => match goods {
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
