//! The simulated payment provider: does what `payment_method` says, nothing random. A real one takes its place behind the same port.
//!
//! ```text
//!   charge ─► script (pure: what the token says) ─► wait | never answer ─► ProviderLedger ─► providerdb ─► answer | answer lost
//!   refund ─────────────────────────────────────────────────────────────►  (group commit)
//!   look up ◄── read pool ◄───────────────────────────────────────────────────────┘
//! ```
//!
//! Its books are its own: another database, role and transaction than ours, shared by all replicas. Answers are unique by idempotency
//! key and replayed; the same key with other parameters is refused; transient errors are never stored.
//!
//! Like a real provider it goes on with what it was told when the caller has hung up: a slow charge may be captured after the caller's
//! deadline. A crash of this process forgets what it has not booked.

mod answers;
mod ledger;
mod script;

use std::time::Duration;

use actor_kit::batch::{self, WriteError, WriterMsg};
use actor_kit::{AskError, Mailbox};
use payment::{
    AttemptOutcome, ChargeCall, Found, PaymentId, PaymentProvider, ProviderUnavailable, RefundCall,
    RefundOutcome,
};
use payments_sql::queries::provider::load_charges;
use shopapi_postgres::ReadPool;
use tracing::warn;

use crate::database::{Database, Trouble};
pub(crate) use ledger::{ProviderAnswer, ProviderEntry, ProviderStore};
use script::{Answering, ChargeScript};

/// The message type of the provider's ledger.
pub(crate) type ProviderMsg = WriterMsg<ProviderEntry, ProviderAnswer>;

/// How long one booking may take; the caller's own deadline is shorter.
const BOOKING_DEADLINE: Duration = Duration::from_secs(10);

/// The port's implementation. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SimulatedProvider {
    ledger: Mailbox<ProviderMsg>,
    reads: ReadPool,
}

impl SimulatedProvider {
    pub(crate) fn new(ledger: Mailbox<ProviderMsg>, reads: ReadPool) -> Self {
        Self { ledger, reads }
    }

    async fn book(&self, entry: ProviderEntry) -> Result<ProviderAnswer, WriteError> {
        batch::write(&self.ledger, BOOKING_DEADLINE, entry).await
    }

    async fn book_charge(&self, call: ChargeCall, script: ChargeScript) -> AttemptOutcome {
        match self.book(ProviderEntry::Charge { call, script }).await {
            Ok(ProviderAnswer::Charge(outcome)) => outcome,
            // Nothing was sent.
            Err(WriteError::Ask(AskError::Full)) => AttemptOutcome::NotCharged,
            Ok(ProviderAnswer::Refund(_)) | Err(_) => AttemptOutcome::Unknown,
        }
    }
}

impl PaymentProvider for SimulatedProvider {
    async fn charge(&self, call: ChargeCall) -> AttemptOutcome {
        let script = ChargeScript::of(call.payment_method.expose());
        match script.answering {
            Answering::AtOnce => self.book_charge(call, script).await,
            Answering::After(pause) => {
                let provider = self.clone();
                // In a task of its own: the provider does not stop because the caller has hung up.
                let charging = tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    provider.book_charge(call, script).await
                });
                charging.await.unwrap_or(AttemptOutcome::Unknown)
            }
            Answering::NeverAndNotCharged => std::future::pending().await,
            Answering::Never => {
                self.book_charge(call, script).await;
                std::future::pending().await
            }
        }
    }

    async fn look_up(&self, payment_id: PaymentId) -> Result<Found, ProviderUnavailable> {
        let client = self
            .reads
            .get()
            .await
            .map_err(|lost| ProviderUnavailable(lost.reason))?;
        let keys = [payment_id.0];
        let captured = Database::bounded(
            load_charges()
                .bind(&client, &keys.as_slice())
                .map(|row| row.outcome == script::CAPTURED)
                .opt(),
        )
        .await;
        match captured {
            Ok(Some(true)) => Ok(Found::Charged),
            Ok(Some(false) | None) => Ok(Found::NotCharged),
            Err(Trouble::Error(error)) => {
                Err(ProviderUnavailable(self.reads.judge(client, &error).text))
            }
            Err(Trouble::Overdue) => {
                drop(shopapi_postgres::Client::take(client));
                Err(ProviderUnavailable(
                    "no answer within the deadline".to_owned(),
                ))
            }
        }
    }

    async fn refund(&self, call: RefundCall) -> RefundOutcome {
        match self.book(ProviderEntry::Refund { call }).await {
            Ok(ProviderAnswer::Refund(outcome)) => outcome,
            Ok(ProviderAnswer::Charge(_)) => RefundOutcome::Unknown,
            Err(error) => {
                warn!(%error, "the provider could not book a refund");
                RefundOutcome::Unknown
            }
        }
    }
}
