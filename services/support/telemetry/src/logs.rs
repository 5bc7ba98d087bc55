//! What log lines look like: text for people on stderr, one JSON object a line on stdout for machines.
//!
//! A JSON line inside a span carries the span's identity and its order, so that a line leads to its trace and an order to its lines. Work of a
//! trace that is not sampled has no span; its OpenTelemetry context says both.

use std::fmt::{self, Debug};
use std::io::IsTerminal as _;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::TraceContextExt as _;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::LogFormat;

/// The field by which a span tells its order, and the baggage by which a context without a span does.
const ORDER_ID: &str = "order.id";

/// Crates whose spans and lines are transport, not our work. The exporter uses the same ones: with them it would feed itself.
const TRANSPORT: [&str; 8] = [
    "h2",
    "hyper",
    "hyper_util",
    "tonic",
    "tower",
    "ractor",
    "rustls",
    "shopapi_telemetry",
];

/// True for spans and events that describe our work.
pub(crate) fn is_ours(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    !TRANSPORT.contains(&root) && !root.starts_with("opentelemetry")
}

/// What reaches a trace or the collector's logs. Finer levels of libraries would become events of our spans.
pub(crate) fn ours() -> FilterFn {
    let told = |metadata: &Metadata<'_>| *metadata.level() <= Level::INFO && is_ours(metadata);
    FilterFn::new(told as fn(&Metadata<'_>) -> bool).with_max_level_hint(LevelFilter::INFO)
}

/// Crates whose lines below INFO may be asked for: ours, which never say a secret. Those named `shopapi` or `shopapi_…` are ours as well.
const OUTSPOKEN: [&str; 8] = [
    "actor_kit",
    "devstack",
    "jetstream",
    "order_saga",
    "outbox",
    "payment",
    "shopctl",
    "stock",
];

/// True for what a log may hold, whatever its filter says. The finer levels of other people's crates quote what they carry: the driver of
/// PostgreSQL its parameters, h2 its headers. The exporter's failures are told once a minute by this crate, not by each of its libraries.
fn is_readable(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    let outspoken = root == "shopapi" || root.starts_with("shopapi_") || OUTSPOKEN.contains(&root);
    (outspoken || *metadata.level() <= Level::INFO) && !root.starts_with("opentelemetry")
}

/// The layer that writes lines.
pub(crate) fn layer(
    format: LogFormat,
    filter: EnvFilter,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        LogFormat::Text => fit(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal()),
            filter,
        ),
        LogFormat::Json => fit(
            OrderIds.and_then(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stdout)
                    .event_format(JsonLines),
            ),
            filter,
        ),
    }
}

/// What the filter asks for, of what is fit to be read.
fn fit(
    lines: impl Layer<Registry> + Send + Sync,
    filter: EnvFilter,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let readable = FilterFn::new(is_readable as fn(&Metadata<'_>) -> bool);
    lines.with_filter(filter).with_filter(readable).boxed()
}

/// Remembers the order of each span that names one.
pub(crate) struct OrderIds;

#[derive(Clone, Copy)]
struct OrderId(i64);

#[derive(Default)]
struct OrderIdIn(Option<i64>);

impl Visit for OrderIdIn {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == ORDER_ID {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for OrderIds {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        if attributes.metadata().fields().field(ORDER_ID).is_none() {
            return;
        }
        let mut found = OrderIdIn::default();
        attributes.record(&mut found);
        if let (Some(order), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().replace(OrderId(order));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: LayerContext<'_, S>) {
        let mut found = OrderIdIn::default();
        values.record(&mut found);
        if let (Some(order), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().replace(OrderId(order));
        }
    }
}

/// The order of the innermost span around the code that runs, when that span or one above names it.
fn current_order<S, N>(context: &FmtContext<'_, S, N>) -> Option<i64>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    context
        .event_scope()?
        .find_map(|span| span.extensions().get::<OrderId>().map(|order| order.0))
}

/// The order of work that has no span.
fn order_of(context: &Context) -> Option<i64> {
    context.baggage().get(ORDER_ID)?.as_str().parse().ok()
}

/// One JSON object a line.
pub(crate) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let now = OffsetDateTime::now_utc();
        let timestamp = now.format(&Rfc3339).map_err(|_| fmt::Error)?;
        line.insert("timestamp".to_owned(), timestamp.into());
        let level = event.metadata().level().as_str();
        line.insert("level".to_owned(), level.into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let order_of_span = current_order(context);
        Context::map_current(|current| {
            if let Some(order_id) = order_of_span.or_else(|| order_of(current)) {
                line.insert("order_id".to_owned(), order_id.into());
            }
            let span = current.span();
            let identity = span.span_context();
            if identity.is_valid() {
                line.insert(
                    "trace_id".to_owned(),
                    identity.trace_id().to_string().into(),
                );
                line.insert("span_id".to_owned(), identity.span_id().to_string().into());
            }
        });
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The fields of an event; what the event says itself wins over its span.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::KeyValue;
    use opentelemetry::trace::{
        SpanContext, SpanId, TraceFlags, TraceId, TraceState, TracerProvider as _,
    };
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::{info, info_span};
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn lines_of(emit: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let provider = SdkTracerProvider::builder().build();
        let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(traces).with(
            OrderIds.and_then(
                tracing_subscriber::fmt::layer()
                    .with_writer(lines.clone())
                    .event_format(JsonLines),
            ),
        );
        tracing::subscriber::with_default(subscriber, emit);
        let written = lines.0.lock().unwrap().clone();
        String::from_utf8(written)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_inside_a_span_leads_to_its_trace_and_its_order() {
        let lines = lines_of(|| {
            info!(count = 3, "outside");
            let order = info_span!("saga", order.id = tracing::field::Empty);
            order.record("order.id", 17_i64);
            let _inside = order.entered();
            let _deeper = info_span!("commit", order.id = 17_i64).entered();
            info!(ok = true, "inside");
        });
        assert_eq!(lines[0]["message"], "outside");
        assert_eq!(lines[0]["count"], 3);
        assert!(lines[0].get("trace_id").is_none());
        assert_eq!(lines[1]["order_id"], 17);
        assert_eq!(lines[1]["ok"], true);
        assert_eq!(lines[1]["trace_id"].as_str().unwrap().len(), 32);
        assert_eq!(lines[1]["span_id"].as_str().unwrap().len(), 16);
        assert_eq!(lines[1]["level"], "INFO");
    }

    #[test]
    fn a_filter_that_asks_for_everything_gets_the_finer_levels_of_our_crates_only() {
        #[derive(Clone, Default)]
        struct Seen(Arc<Mutex<Vec<String>>>);
        impl<S: Subscriber> Layer<S> for Seen {
            fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
                let of = event.metadata();
                let seen = format!("{} {}", of.target(), of.level());
                self.0.lock().unwrap().push(seen);
            }
        }
        let seen = Seen::default();
        for filter in ["trace", "info,tokio_postgres=debug,h2=trace"] {
            let subscriber =
                tracing_subscriber::registry().with(fit(seen.clone(), EnvFilter::new(filter)));
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!(target: "tokio_postgres::query", "parameters");
                tracing::trace!(target: "h2::codec", "headers");
                tracing::debug!(target: "log", "a library that does not know tracing");
                tracing::info!(target: "tokio_postgres::connection", "notice");
                tracing::error!(target: "opentelemetry_sdk", "export failed");
                tracing::trace!(target: "shopapi_orders::grpc", "ours");
                tracing::debug!(target: "stock::ledger", "ours");
            });
        }
        let seen = seen.0.lock().unwrap().clone();
        let notice = "tokio_postgres::connection INFO";
        assert_eq!(
            seen,
            [
                notice,
                "shopapi_orders::grpc TRACE",
                "stock::ledger DEBUG",
                notice
            ]
        );
    }

    #[test]
    fn a_line_of_a_trace_that_is_not_sampled_leads_to_it_and_to_its_order() {
        let trace_id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let span_id = SpanId::from_hex("b7ad6b7169203331").unwrap();
        let flags = TraceFlags::NOT_SAMPLED;
        let unsampled = SpanContext::new(trace_id, span_id, flags, true, TraceState::NONE);
        let lines = lines_of(|| {
            let bare = Context::new().with_remote_span_context(unsampled);
            let _work = bare
                .with_baggage([KeyValue::new(ORDER_ID, 17_i64)])
                .attach();
            info!("below the gateway");
        });
        assert_eq!(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(lines[0]["span_id"], "b7ad6b7169203331");
        assert_eq!(lines[0]["order_id"], 17);
    }

    #[test]
    fn what_an_event_says_itself_wins_over_its_span() {
        let lines = lines_of(|| {
            let _order = info_span!("saga", order.id = 17_i64).entered();
            info!(order_id = 18_i64, "another order");
        });
        assert_eq!(lines[0]["order_id"], 18);
    }
}
