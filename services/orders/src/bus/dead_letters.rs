//! Events that were given up, kept for people.

use jetstream::{DeadLetter, DeadLetterStore, DeadLetterUnavailable};
use order_saga::StoreUnavailable;
use orders_sql::queries::bus as sql;
use tracing::error;

use crate::store::OrderStore;

impl DeadLetterStore for OrderStore {
    async fn commit(&self, letter: DeadLetter) -> Result<(), DeadLetterUnavailable> {
        let client = self
            .client()
            .await
            .map_err(|StoreUnavailable| unavailable())?;
        let detail = letter.reason.to_string();
        error!(letter_id = %letter.letter_id, subject = letter.subject, delivered = letter.delivered, detail, "an event is given up");
        let (reason, delivered) = (letter.reason.code(), signed(letter.delivered));
        let payload_bytes = signed(letter.payload_bytes);
        let kept = self
            .bounded(
                sql::insert_dead_letter()
                    .bind(
                        &client,
                        &letter.letter_id,
                        &letter.stream,
                        &letter.consumer,
                        &letter.subject,
                        &letter.event_id,
                        &letter.schema_version,
                        &letter.aggregate_seq,
                        &letter.traceparent,
                        &reason,
                        &detail,
                        &delivered,
                        &letter.payload,
                        &payload_bytes,
                    )
                    .opt(),
            )
            .await;
        match self.settle(client, kept) {
            // No row came back: the letter had been there.
            Ok(Some(_) | None) => Ok(()),
            Err(StoreUnavailable) => Err(unavailable()),
        }
    }
}

fn unavailable() -> DeadLetterUnavailable {
    DeadLetterUnavailable("the database did not take it".to_owned())
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
