//! Random histories: duplicates, any order, any cut into batches.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stock::{
    Answer, Books, Command, ReleaseAnswer, ReservationState, ReserveAnswer, Sku, Verdict, Wanted,
    decide_batch,
};

use crate::support::*;

const SKUS: [&str; 3] = ["A", "B", "C"];

fn books() -> Books {
    Books::with_stock([
        (sku("A"), row(6, 0, 250, "EUR")),
        (sku("B"), row(3, 0, 1_000, "EUR")),
        (sku("C"), row(9, 0, 10, "USD")),
    ])
}

fn initial() -> BTreeMap<Sku, i64> {
    books()
        .stock
        .into_iter()
        .map(|(sku, row)| (sku, row.on_hand))
        .collect()
}

/// Commands about eight reservations, so that most of them meet an earlier one. The lines of a reservation are a function of its
/// number, as those of an order are; some ask for too much, some for nothing that exists.
fn command() -> impl Strategy<Value = Command> {
    (0_u128..8, 0_u8..6).prop_map(|(n, kind)| match kind {
        0..=2 => {
            let quantity = i64::try_from(n % 4).unwrap();
            let first = SKUS[usize::try_from(n % 3).unwrap()];
            match n {
                0..4 => reserve(n, &[(first, quantity)]),
                4..7 => reserve(n, &[("A", 1), ("B", quantity.max(1))]),
                _ => reserve(n, &[("GONE", 1)]),
            }
        }
        3 | 4 => release(n),
        _ => commit(n),
    })
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..60)
}

/// Runs one batch as the keeper does, and returns its answers.
fn run(books: &mut Books, batch: &[Command]) -> Vec<Answer> {
    let (verdicts, changes) = decide_batch(books.snapshot(&Wanted::of(batch)), batch);
    books
        .apply(&changes)
        .expect("the rules never break a constraint");
    let decided = verdicts.into_iter().map(|verdict| match verdict {
        Verdict::Decided(answer) => answer,
        Verdict::Busy => panic!("nothing is locked elsewhere"),
    });
    decided.collect()
}

fn one_by_one(commands: &[Command]) -> (Books, Vec<Answer>) {
    let mut books = books();
    let answers = commands
        .iter()
        .flat_map(|command| run(&mut books, std::slice::from_ref(command)))
        .collect();
    (books, answers)
}

fn assert_books_balance(books: &Books) {
    for (sku, initial) in initial() {
        let row = &books.stock[&sku];
        assert_eq!(
            row.reserved,
            books.pieces(&sku, ReservationState::Held),
            "reserved of {sku}"
        );
        assert_eq!(
            row.on_hand,
            initial - books.pieces(&sku, ReservationState::Committed),
            "on_hand of {sku}"
        );
        assert!(
            0 <= row.reserved && row.reserved <= row.on_hand,
            "{sku}: {row:?}"
        );
    }
    let released = books
        .reservations
        .values()
        .filter(|row| row.state == ReservationState::Released)
        .count();
    assert_eq!(
        books.releases.len(),
        released,
        "one processed release per RELEASED row"
    );
}

/// The answer without the word "repeat", which alone may differ between the first and a later time.
fn substance(answer: &Answer) -> Answer {
    match answer {
        Answer::Reserve(ReserveAnswer::Held { hold, .. }) => Answer::Reserve(ReserveAnswer::Held {
            hold: hold.clone(),
            repeat: false,
        }),
        Answer::Reserve(ReserveAnswer::Refused { refusal, .. }) => {
            Answer::Reserve(ReserveAnswer::Refused {
                refusal: refusal.clone(),
                repeat: false,
            })
        }
        Answer::Release(ReleaseAnswer::Released(_)) => {
            Answer::Release(ReleaseAnswer::Released(stock::ReleaseEffect::Repeat))
        }
        Answer::Commit(stock::CommitAnswer::Committed { .. }) => {
            Answer::Commit(stock::CommitAnswer::Committed { repeat: false })
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn books_balance_after_every_command(commands in history()) {
        let mut books = books();
        for command in &commands {
            run(&mut books, std::slice::from_ref(command));
            assert_books_balance(&books);
        }
    }

    #[test]
    fn a_batch_comes_to_the_same_however_it_is_cut(commands in history(), cuts in prop::collection::vec(1_usize..20, 1..20)) {
        let (expected_books, expected) = one_by_one(&commands);
        let mut cut_books = books();
        let mut answers = Vec::new();
        let mut rest = commands.as_slice();
        for size in cuts.into_iter().chain([usize::MAX]) {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            answers.extend(run(&mut cut_books, batch));
            rest = after;
        }
        prop_assert_eq!(answers, expected);
        prop_assert_eq!(cut_books, expected_books);
    }

    #[test]
    fn a_repeat_right_after_changes_nothing_and_answers_the_same(commands in history()) {
        let mut books = books();
        for command in &commands {
            let first = run(&mut books, std::slice::from_ref(command));
            let before = books.clone();
            let second = run(&mut books, std::slice::from_ref(command));
            prop_assert_eq!(&books, &before);
            prop_assert_eq!(substance(&first[0]), substance(&second[0]));
        }
    }

    #[test]
    fn an_ended_reservation_stays_as_it_ended(commands in history()) {
        let mut books = books();
        let mut ended = BTreeMap::new();
        for command in &commands {
            run(&mut books, std::slice::from_ref(command));
            for (id, row) in &books.reservations {
                if row.state != ReservationState::Held {
                    let first = ended.entry(*id).or_insert_with(|| row.clone());
                    prop_assert_eq!(&*first, row);
                }
            }
        }
    }

    #[test]
    fn late_duplicates_in_any_order_move_no_stock_once_all_have_ended(
        commands in history(),
        again in prop::collection::vec(command(), 0..40),
    ) {
        let (mut books, _) = one_by_one(&commands);
        for n in 0..8 {
            run(&mut books, &[release(n)]);
        }
        let before = books.clone();
        run(&mut books, &again);
        prop_assert_eq!(books, before);
    }

    #[test]
    fn busy_rows_are_left_alone_and_their_neighbours_go_on(commands in history(), busy in 0_u128..8) {
        let mut books = books();
        let (first, second) = commands.split_at(commands.len() / 2);
        run(&mut books, first);
        let mut snapshot = books.snapshot(&Wanted::of(second));
        if snapshot.reservations.remove(&id(busy)).is_none() {
            return Ok(());
        }
        snapshot.busy_reservations.insert(id(busy));
        let (verdicts, changes) = decide_batch(snapshot, second);
        for (command, verdict) in second.iter().zip(&verdicts) {
            prop_assert_eq!(command.reservation_id() == id(busy), *verdict == Verdict::Busy);
        }
        let before = books.reservations[&id(busy)].clone();
        books.apply(&changes).unwrap();
        prop_assert_eq!(&books.reservations[&id(busy)], &before);
        assert_books_balance(&books);
    }
}

#[test]
fn a_locked_sku_holds_up_only_those_who_need_it() {
    let mut books = books();
    run(
        &mut books,
        &[reserve(1, &[("A", 1)]), reserve(2, &[("B", 1)])],
    );
    let batch = [
        release(1),
        commit(2),
        reserve(3, &[("A", 1)]),
        reserve(4, &[("B", 1)]),
        release(5),
        reserve(1, &[("A", 1)]),
    ];
    let mut snapshot = books.snapshot(&Wanted::of(&batch));
    snapshot.stock.remove(&sku("A"));
    snapshot.busy_skus.insert(sku("A"));
    let (verdicts, changes) = decide_batch(snapshot, &batch);
    let busy: Vec<bool> = verdicts
        .iter()
        .map(|verdict| *verdict == Verdict::Busy)
        .collect();
    assert_eq!(busy, [true, false, true, false, false, false]);
    assert!(!changes.stock.contains_key(&sku("A")));
    books.apply(&changes).unwrap();
    assert_books_balance(&books);
}

#[test]
fn a_hot_sku_costs_one_delta_per_batch() {
    let mut books = Books::with_stock([(sku("HOT"), row(10_000, 0, 100, "EUR"))]);
    let batch: Vec<Command> = (0..256).map(|n| reserve(n, &[("HOT", 2)])).collect();
    let (_, changes) = decide_batch(books.snapshot(&Wanted::of(&batch)), &batch);
    assert_eq!(changes.inserted.len(), 256);
    assert_eq!(changes.stock.len(), 1);
    books.apply(&changes).unwrap();
    assert_eq!(books.stock[&sku("HOT")].reserved, 512);
}

#[test]
fn the_last_piece_goes_to_the_first_who_asked() {
    let mut books = Books::with_stock([(sku("ONE"), row(1, 0, 100, "EUR"))]);
    let answers = run(
        &mut books,
        &[reserve(2, &[("ONE", 1)]), reserve(1, &[("ONE", 1)])],
    );
    assert!(matches!(
        &answers[0],
        Answer::Reserve(ReserveAnswer::Held { .. })
    ));
    assert!(matches!(
        &answers[1],
        Answer::Reserve(ReserveAnswer::Refused { .. })
    ));
}

#[test]
fn stock_given_back_in_a_batch_can_be_held_in_the_same_batch() {
    let mut books = Books::with_stock([(sku("ONE"), row(1, 0, 100, "EUR"))]);
    run(&mut books, &[reserve(1, &[("ONE", 1)])]);
    let (verdicts, changes) = {
        let batch = [release(1), reserve(2, &[("ONE", 1)])];
        decide_batch(books.snapshot(&Wanted::of(&batch)), &batch)
    };
    assert!(matches!(
        &verdicts[1],
        Verdict::Decided(Answer::Reserve(ReserveAnswer::Held { .. }))
    ));
    assert!(changes.stock.is_empty(), "the row comes out even");
}
