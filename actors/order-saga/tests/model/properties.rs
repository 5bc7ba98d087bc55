//! What must hold in every state, in the words of the audit of the books, and what must be seen to happen at all: a model in which nothing is
//! ever paid would hold every promise.

use order_saga::OrderStatus;
use order_saga::saga::{Goods, StuckReason, VoidCause};
use payment::{PaymentState, RefundState};
use stateright::Property;
use stock::ReservationState;

use crate::glue;
use crate::payments::Row;
use crate::sagas::{Face, NO_SAGA, Reaction};
use crate::state::{Charge, FRESH, OrderState, State, Wrong};
use crate::world::World;

/// One order and what the databases and the provider hold about it.
struct View<'a> {
    order: &'a OrderState,
    face: &'a Face,
    reservation: Option<ReservationState>,
    row: Option<&'a Row>,
}

impl View<'_> {
    fn captured(&self) -> bool {
        self.order.charge == Charge::Captured
    }

    fn refunded(&self) -> bool {
        self.order.refunded != 0
    }

    /// Money that nobody expects, and that payments has in hand: being given back, owed, or being looked for.
    fn settled_by_payments(&self) -> bool {
        self.row.is_some_and(|row| {
            let given_back = row.payment.late_capture && row.payment.refund != RefundState::None;
            let voided = row.payment.state == PaymentState::Voided;
            given_back || voided && row.wake && row.work.is_some()
        })
    }
}

fn each(world: &World, state: &State, holds: impl Fn(&View<'_>) -> bool) -> bool {
    (0..world.config.orders).all(|o| {
        let order = &state.orders[o];
        if order.saga == NO_SAGA {
            return true;
        }
        let sagas = &world.sagas[o];
        holds(&View {
            order,
            face: sagas.face(order.saga),
            reservation: world.stocks.state(state.books, &sagas.order),
            row: world.row(o, order),
        })
    })
}

fn any(world: &World, state: &State, happens: impl Fn(&View<'_>) -> bool) -> bool {
    !each(world, state, |view| !happens(view))
}

pub(crate) const CAN_END: &str = "every order can still end, with the bus gone for good";
pub(crate) const DEADLINE: &str =
    "an order that waits has a deadline, a payment with work a wake time";
pub(crate) const LEGAL: &str = "nobody who is up to date meets an event that makes no sense";
pub(crate) const HEARD: &str = "an acknowledged event has nothing left to say";
pub(crate) const ONCE: &str = "an event is published once";
pub(crate) const TABLES: &str = "no constraint of the tables is ever in the way";
pub(crate) const COMMANDS: &str = "no command without the commit it follows from";
pub(crate) const PROMISES: &str = "a cancel or refund that was accepted stays accepted";
pub(crate) const STUCK: &str = "without people, only a refused refund makes an order stuck";
pub(crate) const LEDGER: &str = "payments' books say what the provider's say, or know less";
pub(crate) const CAPTURES: &str = "one capture at most, counted on or given back, never both";
pub(crate) const REFUNDS: &str = "what was captured is given back at most once";
pub(crate) const STOCK: &str =
    "0 ≤ reserved ≤ on_hand, reserved = Σ HELD, on_hand = initial − Σ COMMITTED";
pub(crate) const SOLD: &str = "captured and COMMITTED ⇒ PAID, REFUND_PENDING or REFUNDED";
pub(crate) const PAID: &str = "PAID ⇒ captured and not refunded; completed ⇒ COMMITTED too";
pub(crate) const CANCELLED: &str = "CANCELLED or REJECTED ⇒ nothing held and no net money";
pub(crate) const REFUNDED: &str = "REFUNDED ⇒ refund = capture and nothing held";

/// A name, and what it means for a state.
type Named = (&'static str, fn(&World, &State) -> bool);

/// What must hold always.
pub(crate) const ALWAYS: [Named; 17] = [
    (SOLD, |world, state| {
        each(world, state, |view| {
            let sold = view.reservation == Some(ReservationState::Committed);
            let fits = matches!(
                view.face.status,
                OrderStatus::Paid | OrderStatus::RefundPending | OrderStatus::Refunded
            );
            !(sold && view.captured()) || fits
        })
    }),
    (PAID, |world, state| {
        each(world, state, |view| {
            let paid = view.face.status == OrderStatus::Paid;
            let sold = view.reservation == Some(ReservationState::Committed);
            (!paid || view.captured() && !view.refunded()) && (!view.face.completed || sold)
        })
    }),
    (CANCELLED, |world, state| {
        each(world, state, |view| {
            let none = matches!(
                view.face.status,
                OrderStatus::Cancelled | OrderStatus::Rejected
            );
            let held = matches!(
                view.reservation,
                Some(ReservationState::Held | ReservationState::Committed)
            );
            let no_money = !view.captured() || view.refunded() || view.settled_by_payments();
            !none || !held && no_money
        })
    }),
    (REFUNDED, |world, state| {
        each(world, state, |view| {
            let goods = match view.face.goods {
                Some(Goods::Sold) => view.reservation == Some(ReservationState::Committed),
                Some(Goods::Released { .. }) => {
                    view.reservation == Some(ReservationState::Released)
                }
                None => true,
            };
            let money = view.captured() && view.refunded();
            view.face.status != OrderStatus::Refunded || goods && money
        })
    }),
    (STOCK, |world, state| {
        let books = world.stocks.books(state.books);
        let initial: i64 = books.stock[&glue::sku()].on_hand
            + books.pieces(&glue::sku(), ReservationState::Committed);
        let row = &books.stock[&glue::sku()];
        (0..=row.on_hand).contains(&row.reserved)
            && row.reserved == books.pieces(&glue::sku(), ReservationState::Held)
            && world.config.starts.contains(&initial)
    }),
    (CAPTURES, |world, state| {
        each(world, state, |view| {
            view.row.is_none_or(|row| {
                let counted = row.payment.state == PaymentState::Captured;
                let late = row.payment.late_capture;
                !late || !counted && row.payment.refund != RefundState::None
            })
        })
    }),
    (REFUNDS, |world, state| {
        state.wrong != Some(Wrong::RefundedTwice)
            && each(world, state, |view| !view.refunded() || view.captured())
    }),
    (LEDGER, |world, state| {
        each(world, state, |view| {
            view.row.is_none_or(|row| {
                let payment = &row.payment;
                let declined = payment.state == PaymentState::Declined;
                let given_back = payment.refund == RefundState::Refunded;
                (!payment.money_was_taken() || view.captured())
                    && (!declined || view.order.charge == Charge::Declined)
                    && (!given_back || view.refunded())
            })
        })
    }),
    (COMMANDS, |world, state| {
        each(world, state, |view| {
            view.order.sent & !view.face.may_have_sent == 0
        })
    }),
    (PROMISES, |world, state| {
        (0..world.config.orders).all(|o| {
            let order = &state.orders[o];
            let sagas = &world.sagas[o];
            let kept = |promised: bool, event| {
                !promised || !matches!(sagas.react(order.saga, event), Reaction::Next(_))
            };
            let paid = |face: &Face| face.status == OrderStatus::Paid;
            order.saga == NO_SAGA
                || kept(order.cancel_promised, sagas.known.cancel)
                    && kept(order.refund_promised, sagas.known.ask_refund)
                    && !(order.cancel_promised && paid(sagas.face(order.saga)))
        })
    }),
    (STUCK, |world, state| {
        each(world, state, |view| {
            let stuck = view.face.stuck;
            let owed = view
                .row
                .is_some_and(|row| row.payment.refund == RefundState::Stuck);
            stuck.is_none()
                || stuck == Some(StuckReason::RefundRefused) && owed
                || stuck == Some(StuckReason::Poison) && world.config.operators
        })
    }),
    (DEADLINE, |world, state| {
        each(world, state, |view| {
            view.order.wake != view.face.at_rest
                && view.row.is_none_or(|row| row.wake == row.work.is_some())
        })
    }),
    (LEGAL, |_, state| state.wrong != Some(Wrong::Illegal)),
    (HEARD, |_, state| {
        state.wrong != Some(Wrong::AcknowledgedUnheard)
    }),
    (ONCE, |_, state| state.wrong != Some(Wrong::ToldTwice)),
    (TABLES, |_, state| state.wrong != Some(Wrong::Refused)),
    (CAN_END, World::can_still_end),
];

/// What must be seen to happen in every configuration that has the means.
const SEEN: [Named; 10] = [
    ("an order is completed", |world, state| {
        any(world, state, |view| view.face.completed)
    }),
    ("an order is rejected", |world, state| {
        any(world, state, |view| {
            view.face.status == OrderStatus::Rejected
        })
    }),
    (
        "an order is cancelled after it was voided",
        |world, state| {
            any(world, state, |view| {
                let voided = view
                    .row
                    .is_some_and(|row| row.payment.state == PaymentState::Voided);
                view.face.status == OrderStatus::Cancelled && voided
            })
        },
    ),
    (
        "a cancelled order's stock was never asked for",
        |world, state| {
            any(world, state, |view| {
                view.face.status == OrderStatus::Cancelled && view.row.is_none()
            })
        },
    ),
    (
        "a charge wins against a cancel and goes back",
        |world, state| {
            any(world, state, |view| {
                let released = Goods::Released {
                    cause: VoidCause::UserRequested,
                };
                view.face.goods == Some(released)
            })
        },
    ),
    (
        "a charge is captured after the order was cancelled, and goes back",
        |world, state| {
            any(world, state, |view| {
                let late = view.row.is_some_and(|row| {
                    row.payment.late_capture && row.payment.refund == RefundState::Refunded
                });
                view.face.status == OrderStatus::Cancelled && late
            })
        },
    ),
    ("a charge is declined", |world, state| {
        any(world, state, |view| view.order.charge == Charge::Declined)
    }),
    ("a paid order is refunded", |world, state| {
        any(world, state, |view| view.face.goods == Some(Goods::Sold))
    }),
    ("a refund is refused for good", |world, state| {
        any(world, state, |view| {
            view.face.stuck == Some(StuckReason::RefundRefused)
        })
    }),
    (
        "a replica holds what is no longer stored",
        |world, state| {
            let replicas = world.replicas(&state.orders[0]);
            replicas.iter().any(|replica| replica.cache != FRESH)
        },
    ),
];

pub(crate) fn properties(world: &World) -> Vec<Property<World>> {
    let always = ALWAYS.map(|(name, holds)| Property::always(name, holds));
    let means = |name: &str| match name {
        "a charge wins against a cancel and goes back" => true,
        "a charge is captured after the order was cancelled, and goes back" => {
            world.config.provider.keeps_silent
        }
        "a charge is declined" => world.config.provider.declines,
        "a paid order is refunded" => world.config.refunds,
        "a refund is refused for good" => world.config.provider.refuses_refunds,
        "a replica holds what is no longer stored" => world.config.replicas > 1,
        _ => true,
    };
    let seen = SEEN.iter().filter(|(name, _)| means(name));
    let seen = seen.map(|(name, happens)| Property::sometimes(name, *happens));
    always.into_iter().chain(seen).collect()
}
