//! Events of the stream ORDERS: `orders.created` goes through the same desk as `RequestPayment`; poison goes to the dead letters.

use actor_kit::TraceContext;
use jetstream::{
    ConsumerSpec, DeadLetter, DeadLetterStore, DeadLetterUnavailable, InboundEvent, Outcome,
};
use payment::ledger::{ApplyError, PaymentBooks};
use payment::{DeskError, PaymentDesk, PaymentRequest, Refusal};
use payments_sql::queries::outbox::insert_dead_letter;
use shopapi_postgres::PgConfig;
use shopapi_proto::subjects;
use tokio::sync::Mutex;
use tracing::field::Empty;
use tracing::info_span;

use crate::database::Database;
use crate::{events, telemetry};

/// The durable consumer that all replicas of payments share.
pub(crate) const CONSUMER: &str = "payments";

/// It takes new orders, and the events that it gave up and an operator replays.
pub(crate) fn consumer() -> ConsumerSpec {
    ConsumerSpec::new(subjects::STREAM_ORDERS, CONSUMER)
        .subjects([subjects::ORDERS_CREATED, subjects::ORDERS_REPLAYED])
}

/// Handles one event, to its commit.
pub(crate) async fn handle<B: PaymentBooks>(desk: PaymentDesk<B>, event: InboundEvent) -> Outcome {
    if event.subject != subjects::ORDERS_CREATED {
        return Outcome::Ignored;
    }
    let request = events::request(&event.payload);
    let order_id = request.as_ref().ok().map(|request| request.order_id.0);
    let trace = event.traceparent.as_deref();
    let published = trace.and_then(TraceContext::from_traceparent);
    let published = published.unwrap_or_default();
    let (span, trace) = published.child(|| {
        info_span!(
            "process",
            otel.name = "process orders.created",
            otel.kind = "consumer",
            otel.status_code = Empty,
            messaging.system = "nats",
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = subjects::ORDERS_CREATED,
            messaging.message.id = %event.event_id,
            messaging.nats.delivered = event.delivered,
            order.id = order_id,
        )
    });
    if event.delivered > 1 {
        published.link_to(&span);
    }
    let handled = async {
        match request {
            Ok(request) => request_payment(desk, request, event.traceparent).await,
            Err(bad) => Outcome::Poison(bad.to_string()),
        }
    };
    let outcome = trace.scope(span.clone(), order_id, handled).await;
    if !matches!(outcome, Outcome::Done | Outcome::Ignored) {
        span.record("otel.status_code", "ERROR");
    }
    outcome
}

async fn request_payment<B: PaymentBooks>(
    desk: PaymentDesk<B>,
    mut request: PaymentRequest,
    traceparent: Option<String>,
) -> Outcome {
    request.traceparent = events::trace_to_keep(traceparent);
    match desk.request(request).await {
        Ok(answered) => match answered.ignored {
            Some(ignored) => {
                telemetry::note_repeat(ignored, &answered.payment);
                Outcome::Ignored
            }
            None => Outcome::Done,
        },
        Err(DeskError::Apply(ApplyError::Unavailable | ApplyError::Overloaded)) => {
            Outcome::RetryLater
        }
        Err(error @ (DeskError::Invalid(_) | DeskError::Apply(ApplyError::Poisoned))) => {
            Outcome::Poison(error.to_string())
        }
        Err(error @ DeskError::Refused(refusal)) => {
            if refusal == Refusal::OrderTaken {
                telemetry::note_concurrent();
            }
            Outcome::Poison(error.to_string())
        }
    }
}

/// The `dead_letters` table on a connection of its own.
pub(crate) struct DeadLetters(Mutex<Database>);

impl DeadLetters {
    pub(crate) fn new(config: &PgConfig) -> Self {
        Self(Mutex::new(Database::new(config, "payments dead letters")))
    }
}

impl DeadLetterStore for DeadLetters {
    async fn commit(&self, letter: DeadLetter) -> Result<(), DeadLetterUnavailable> {
        let mut database = self.0.lock().await;
        let client = database
            .client()
            .await
            .map_err(|lost| DeadLetterUnavailable(lost.reason))?;
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let committed = Database::bounded(
            insert_dead_letter()
                .bind(
                    client,
                    &letter.letter_id,
                    &letter.stream,
                    &letter.consumer,
                    &letter.subject,
                    &letter.event_id,
                    &letter.schema_version,
                    &letter.aggregate_seq,
                    &letter.traceparent,
                    &letter.reason.code(),
                    &letter.reason.to_string(),
                    &count(letter.delivered),
                    &letter.payload,
                    &count(letter.payload_bytes),
                )
                .one(),
        )
        .await;
        match committed {
            Ok(_letter_id) => Ok(()),
            Err(trouble) => Err(DeadLetterUnavailable(database.judge(&trouble).text)),
        }
    }
}
