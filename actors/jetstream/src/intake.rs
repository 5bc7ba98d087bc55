//! How fetched messages come into the consumer's hand: checked, then handed over together, alone, or given up.

use std::sync::Arc;

use actor_kit::{Answer, Ctx, Reply};
use async_nats::jetstream::{AckKind, Message};
use tracing::warn;
use uuid::Uuid;

use crate::consumer::{JetStreamConsumer, Own, own};
use crate::delivery::{Broker as _, Delivery, Ending};
use crate::disposition::{self, Arrival};
use crate::envelope::RawEvent;
use crate::session::Session;
use crate::spec::original_subject;
use crate::{DeadLetterReason, DeadLetterStore, EventHandler, Incoming, Outcome};

impl<H: EventHandler, D: DeadLetterStore> JetStreamConsumer<H, D> {
    /// What arrived, as far as it belongs to the batch that is handed over now.
    pub(crate) fn on_message(&mut self, ctx: &Ctx<Self>, message: Message) -> Option<Incoming> {
        let raw = raw_event(&message, &self.spec.durable)?;
        let opened = raw.open(&self.spec);
        let event_id = raw.event_id();
        let deaths = event_id.map_or(0, |id| self.suspects.deaths(id));
        let envelope = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        match (
            disposition::on_arrival(envelope, deaths, self.spec.handler_deaths_max),
            opened,
        ) {
            (Arrival::DeadLetter(reason), _) => self.give_up(ctx, message, raw, reason),
            (Arrival::HandOver { .. }, Err(reason)) => self.give_up(ctx, message, raw, reason),
            (Arrival::HandOver { alone: false }, Ok(event)) => {
                let (reply, answer) = Reply::channel();
                self.deliver(ctx, message, raw, deaths, answer);
                return Some(Incoming { event, reply });
            }
            (Arrival::HandOver { alone: true }, Ok(event))
                if self.suspects.take_in_hand(event.event_id) =>
            {
                let (reply, answer) = Reply::channel();
                self.deliver(ctx, message, raw, deaths, answer);
                self.hand_over_alone(Incoming { event, reply });
            }
            // Another suspect is in hand: this one comes again in a moment.
            (Arrival::HandOver { alone: true }, Ok(_)) => {
                self.status.postponed += 1;
                let pause = disposition::ANOTHER_TURN.jittered(0);
                self.deliveries
                    .spawn(async move { message.tell(AckKind::Nak(Some(pause))).await });
            }
        }
        None
    }

    fn give_up(
        &mut self,
        ctx: &Ctx<Self>,
        message: Message,
        raw: RawEvent,
        reason: DeadLetterReason,
    ) {
        let event_id = raw.event_id();
        let delivery = self.delivery(message, raw, 0);
        self.track(
            ctx,
            event_id,
            async move { delivery.given_up(reason).await },
        );
    }

    fn deliver(
        &mut self,
        ctx: &Ctx<Self>,
        message: Message,
        raw: RawEvent,
        deaths: u32,
        answer: Answer<Outcome>,
    ) {
        let event_id = raw.event_id();
        let delivery = self.delivery(message, raw, deaths);
        self.track(
            ctx,
            event_id,
            async move { delivery.answered_by(answer).await },
        );
    }

    fn delivery(&self, broker: Message, raw: RawEvent, deaths: u32) -> Delivery<Message, D> {
        Delivery {
            broker,
            raw,
            spec: Arc::clone(&self.spec),
            letters: Arc::clone(&self.letters),
            deaths,
        }
    }

    fn track(
        &mut self,
        ctx: &Ctx<Self>,
        event_id: Option<Uuid>,
        delivery: impl Future<Output = Ending> + Send + 'static,
    ) {
        self.status.in_hand += 1;
        ctx.spawn_then(self.deliveries.track_future(delivery), move |ending| {
            // A panic of ours leaves the event unacknowledged: the broker delivers it again.
            own(Own::Ended(event_id, ending.unwrap_or(Ending::Postponed)))
        });
    }

    pub(crate) fn hand_over(
        &mut self,
        ctx: &Ctx<Self>,
        session: Box<Session>,
        batch: Vec<Incoming>,
    ) {
        if batch.is_empty() {
            self.pull(ctx, session);
            return;
        }
        let handler = Arc::clone(&self.handler);
        let handing = async move {
            handler.deliver(batch).await;
            session
        };
        ctx.spawn_then(handing, |taken| {
            own(match taken {
                Ok(session) => Own::Taken(session),
                Err(panicked) => Own::StepDied(panicked.to_string()),
            })
        });
    }

    fn hand_over_alone(&self, incoming: Incoming) {
        let handler = Arc::clone(&self.handler);
        // A panic drops the answer port, which is how its delivery learns of it.
        self.deliveries
            .spawn(async move { handler.deliver(vec![incoming]).await });
    }
}

fn raw_event(message: &Message, reader: &str) -> Option<RawEvent> {
    let info = match message.info() {
        Ok(info) => info,
        Err(error) => {
            // Not from a stream, so there is nothing to acknowledge either.
            warn!(%error, "a message without JetStream's reply subject is dropped");
            return None;
        }
    };
    Some(RawEvent {
        subject: original_subject(reader, &message.subject).to_owned(),
        headers: message.headers.clone().unwrap_or_default(),
        payload: message.payload.clone(),
        delivered: u64::try_from(info.delivered).unwrap_or(1),
        published_ns: info.published.unix_timestamp_nanos(),
    })
}
