//! Every pair of a reservation's state and a command, and every reason to refuse.

use stock::{
    Answer, Cents, Change, Command, CommitAnswer, Content, LINES_MAX, QUANTITY_MAX, Refusal,
    ReleaseAnswer, ReleaseEffect, Reservation, ReservationState, ReserveAnswer, Stock, StockDelta,
    decide,
};

use crate::support::*;

/// Everything a reservation row can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Absent,
    Held,
    Refused,
    Committed,
    ReleasedAfterHold,
    Tombstone,
}

const ROWS: [Row; 6] = [
    Row::Absent,
    Row::Held,
    Row::Refused,
    Row::Committed,
    Row::ReleasedAfterHold,
    Row::Tombstone,
];

impl Row {
    fn build(self) -> Option<Reservation> {
        let granted = || Content::Granted(usual_hold());
        let (state, content) = match self {
            Self::Absent => return None,
            Self::Held => (ReservationState::Held, granted()),
            Self::Refused => (ReservationState::Refused, Content::Refused(usual_refusal())),
            Self::Committed => (ReservationState::Committed, granted()),
            Self::ReleasedAfterHold => (ReservationState::Released, granted()),
            Self::Tombstone => (ReservationState::Released, Content::Tombstone),
        };
        Some(reservation(1, state, content))
    }

    /// The stock as it is when the row is there.
    fn stock(self) -> Stock {
        let mut stock = two_products();
        let delta = match self {
            Self::Held => StockDelta::hold,
            Self::Committed => {
                |quantity| StockDelta::hold(quantity).then(StockDelta::sell(quantity))
            }
            Self::Absent | Self::Refused | Self::ReleasedAfterHold | Self::Tombstone => {
                |_| StockDelta::default()
            }
        };
        for line in usual_hold().lines {
            let row = stock.get_mut(&line.sku).unwrap();
            row.on_hand += delta(line.quantity).on_hand;
            row.reserved += delta(line.quantity).reserved;
        }
        stock
    }
}

/// Every command there is about reservation 1, from its own order and from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cmd {
    Reserve,
    ReserveOtherLines,
    ReserveOtherOrder,
    Release,
    ReleaseOtherOrder,
    Commit,
    CommitOtherOrder,
}

const COMMANDS: [Cmd; 7] = [
    Cmd::Reserve,
    Cmd::ReserveOtherLines,
    Cmd::ReserveOtherOrder,
    Cmd::Release,
    Cmd::ReleaseOtherOrder,
    Cmd::Commit,
    Cmd::CommitOtherOrder,
];

impl Cmd {
    fn build(self) -> Command {
        let (reservation_id, foreign) = (id(1), order(99));
        match self {
            Self::Reserve => reserve(1, USUAL_LINES),
            Self::ReserveOtherLines => reserve(1, &[("A", 3)]),
            Self::ReserveOtherOrder => Command::Reserve {
                reservation_id,
                order_id: foreign,
                lines: lines(USUAL_LINES),
            },
            Self::Release => release(1),
            Self::ReleaseOtherOrder => Command::Release {
                reservation_id,
                release_id: release_id(1),
                order_id: foreign,
            },
            Self::Commit => commit(1),
            Self::CommitOtherOrder => Command::Commit {
                reservation_id,
                order_id: foreign,
            },
        }
    }
}

fn held(repeat: bool) -> Answer {
    Answer::Reserve(ReserveAnswer::Held {
        hold: usual_hold(),
        repeat,
    })
}

fn ended(state: ReservationState) -> Answer {
    Answer::Reserve(ReserveAnswer::Ended(state))
}

fn released(effect: ReleaseEffect) -> Answer {
    Answer::Release(ReleaseAnswer::Released(effect))
}

/// The answer, and the state that the command writes (`None`: it writes nothing).
fn expected(row: Row, command: Cmd) -> (Answer, Option<ReservationState>) {
    use ReservationState::{Committed, Held, Refused, Released};
    let conflict = || Answer::Reserve(ReserveAnswer::Conflict);
    let refused = || {
        Answer::Reserve(ReserveAnswer::Refused {
            refusal: usual_refusal(),
            repeat: true,
        })
    };
    let not_held = |state| Answer::Commit(CommitAnswer::NotHeld(state));
    match (row, command) {
        // No row yet. Whoever comes first owns the id.
        (Row::Absent, Cmd::Reserve | Cmd::ReserveOtherOrder) => (held(false), Some(Held)),
        (Row::Absent, Cmd::ReserveOtherLines) => {
            let mut hold = usual_hold();
            hold.lines = vec![stock::PricedLine {
                quantity: 3,
                ..hold.lines[0].clone()
            }];
            hold.total = Cents(750);
            (
                Answer::Reserve(ReserveAnswer::Held {
                    hold,
                    repeat: false,
                }),
                Some(Held),
            )
        }
        (Row::Absent, Cmd::Release | Cmd::ReleaseOtherOrder) => {
            (released(ReleaseEffect::Tombstone), Some(Released))
        }
        (Row::Absent, Cmd::Commit | Cmd::CommitOtherOrder) => {
            (Answer::Commit(CommitAnswer::Missing), None)
        }
        // From Held.
        (Row::Held, Cmd::Reserve) => (held(true), None),
        (Row::Held, Cmd::Release) => (released(ReleaseEffect::GaveBack), Some(Released)),
        (Row::Held, Cmd::Commit) => (
            Answer::Commit(CommitAnswer::Committed { repeat: false }),
            Some(Committed),
        ),
        // From Refused.
        (Row::Refused, Cmd::Reserve | Cmd::ReserveOtherLines) => (refused(), None),
        (Row::Refused, Cmd::Release) => (Answer::Release(ReleaseAnswer::NothingHeld), None),
        (Row::Refused, Cmd::Commit) => (not_held(Refused), None),
        // From Committed.
        (Row::Committed, Cmd::Reserve) => (ended(Committed), None),
        (Row::Committed, Cmd::Release) => (Answer::Release(ReleaseAnswer::Sold), None),
        (Row::Committed, Cmd::Commit) => (
            Answer::Commit(CommitAnswer::Committed { repeat: true }),
            None,
        ),
        // From Released.
        (Row::ReleasedAfterHold, Cmd::Reserve) => (ended(Released), None),
        (Row::Tombstone, Cmd::Reserve | Cmd::ReserveOtherLines) => (ended(Released), None),
        (Row::ReleasedAfterHold | Row::Tombstone, Cmd::Release) => {
            (released(ReleaseEffect::Repeat), None)
        }
        (Row::ReleasedAfterHold | Row::Tombstone, Cmd::Commit) => (not_held(Released), None),
        // The id is taken.
        (Row::Held | Row::Committed | Row::ReleasedAfterHold, Cmd::ReserveOtherLines) => {
            (conflict(), None)
        }
        (_, Cmd::ReserveOtherOrder) => (conflict(), None),
        (_, Cmd::ReleaseOtherOrder) => (Answer::Release(ReleaseAnswer::Conflict), None),
        (_, Cmd::CommitOtherOrder) => (Answer::Commit(CommitAnswer::Conflict), None),
    }
}

#[test]
fn every_state_answers_every_command() {
    for row in ROWS {
        for command in COMMANDS {
            let existing = row.build();
            let decision = decide(existing.as_ref(), &row.stock(), &command.build());
            let (answer, state) = expected(row, command);
            assert_eq!(decision.answer, answer, "{row:?} × {command:?}");
            let written = decision
                .change
                .as_ref()
                .map(|change| change.reservation.state);
            assert_eq!(written, state, "{row:?} × {command:?}");
        }
    }
}

#[test]
fn only_a_move_to_released_records_the_release() {
    for row in ROWS {
        for command in COMMANDS {
            let Some(change) = decide(row.build().as_ref(), &row.stock(), &command.build()).change
            else {
                continue;
            };
            let moved = change.reservation.state == ReservationState::Released;
            assert_eq!(change.release.is_some(), moved, "{row:?} × {command:?}");
        }
    }
}

#[test]
fn stock_moves_with_the_reservation() {
    let deltas = |row: Row, command: Cmd| {
        let Change { deltas, .. } = decide(row.build().as_ref(), &row.stock(), &command.build())
            .change
            .expect("a change");
        deltas
    };
    let both = |delta: fn(i64) -> StockDelta| vec![(sku("A"), delta(2)), (sku("B"), delta(1))];
    assert_eq!(deltas(Row::Absent, Cmd::Reserve), both(StockDelta::hold));
    assert_eq!(deltas(Row::Held, Cmd::Release), both(StockDelta::give_back));
    assert_eq!(deltas(Row::Held, Cmd::Commit), both(StockDelta::sell));
    assert_eq!(deltas(Row::Absent, Cmd::Release), vec![]);
}

#[test]
fn prices_are_those_of_the_first_time() {
    let mut stock = Row::Held.stock();
    stock.get_mut(&sku("A")).unwrap().unit_price = Cents(9_999);
    let decision = decide(Row::Held.build().as_ref(), &stock, &reserve(1, USUAL_LINES));
    assert_eq!(decision.answer, held(true));
}

#[test]
fn a_repeat_may_name_its_lines_in_another_order() {
    let decision = decide(
        Row::Held.build().as_ref(),
        &Row::Held.stock(),
        &reserve(1, &[("B", 1), ("A", 2)]),
    );
    assert_eq!(decision.answer, held(true));
}

#[test]
fn a_stock_row_that_does_not_cover_the_hold_is_told_and_left_alone() {
    let mut stock = Row::Held.stock();
    stock.get_mut(&sku("B")).unwrap().reserved = 0;
    let row = Row::Held.build();
    let release = decide(row.as_ref(), &stock, &release(1));
    assert_eq!(
        release.answer,
        Answer::Release(ReleaseAnswer::BooksBroken(sku("B")))
    );
    assert_eq!(release.change, None);
    stock.remove(&sku("A"));
    let commit = decide(row.as_ref(), &stock, &commit(1));
    assert_eq!(
        commit.answer,
        Answer::Commit(CommitAnswer::BooksBroken(sku("A")))
    );
    assert_eq!(commit.change, None);
}

fn refusal_of(stock: &Stock, wanted: &[(&str, i64)]) -> Refusal {
    let decision = decide(None, stock, &reserve(1, wanted));
    let Answer::Reserve(ReserveAnswer::Refused {
        refusal,
        repeat: false,
    }) = decision.answer
    else {
        panic!("granted: {:?}", decision.answer);
    };
    let change = decision.change.expect("a refusal is a row");
    assert_eq!(
        change.reservation.content,
        Content::Refused(refusal.clone())
    );
    assert_eq!(change.deltas, vec![], "a refusal moves no stock");
    refusal
}

#[test]
fn lines_that_cannot_be_are_refused() {
    let stock = two_products();
    let long = "X".repeat(stock::SKU_BYTES_MAX + 1);
    let bad: [&[(&str, i64)]; 9] = [
        &[],
        &[("A", 0)],
        &[("A", -1)],
        &[("A", i64::MAX)],
        &[("A", QUANTITY_MAX + 1)],
        &[("", 1)],
        &[("A B", 1)],
        &[("A\0", 1)],
        &[(&long, 1)],
    ];
    for wanted in bad {
        assert_eq!(
            refusal_of(&stock, wanted),
            Refusal::InvalidLines,
            "{wanted:?}"
        );
    }
    assert_eq!(
        refusal_of(&stock, &[("A", 1), ("B", 1), ("A", 1)]),
        Refusal::InvalidLines
    );
    let names: Vec<String> = (0..=LINES_MAX).map(|n| format!("S{n}")).collect();
    let many: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    assert_eq!(refusal_of(&stock, &many), Refusal::InvalidLines);
    assert!(
        matches!(refusal_of(&stock, &many[..LINES_MAX]), Refusal::UnknownSku(unknown) if unknown.len() == LINES_MAX)
    );
}

#[test]
fn unknown_skus_are_named_before_short_ones() {
    let refusal = refusal_of(&two_products(), &[("A", 11), ("NOPE", 3)]);
    assert_eq!(refusal, Refusal::UnknownSku(vec![short("NOPE", 3, 0)]));
}

#[test]
fn two_currencies_do_not_add_up() {
    let stock = Stock::from([
        (sku("A"), row(1, 0, 1, "EUR")),
        (sku("B"), row(1, 0, 1, "USD")),
    ]);
    assert_eq!(
        refusal_of(&stock, &[("A", 1), ("B", 1)]),
        Refusal::MixedCurrency
    );
}

#[test]
fn totals_outside_the_positive_range_are_refused() {
    let stock = Stock::from([
        (sku("FREE"), row(10, 0, 0, "EUR")),
        (sku("HALF"), row(10, 0, i64::MAX / 2, "EUR")),
        (sku("REST"), row(10, 0, i64::MAX / 2 + 2, "EUR")),
        (sku("MINUS"), row(10, 0, -5, "EUR")),
    ]);
    for wanted in [
        &[("FREE", 1)][..],
        &[("HALF", 3)],
        &[("HALF", 1), ("REST", 1)],
        &[("MINUS", 1)],
    ] {
        assert_eq!(
            refusal_of(&stock, wanted),
            Refusal::TotalOutOfRange,
            "{wanted:?}"
        );
    }
    let decision = decide(None, &stock, &reserve(1, &[("FREE", 1), ("HALF", 2)]));
    assert!(
        matches!(decision.answer, Answer::Reserve(ReserveAnswer::Held { hold, .. }) if hold.total == Cents(i64::MAX - 1)),
        "a free line beside a paid one is fine, up to the last cent that fits"
    );
}

#[test]
fn every_short_line_is_named_with_what_there_is() {
    let mut stock = two_products();
    stock.get_mut(&sku("A")).unwrap().reserved = 9;
    let refusal = refusal_of(&stock, &[("A", 2), ("B", 5)]);
    assert_eq!(
        refusal,
        Refusal::OutOfStock(vec![short("A", 2, 1), short("B", 5, 4)])
    );
    let last = decide(None, &stock, &reserve(1, &[("A", 1), ("B", 4)]));
    assert!(
        matches!(last.answer, Answer::Reserve(ReserveAnswer::Held { .. })),
        "the last pieces can be had"
    );
}
