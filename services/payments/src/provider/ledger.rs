//! The provider's own books, written in batches like ours: cost per charge is part of cost per order.
//!
//! Each statement commits by itself. Answers are inserted with ON CONFLICT DO NOTHING, so whoever comes second reads the first one's
//! answer, and a batch repeated after an unknown commit replays what it stored.

use std::collections::HashMap;

use actor_kit::batch::{Attempt, BatchEntry, BatchError, BatchStore, Lane, Verdict};
use payment::{AttemptOutcome, ChargeCall, RefundCall, RefundOutcome};
use payments_sql::queries::provider::{
    ChargeRow, RefundRow, count_calls, load_charges, load_refunds, store_charges, store_refunds,
};
use shopapi_postgres::PgConfig;
use uuid::Uuid;

use super::answers::{Refunding, decide_refund, fresh_outcome, replay};
use super::script::{CAPTURED, ChargeScript, DECLINED, REFUNDED, REFUSED};
use crate::database::Database;

/// One call to be booked.
#[derive(Clone, Debug)]
pub(crate) enum ProviderEntry {
    Charge {
        call: ChargeCall,
        script: ChargeScript,
    },
    Refund {
        call: RefundCall,
    },
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProviderAnswer {
    Charge(AttemptOutcome),
    Refund(RefundOutcome),
}

impl BatchEntry for ProviderEntry {
    /// The charge: its refunds wait for each other.
    type Key = Uuid;

    fn key(&self) -> Option<Uuid> {
        Some(match self {
            Self::Charge { call, .. } => call.payment_id.0,
            Self::Refund { call } => call.payment_id.0,
        })
    }

    fn rows(&self) -> usize {
        1
    }

    fn lane(&self) -> Lane {
        Lane::Accept
    }
}

/// The provider's connection.
pub(crate) struct ProviderStore {
    database: Database,
}

impl BatchStore for ProviderStore {
    type Entry = ProviderEntry;
    type Answer = ProviderAnswer;

    async fn commit(
        &mut self,
        batch: &[ProviderEntry],
        _attempt: Attempt,
    ) -> Result<Vec<Verdict<ProviderAnswer>>, BatchError> {
        let charges: Vec<(&ChargeCall, ChargeScript)> = batch
            .iter()
            .filter_map(|entry| match entry {
                ProviderEntry::Charge { call, script } => Some((call, *script)),
                ProviderEntry::Refund { .. } => None,
            })
            .collect();
        let refunds: Vec<&RefundCall> = batch
            .iter()
            .filter_map(|entry| match entry {
                ProviderEntry::Refund { call } => Some(call),
                ProviderEntry::Charge { .. } => None,
            })
            .collect();
        let mut charged = self.charge(&charges).await?;
        let mut refunded = self.refund(&refunds).await?;
        Ok(batch
            .iter()
            .map(|entry| match entry {
                ProviderEntry::Charge { call, .. } => charged
                    .remove(&call.payment_id.0)
                    .map_or(Verdict::Busy, |outcome| {
                        Verdict::Done(ProviderAnswer::Charge(outcome))
                    }),
                ProviderEntry::Refund { call } => refunded
                    .remove(&call.refund_id)
                    .map_or(Verdict::Busy, |outcome| {
                        Verdict::Done(ProviderAnswer::Refund(outcome))
                    }),
            })
            .collect())
    }
}

impl ProviderStore {
    /// Does no I/O.
    pub(crate) fn new(config: &PgConfig) -> Self {
        Self {
            database: Database::new(config, "provider ledger"),
        }
    }

    /// Outcomes by idempotency key.
    async fn charge(
        &mut self,
        calls: &[(&ChargeCall, ChargeScript)],
    ) -> Result<HashMap<Uuid, AttemptOutcome>, BatchError> {
        let mut outcomes = self.flaky(calls).await?;
        let due: Vec<&(&ChargeCall, ChargeScript)> = calls
            .iter()
            .filter(|(call, _)| !outcomes.contains_key(&call.payment_id.0))
            .collect();
        if due.is_empty() {
            return Ok(outcomes);
        }
        let stored = self.store_charges(&due).await?;
        let known: Vec<Uuid> = due
            .iter()
            .map(|(call, _)| call.payment_id.0)
            .filter(|key| !stored.contains(key))
            .collect();
        let rows = self.load_charges(&known).await?;
        for (call, script) in due {
            let key = call.payment_id.0;
            if stored.contains(&key) {
                outcomes.insert(key, fresh_outcome(*script));
            } else if let Some(row) = rows.iter().find(|row| row.idempotency_key == key) {
                outcomes.insert(key, replay(call, row));
            }
        }
        Ok(outcomes)
    }

    /// The transient errors that flaky charges are still due. Counted on their own: a count is not an answer.
    async fn flaky(
        &mut self,
        calls: &[(&ChargeCall, ChargeScript)],
    ) -> Result<HashMap<Uuid, AttemptOutcome>, BatchError> {
        let errors: HashMap<Uuid, u32> = calls
            .iter()
            .filter(|(_, script)| script.errors > 0)
            .map(|(call, script)| (call.payment_id.0, script.errors))
            .collect();
        if errors.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<Uuid> = errors.keys().copied().collect();
        let client = self.database.client().await.map_err(disconnected)?;
        let counted = Database::bounded(count_calls().bind(client, &keys).all()).await;
        let counted = counted.map_err(|trouble| self.database.batch_error(&trouble))?;
        Ok(counted
            .into_iter()
            .filter(|row| {
                let calls = u32::try_from(row.calls).unwrap_or(u32::MAX);
                errors
                    .get(&row.idempotency_key)
                    .is_some_and(|due| calls <= *due)
            })
            .map(|row| (row.idempotency_key, AttemptOutcome::NotCharged))
            .collect())
    }

    async fn store_charges(
        &mut self,
        due: &[&(&ChargeCall, ChargeScript)],
    ) -> Result<Vec<Uuid>, BatchError> {
        let calls = || due.iter().map(|(call, _)| *call);
        let keys: Vec<Uuid> = calls().map(|call| call.payment_id.0).collect();
        let order_ids: Vec<i64> = calls().map(|call| call.order_id.0).collect();
        let amounts: Vec<i64> = calls().map(|call| call.amount.0).collect();
        let currencies: Vec<&str> = calls().map(|call| call.currency.as_str()).collect();
        let methods: Vec<&str> = calls().map(|call| call.payment_method.expose()).collect();
        let reasons: Vec<Option<&str>> = due.iter().map(|(_, script)| script.decline).collect();
        let outcomes: Vec<&str> = reasons
            .iter()
            .map(|reason| if reason.is_none() { CAPTURED } else { DECLINED })
            .collect();
        let client = self.database.client().await.map_err(disconnected)?;
        let stored = Database::bounded(
            store_charges()
                .bind(
                    client,
                    &keys,
                    &order_ids,
                    &amounts,
                    &currencies,
                    &methods,
                    &outcomes,
                    &reasons,
                )
                .all(),
        )
        .await;
        stored.map_err(|trouble| self.database.batch_error(&trouble))
    }

    async fn load_charges(&mut self, keys: &[Uuid]) -> Result<Vec<ChargeRow>, BatchError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.database.client().await.map_err(disconnected)?;
        let rows = Database::bounded(load_charges().bind(client, &keys).all()).await;
        rows.map_err(|trouble| self.database.batch_error(&trouble))
    }

    /// Outcomes by refund id. A refund that met another one meanwhile has none: it is read again with the next batch.
    async fn refund(
        &mut self,
        calls: &[&RefundCall],
    ) -> Result<HashMap<Uuid, RefundOutcome>, BatchError> {
        if calls.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<Uuid> = calls.iter().map(|call| call.payment_id.0).collect();
        let charges = self.load_charges(&keys).await?;
        let client = self.database.client().await.map_err(disconnected)?;
        let known = Database::bounded(load_refunds().bind(client, &keys).all()).await;
        let known: Vec<RefundRow> = known.map_err(|trouble| self.database.batch_error(&trouble))?;
        let mut outcomes = HashMap::new();
        let mut fresh = Vec::new();
        for call in calls {
            match decide_refund(call, &charges, &known) {
                Refunding::Replay(outcome) => {
                    outcomes.insert(call.refund_id, outcome);
                }
                Refunding::Store(outcome) => fresh.push((*call, outcome)),
            }
        }
        for key in self.store_refunds(&fresh).await? {
            if let Some((_, outcome)) = fresh.iter().find(|(call, _)| call.refund_id == key) {
                outcomes.insert(key, outcome.clone());
            }
        }
        Ok(outcomes)
    }

    async fn store_refunds(
        &mut self,
        fresh: &[(&RefundCall, RefundOutcome)],
    ) -> Result<Vec<Uuid>, BatchError> {
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let calls = || fresh.iter().map(|(call, _)| *call);
        let keys: Vec<Uuid> = calls().map(|call| call.refund_id).collect();
        let charge_keys: Vec<Uuid> = calls().map(|call| call.payment_id.0).collect();
        let amounts: Vec<i64> = calls().map(|call| call.amount.0).collect();
        let currencies: Vec<&str> = calls().map(|call| call.currency.as_str()).collect();
        let reasons: Vec<Option<&str>> = fresh
            .iter()
            .map(|(_, outcome)| match outcome {
                RefundOutcome::Refused { reason } => Some(reason.as_str()),
                RefundOutcome::Refunded | RefundOutcome::Unknown => None,
            })
            .collect();
        let outcomes: Vec<&str> = reasons
            .iter()
            .map(|reason| if reason.is_none() { REFUNDED } else { REFUSED })
            .collect();
        let client = self.database.client().await.map_err(disconnected)?;
        let stored = Database::bounded(
            store_refunds()
                .bind(
                    client,
                    &keys,
                    &charge_keys,
                    &amounts,
                    &currencies,
                    &outcomes,
                    &reasons,
                )
                .all(),
        )
        .await;
        stored.map_err(|trouble| self.database.batch_error(&trouble))
    }
}

/// An earlier statement of the same batch may have been written, which a repeat finds.
fn disconnected(lost: shopapi_postgres::Disconnected) -> BatchError {
    BatchError::Disconnected(lost.reason)
}

#[cfg(test)]
mod tests;
