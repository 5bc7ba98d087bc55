//! The ledger's store: a batch becomes one autocommit statement on a connection of its own.
//!
//! ```text
//!   batch ─► Columns ─► write_batch ─► ordinals that won ──────────────────────────► Written
//!                                   └► the others: find_payments ─► own write_id ──► Written (an earlier try of this batch)
//!                                                                  ├ same version ─► Busy (locked elsewhere)
//!                                                                  └ another ──────► Stale(row) | OrderTaken | Unreadable
//! ```
//!
//! After the commit: events go to the drainer in memory (dropped when it is full: its poll is the net), and results are counted.

mod columns;
mod rows;

use std::collections::HashSet;

use actor_kit::batch::{Attempt, BatchError, BatchStore, Verdict};
use actor_kit::{Mailbox, TraceContext};
use outbox::DrainerMsg;
use payment::Base;
use payment::ledger::{LedgerAnswer, LedgerEntry, Recorded};
use payments_sql::queries::ledger::{PaymentRow, find_payments};
use shopapi_postgres::{PgConfig, timed};
use tracing::info;
use uuid::Uuid;

use crate::database::Database;
use crate::telemetry;
use columns::Columns;
pub(crate) use rows::payment;

/// The ledger's connection and where its events go.
pub(crate) struct LedgerStore {
    database: Database,
    drainer: Mailbox<DrainerMsg>,
}

impl LedgerStore {
    /// Does no I/O.
    pub(crate) fn new(config: &PgConfig, drainer: Mailbox<DrainerMsg>) -> Self {
        Self {
            database: Database::new(config, "payments ledger"),
            drainer,
        }
    }

    /// One statement; the batch positions whose entries won.
    async fn write(&mut self, columns: &Columns<'_>) -> Result<HashSet<usize>, BatchError> {
        let client = self
            .database
            .client()
            .await
            .map_err(|lost| BatchError::Disconnected(lost.reason))?;
        match timed("write_batch", Database::bounded(columns.write(client))).await {
            Ok(ordinals) => Ok(columns.positions(&ordinals)),
            Err(trouble) => Err(self.database.batch_error(&trouble)),
        }
    }

    async fn find(&mut self, lost: &[&Recorded]) -> Result<Vec<PaymentRow>, BatchError> {
        let ids: Vec<Uuid> = lost
            .iter()
            .map(|entry| entry.change.payment.id().0)
            .collect();
        let orders: Vec<i64> = lost
            .iter()
            .filter(|entry| entry.change.base == Base::Absent)
            .map(|entry| entry.change.payment.request.order_id.0)
            .collect();
        // The first statement may have written: whatever goes wrong here, the outcome of the batch is open.
        let client = self
            .database
            .client()
            .await
            .map_err(|lost| BatchError::Unknown(lost.reason))?;
        let query = find_payments();
        let found = Database::bounded(query.bind(client, &ids, &orders).all()).await;
        drop(query);
        found.map_err(|trouble| BatchError::Unknown(self.database.judge(&trouble).text))
    }

    /// What the commit entails, once its outcome is known.
    fn announce(&self, columns: Columns<'_>, batch: &[LedgerEntry], written: &HashSet<usize>) {
        for (position, entry) in batch.iter().enumerate() {
            if let LedgerEntry::Change(recorded) = entry
                && let Some(tally) = recorded.change.tally
                && written.contains(&position)
            {
                telemetry::count(tally);
            }
        }
        let events = columns.into_events(written);
        if !events.is_empty() {
            // A batch belongs to no single trace; each event carries its own.
            drop(
                self.drainer
                    .try_send_with(DrainerMsg::HandOver(events), TraceContext::default()),
            );
        }
    }
}

impl BatchStore for LedgerStore {
    type Entry = LedgerEntry;
    type Answer = LedgerAnswer;

    async fn commit(
        &mut self,
        batch: &[LedgerEntry],
        _attempt: Attempt,
    ) -> Result<Vec<Verdict<LedgerAnswer>>, BatchError> {
        let spans = telemetry::commit_spans(batch);
        let columns = Columns::of(batch);
        let mut written = self
            .write(&columns)
            .await
            .inspect_err(|_| telemetry::failed(&spans))?;
        let lost: Vec<&Recorded> = batch
            .iter()
            .enumerate()
            .filter(|(position, _)| !written.contains(position))
            .filter_map(|(_, entry)| recorded(entry))
            .collect();
        let found = if lost.is_empty() {
            Vec::new()
        } else {
            self.find(&lost).await?
        };
        drop(spans);
        let verdicts: Vec<Verdict<LedgerAnswer>> = batch
            .iter()
            .enumerate()
            .map(|(position, entry)| match recorded(entry) {
                Some(recorded) if !written.contains(&position) => judge_lost(recorded, &found),
                Some(_) | None => Verdict::Done(LedgerAnswer::Written),
            })
            .collect();
        for (position, verdict) in verdicts.iter().enumerate() {
            if *verdict == Verdict::Done(LedgerAnswer::Written) {
                written.insert(position);
            }
        }
        self.announce(columns, batch, &written);
        Ok(verdicts)
    }
}

fn recorded(entry: &LedgerEntry) -> Option<&Recorded> {
    match entry {
        LedgerEntry::Change(recorded) => Some(recorded),
        LedgerEntry::Published(_) => None,
    }
}

/// Why an entry did not win, read from the rows that it met.
fn judge_lost(entry: &Recorded, found: &[PaymentRow]) -> Verdict<LedgerAnswer> {
    let change = &entry.change;
    let id = change.payment.id().0;
    let row = found.iter().find(|row| row.payment_id == id);
    match (row, change.base) {
        (Some(row), _) if row.write_id == entry.write_id => {
            info!(payment_id = %id, "a commit whose outcome was unknown had been made");
            Verdict::Done(LedgerAnswer::Written)
        }
        (Some(row), Base::Version(version)) if row.version == version => Verdict::Busy,
        (Some(row), Base::Version(_) | Base::Absent) => match payment(row) {
            Some(payment) => Verdict::Done(LedgerAnswer::Stale(Some(Box::new(payment)))),
            // Checked by the table's constraints; a newer schema can hold more while an upgrade rolls.
            None => Verdict::Done(LedgerAnswer::Unreadable),
        },
        (None, Base::Version(_)) => Verdict::Done(LedgerAnswer::Stale(None)),
        (None, Base::Absent) => {
            let order_id = change.payment.request.order_id.0;
            if found.iter().any(|row| row.order_id == order_id) {
                Verdict::Done(LedgerAnswer::OrderTaken)
            } else {
                // It met an insert that was rolled back afterwards.
                Verdict::Busy
            }
        }
    }
}

#[cfg(test)]
mod tests;
