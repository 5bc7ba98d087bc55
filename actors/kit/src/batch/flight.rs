//! Entries with those who wait for them, alone and as a batch.

use tokio::time::Instant;

use super::queue::Queued;
use super::{Attempt, BatchEntry, WriteError, WriteResult};
use crate::mailbox::Permit;
use crate::reply::Reply;

/// Who waits for an entry.
pub(super) struct Ticket<A> {
    pub(super) reply: Option<Reply<WriteResult<A>>>,
    pub(super) permit: Option<Permit>,
}

impl<A> Ticket<A> {
    pub(super) fn answer(self, result: WriteResult<A>) {
        if let Some(reply) = self.reply {
            reply.send(result);
        }
        drop(self.permit);
    }

    /// Whether somebody asked and has stopped waiting. Nobody ever waited for a lazy entry.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(Reply::is_closed)
    }
}

pub(super) struct Waiting<E, A> {
    pub(super) entry: E,
    pub(super) ticket: Ticket<A>,
}

impl<E: BatchEntry, A> Queued for Waiting<E, A> {
    type Entry = E;
    fn entry(&self) -> &E {
        &self.entry
    }
}

pub(super) struct Batch<E, A> {
    pub(super) entries: Vec<E>,
    pub(super) tickets: Vec<Ticket<A>>,
    pub(super) attempt: Attempt,
    /// When its outcome first was open.
    pub(super) since: Option<Instant>,
}

impl<E, A> Batch<E, A> {
    pub(super) fn new(waiting: Vec<Waiting<E, A>>) -> Self {
        let (entries, tickets) = waiting
            .into_iter()
            .map(|waiting| (waiting.entry, waiting.ticket))
            .unzip();
        Self {
            entries,
            tickets,
            attempt: Attempt::default(),
            since: None,
        }
    }

    pub(super) fn refuse(self, error: WriteError) {
        for ticket in self.tickets {
            ticket.answer(Err(error));
        }
    }

    pub(super) fn halves(mut self) -> [Self; 2] {
        let middle = self.entries.len() / 2;
        let right = Self {
            entries: self.entries.split_off(middle),
            tickets: self.tickets.split_off(middle),
            attempt: self.attempt,
            since: self.since,
        };
        [self, right]
    }
}
