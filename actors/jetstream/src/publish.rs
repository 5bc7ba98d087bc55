//! One publish, from the event to the acknowledgement and what it means.

use std::time::Duration;

use actor_kit::TraceContext;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use tracing::{Instrument as _, Span, info_span};

use crate::connection::Generation;
use crate::envelope;
use crate::{Connection, OutboundEvent};

/// How a publish succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The server had seen the message id inside the duplicate window and stored nothing this time.
    pub duplicate: bool,
}

/// How a publish failed. The texts are for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailure {
    /// The bus is away, its stream is missing, or no acknowledgement came. The event may be stored: publish it again.
    #[error("the bus is unavailable: {0}")]
    Unavailable(String),
    /// The server refused this very event.
    #[error("the bus refused the event: {0}")]
    Refused(String),
}

/// What the end of a publish says about the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The server answered.
    Answered,
    /// It did not, within the deadline.
    Silent,
    /// Nobody serves the subject: the stream is gone, or JetStream is.
    NoStream,
    /// The connection went away.
    Lost,
}

fn publish_span(event: &OutboundEvent, stream: &str) -> Span {
    let Some(parent) = event
        .traceparent
        .as_deref()
        .and_then(TraceContext::from_traceparent)
    else {
        return Span::none();
    };
    let (span, _) = parent.child(|| {
        info_span!(
            parent: None,
            "publish",
            otel.name = format_args!("publish {}", event.subject),
            otel.kind = "producer",
            otel.status_code = tracing::field::Empty,
            messaging.system = "nats",
            messaging.operation.name = "publish",
            messaging.operation.type = "send",
            messaging.destination.name = event.subject.as_str(),
            messaging.message.id = %event.event_id,
            messaging.nats.stream = stream,
            order.id = event.order_id,
        )
    });
    if event.message_id != event.event_id {
        // A deliberate replay: it links to what it repeats.
        parent.link_to(&span);
    }
    span
}

/// One publish, to its acknowledgement. Runs beside the actor.
pub(crate) async fn publish(
    connection: Connection,
    generation: Generation,
    stream: String,
    ack_deadline: Duration,
    event: OutboundEvent,
) -> (Result<Published, PublishFailure>, End) {
    let span = publish_span(&event, &stream);
    let headers = envelope::headers(&event, &stream, &trace_of(&span, &event));
    let message = PublishMessage::build()
        .payload(event.payload)
        .headers(headers);
    let acknowledged = async {
        // The first await hands the message to the connection; only the second is the server's acknowledgement.
        let context = connection.context();
        context.send_publish(event.subject, message).await?.await
    };
    let acknowledged = acknowledged.instrument(span.clone());
    let acknowledged = tokio::time::timeout(ack_deadline, acknowledged);
    let (published, end) = tokio::select! {
        biased;
        () = connection.lost(generation) => lost(),
        acknowledged = acknowledged => match acknowledged {
            Ok(Ok(ack)) => (accept(&ack, &stream), End::Answered),
            Ok(Err(error)) => refuse(&error),
            Err(_) => silent(),
        },
    };
    if published.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    (published, end)
}

/// The context that travels: the publish's own span, or, where no exporter gives spans an identity, that of the change.
fn trace_of(span: &Span, event: &OutboundEvent) -> TraceContext {
    let own = TraceContext::of(span);
    if own.is_valid() {
        return own;
    }
    let stored = event.traceparent.as_deref();
    stored
        .and_then(TraceContext::from_traceparent)
        .unwrap_or_default()
}

fn unavailable(text: &str, end: End) -> (Result<Published, PublishFailure>, End) {
    (Err(PublishFailure::Unavailable(text.to_owned())), end)
}

fn lost() -> (Result<Published, PublishFailure>, End) {
    unavailable("the connection was lost", End::Lost)
}

fn silent() -> (Result<Published, PublishFailure>, End) {
    unavailable("no acknowledgement within the deadline", End::Silent)
}

fn accept(ack: &PublishAck, stream: &str) -> Result<Published, PublishFailure> {
    if ack.stream == stream {
        Ok(Published {
            duplicate: ack.duplicate,
        })
    } else {
        Err(PublishFailure::Refused(format!(
            "stored in stream {} instead of {stream}",
            ack.stream
        )))
    }
}

fn refuse(error: &PublishError) -> (Result<Published, PublishFailure>, End) {
    match error.kind() {
        PublishErrorKind::TimedOut => silent(),
        PublishErrorKind::StreamNotFound => unavailable("the stream is gone", End::NoStream),
        PublishErrorKind::BrokenPipe => lost(),
        PublishErrorKind::Other if is_of_the_server(error) => {
            unavailable(&error.to_string(), End::Answered)
        }
        PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::MaxPayloadExceeded
        | PublishErrorKind::Other => (
            Err(PublishFailure::Refused(error.to_string())),
            End::Answered,
        ),
    }
}

/// Whether the server says that it, and not the event, is the trouble: no space, no leader, shutting down.
fn is_of_the_server(error: &PublishError) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
        .is_some_and(|refusal| refusal.code() >= 500)
}
