//! The rules of stock, tabulated: all books that the orders' commands can lead to, and what each command does to them.

use order_saga::Order;
use order_saga::saga::SagaEvent;
use stock::{Books, Reservation, ReservationState, Verdict, Wanted, decide_batch};

use crate::bugs::Bug;
use crate::events::Command;
use crate::glue;

/// Books, by number.
pub(crate) type BooksId = u16;

/// What a command does to the books, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) to: BooksId,
    /// `None`: an error, which is no answer to the saga.
    pub(crate) answer: Option<SagaEvent>,
    /// A constraint of the tables was in the way.
    pub(crate) refused_by_tables: bool,
}

/// All of it.
pub(crate) struct Stocks {
    books: Vec<Books>,
    executed: Vec<Executed>,
    orders: usize,
}

const COMMANDS: [Command; 3] = [Command::Reserve, Command::Release, Command::Commit];

impl Stocks {
    /// Everything that commands for `orders` can make of each of `starts` (pieces on hand). The starts are the first numbers.
    pub(crate) fn tabulate(
        orders: &[std::sync::Arc<Order>],
        starts: &[i64],
        bug: Option<Bug>,
    ) -> Self {
        let mut tables = Self {
            books: starts.iter().map(|on_hand| glue::books(*on_hand)).collect(),
            executed: Vec::new(),
            orders: orders.len(),
        };
        let mut done = 0;
        while let Some(books) = tables.books.get(done).cloned() {
            for order in orders {
                for command in COMMANDS {
                    let executed = tables.execute_now(&books, order, command, bug);
                    tables.executed.push(executed);
                }
            }
            done += 1;
        }
        tables
    }

    pub(crate) fn execute(&self, books: BooksId, order: usize, command: Command) -> &Executed {
        let command = COMMANDS.iter().position(|known| *known == command);
        let place = (usize::from(books) * self.orders + order) * COMMANDS.len() + command.unwrap();
        &self.executed[place]
    }

    pub(crate) fn books(&self, books: BooksId) -> &Books {
        &self.books[usize::from(books)]
    }

    pub(crate) fn len(&self) -> usize {
        self.books.len()
    }

    pub(crate) fn state(&self, books: BooksId, order: &Order) -> Option<ReservationState> {
        let row = self
            .books(books)
            .reservations
            .get(&glue::reservation_id(order));
        row.map(|row| row.state)
    }

    fn execute_now(
        &mut self,
        books: &Books,
        order: &Order,
        command: Command,
        bug: Option<Bug>,
    ) -> Executed {
        let command = match command {
            Command::Reserve => glue::reserve(order),
            Command::Release => glue::release(order),
            Command::Commit => glue::commit(order),
            Command::Request | Command::Void | Command::Refund => unreachable!("not for stock"),
        };
        let snapshot = books.snapshot(&Wanted::of([&command]));
        let (verdicts, mut changes) = decide_batch(snapshot, [&command]);
        let Ok([Verdict::Decided(answer)]) = <[Verdict; 1]>::try_from(verdicts) else {
            panic!("nothing is busy here");
        };
        let forgotten = |row: &Reservation| match bug {
            Some(Bug::RefusalLeavesNoRow) => row.state == ReservationState::Refused,
            Some(Bug::ReleaseLeavesNoTombstone) => row.state == ReservationState::Released,
            _ => false,
        };
        if changes.inserted.iter().any(forgotten) {
            changes.inserted.clear();
            changes.releases.clear();
        }
        let mut next = books.clone();
        let refused_by_tables = next.apply(&changes).is_err();
        Executed {
            to: self.number(next),
            answer: glue::from_stock(&answer),
            refused_by_tables,
        }
    }

    fn number(&mut self, books: Books) -> BooksId {
        let known = self.books.iter().position(|known| *known == books);
        let number = known.unwrap_or_else(|| {
            self.books.push(books);
            self.books.len() - 1
        });
        BooksId::try_from(number).unwrap()
    }
}
