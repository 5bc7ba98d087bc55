//! Dead letters: looked at, published again, or discarded.

use jetstream::{OutboundEvent, replay_subject};
use orders_sql::queries::admin as sql;
use tracing::{Instrument as _, warn};
use uuid::Uuid;

use super::{Act, AdminError, OperatorDesk, act_span, publish, touches};
use crate::tree::CONSUMER;

const NO_LETTER: AdminError = AdminError::NotFound("dead letter");

impl OperatorDesk {
    /// Up to `rows_max` letters, the newest first; with `everything` also those that are done with.
    pub(crate) async fn letters(
        &self,
        everything: bool,
        rows_max: i64,
    ) -> Result<Vec<sql::LetterRow>, AdminError> {
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(
                sql::list_dead_letters()
                    .bind(&client, &everything, &rows_max)
                    .all(),
            )
            .await;
        Ok(self.store.settle(client, found)?)
    }

    /// One letter.
    pub(crate) async fn letter(&self, letter_id: Uuid) -> Result<sql::LetterRow, AdminError> {
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::get_dead_letter().bind(&client, &letter_id).opt())
            .await;
        self.store.settle(client, found)?.ok_or(NO_LETTER)
    }

    /// What was in it.
    pub(crate) async fn letter_body(&self, letter_id: Uuid) -> Result<sql::LetterBody, AdminError> {
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::dead_letter_body().bind(&client, &letter_id).opt())
            .await;
        self.store.settle(client, found)?.ok_or(NO_LETTER)
    }

    /// Publishes the event again, under a new message id: one that the broker remembers would be acknowledged and not stored. The event
    /// id stays, so that its receiver recognises what it knows. It goes to this service alone, which speaks for nobody else.
    pub(crate) async fn replay_letter(
        &self,
        letter_id: Uuid,
        act: &Act,
    ) -> Result<sql::LetterRow, AdminError> {
        let letter = self.letter(letter_id).await?;
        let event = again(&letter, self.letter_body(letter_id).await?)?;
        let span = act_span("letter.replay");
        touches(&span, event.traceparent.as_deref());
        let client = self.store.client().await?;
        let action_id = Uuid::now_v7();
        let begun = self
            .store
            .bounded(
                sql::begin_replay()
                    .bind(&client, &letter_id, &action_id, &act.who, &act.why)
                    .opt(),
            )
            .await;
        if self.store.settle(client, begun)?.is_none() {
            return Err(discarded());
        }
        let published = publish(&self.letters, event).instrument(span).await;
        if published.is_err() {
            self.undo_replay(letter_id).await;
        }
        self.end(action_id, published.as_ref().map(|()| "published again"))
            .await;
        published?;
        self.letter(letter_id).await
    }

    /// It was not published, as far as is known: the letter is open again.
    async fn undo_replay(&self, letter_id: Uuid) {
        let undone = async {
            let client = self.store.client().await?;
            let undone = self
                .store
                .bounded(sql::undo_replay().bind(&client, &letter_id).opt())
                .await;
            self.store.settle(client, undone)
        };
        if undone.await.is_err() {
            warn!(%letter_id, "a dead letter looks replayed and is not");
        }
    }

    /// Nobody will handle it.
    pub(crate) async fn discard_letter(
        &self,
        letter_id: Uuid,
        act: &Act,
    ) -> Result<sql::LetterRow, AdminError> {
        self.letter(letter_id).await?;
        let span = act_span("letter.discard");
        let body = self.letter_body(letter_id).await?;
        touches(&span, body.traceparent.as_deref());
        let client = self.store.client().await?;
        let done = self
            .store
            .bounded(
                sql::discard_dead_letter()
                    .bind(&client, &act.who, &letter_id, &Uuid::now_v7(), &act.why)
                    .opt(),
            )
            .instrument(span)
            .await;
        match self.store.settle(client, done)? {
            Some(_action_id) => self.letter(letter_id).await,
            None => Err(discarded()),
        }
    }
}

fn discarded() -> AdminError {
    AdminError::DoesNotFit("the letter is discarded".to_owned())
}

/// The event of a letter as it is published again.
fn again(letter: &sql::LetterRow, body: sql::LetterBody) -> Result<OutboundEvent, AdminError> {
    let missing = |what| {
        let text = format!("it cannot be published again: the event came without {what}");
        AdminError::DoesNotFit(text)
    };
    let kept = i64::try_from(body.payload.len()).unwrap_or(i64::MAX);
    if kept < letter.payload_bytes {
        let text = "it cannot be published again: its payload was too large to keep whole";
        return Err(AdminError::DoesNotFit(text.to_owned()));
    }
    Ok(OutboundEvent {
        event_id: letter
            .event_id
            .ok_or_else(|| missing("a readable event id"))?,
        message_id: Uuid::new_v4(),
        // Only for spans; the payload knows it.
        order_id: 0,
        aggregate_seq: letter
            .aggregate_seq
            .ok_or_else(|| missing("a readable aggregate_seq"))?,
        subject: replay_subject(CONSUMER, &letter.subject),
        schema_version: letter
            .schema_version
            .ok_or_else(|| missing("a readable schema version"))?,
        payload: body.payload.into(),
        traceparent: body.traceparent,
    })
}
