//! The span events that tell a trace's reader that money was not taken twice.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use payment::Policy;
use shopapi_proto::payments::v1::PaymentState;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Bench, eventually, parameters};

/// The message of an event, with the `order.id` of the span around it.
type Noted = (String, Option<i64>);

/// Events, and every field value ever shown.
#[derive(Clone, Default)]
struct Recorder {
    events: Arc<Mutex<Vec<Noted>>>,
    shown: Arc<Mutex<String>>,
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

struct OrderId(i64);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.shown
            .lock()
            .unwrap()
            .push_str(&format!("{:?}", fields.0));
        if let (Some(order), Some(span)) = (fields.0.get("order.id"), context.span(id)) {
            span.extensions_mut()
                .insert(OrderId(order.parse().unwrap()));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.shown
            .lock()
            .unwrap()
            .push_str(&format!("{:?}", fields.0));
        let order = context.event_span(event).and_then(|span| {
            let extensions = span.extensions();
            extensions.get::<OrderId>().map(|order| order.0)
        });
        let message = fields.0.remove("message").unwrap_or_default();
        self.events.lock().unwrap().push((message, order));
    }
}

#[tokio::test]
async fn repeats_are_noted_on_their_orders_spans_and_no_span_shows_the_payment_method() {
    let recorder = Recorder::default();
    let registry = tracing_subscriber::registry().with(recorder.clone());
    tracing::subscriber::set_global_default(registry).unwrap();
    let bench = Bench::start().await;
    let replica = bench.replica(Policy::default()).await;
    let seen = |message: &str, order| {
        let events = recorder.events.lock().unwrap();
        events.contains(&(message.to_owned(), Some(order)))
    };

    // Two inserts of the same payment in one call meet at UNIQUE(order_id).
    let twins = vec![parameters(1, "tok_slow_300"), parameters(1, "tok_slow_300")];
    replica.try_request(twins).await.unwrap();
    eventually("the loser is noted", async || {
        seen("concurrent_duplicate", 1)
    })
    .await;
    assert!(!seen("already_paid_skipped", 1));

    replica.until(1, PaymentState::Captured).await;
    replica.request(parameters(1, "tok_slow_300")).await;
    eventually("the repeat is noted", async || {
        seen("already_paid_skipped", 1)
    })
    .await;

    replica.request(parameters(2, "tok_declined")).await;
    replica.until(2, PaymentState::Declined).await;
    replica.stop().await.unwrap();
    let shown = recorder.shown.lock().unwrap();
    assert!(shown.contains("order.id"), "nothing was recorded");
    for token in ["tok_slow", "tok_declined"] {
        assert!(
            !shown.contains(token),
            "a span or event shows the payment method"
        );
    }
}
