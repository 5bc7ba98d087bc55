//! Trace context as a value that travels in envelopes and rows. A span itself never travels: it would stay open until its last clone
//! is dropped and pass through queues that may drop it.

use std::future::Future;

use futures::future::Either;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Under this name the order stands in the context of work that has no span to say it. It is for log lines, and never leaves the process.
const ORDER_ID: &str = "order.id";

/// The identity of a span (W3C trace context): enough to continue its trace elsewhere or later. Empty when nothing is traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl Default for TraceContext {
    fn default() -> Self {
        Self(SpanContext::empty_context())
    }
}

impl TraceContext {
    /// The context that the calling code runs in: that of its span, or of the trace that goes on without spans ([`Self::scope`]).
    #[must_use]
    pub fn current() -> Self {
        Self(Context::map_current(|current| {
            current.span().span_context().clone()
        }))
    }

    /// The context of `span`.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        Self(span.context().span().span_context().clone())
    }

    /// Parses a W3C `traceparent` value. `None` when it is malformed: a bad header starts a new trace, it never fails a request.
    #[must_use]
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |text: &str, length: usize| {
            text.len() == length
                && text
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if version != "00"
            || parts.next().is_some()
            || !lower_hex(trace, 32)
            || !lower_hex(span, 16)
            || !lower_hex(flags, 2)
        {
            return None;
        }
        let context = SpanContext::new(
            TraceId::from_hex(trace).ok()?,
            SpanId::from_hex(span).ok()?,
            TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
            true,
            TraceState::NONE,
        );
        context.is_valid().then_some(Self(context))
    }

    /// The W3C `traceparent` value, or `None` when nothing is traced.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        self.is_valid().then(|| {
            format!(
                "00-{}-{}-{:02x}",
                self.0.trace_id(),
                self.0.span_id(),
                self.0.trace_flags().to_u8() & 1
            )
        })
    }

    /// The trace id as 32 hex digits, or `None` when nothing is traced.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        self.is_valid().then(|| self.0.trace_id().to_string())
    }

    /// Whether there is a trace to continue.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.0.is_valid()
    }

    /// Whether spans of this trace are kept. A trace that was not sampled has an identity and no spans.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    /// A span under this context, and the context that goes on from it. `make` is not even called for a trace that is known not to be
    /// sampled: then the span is none and the trace goes on as it came.
    #[must_use]
    pub fn child(&self, make: impl FnOnce() -> Span) -> (Span, Self) {
        if self.is_valid() && !self.is_sampled() {
            return (Span::none(), self.clone());
        }
        let span = make();
        self.parent_of(&span);
        let own = Self::of(&span);
        // Without an OpenTelemetry layer the span has no identity of its own: the trace still goes on.
        let goes_on = if own.is_valid() { own } else { self.clone() };
        (span, goes_on)
    }

    /// Runs `work` in `span`, which [`Self::child`] gave. Where that is none, `work` runs under the bare identity of the trace and its order:
    /// its log lines lead to both, as those of a sampled trace do.
    pub fn scope<F: Future>(
        &self,
        span: Span,
        order_id: Option<i64>,
        work: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        if span.is_none() && self.is_valid() {
            Either::Left(work.with_context(self.bare(order_id)))
        } else {
            Either::Right(work.instrument(span))
        }
    }

    fn bare(&self, order_id: Option<i64>) -> Context {
        let bare = Context::new().with_remote_span_context(self.0.clone());
        match order_id {
            Some(order_id) => bare.with_baggage([KeyValue::new(ORDER_ID, order_id)]),
            None => bare,
        }
    }

    /// Makes this context the parent of `span`. Call it before the span is entered.
    pub fn parent_of(&self, span: &Span) {
        if self.is_valid() {
            // Fails only for a span that no OpenTelemetry layer sees, and such a span needs no parent.
            drop(span.set_parent(Context::new().with_remote_span_context(self.0.clone())));
        }
    }

    /// Links `span` to this context: related work that is not its parent (a batch, an earlier delivery).
    pub fn link_to(&self, span: &Span) {
        if self.is_valid() {
            span.add_link(self.0.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn traceparent_survives_the_round_trip() {
        let context = TraceContext::from_traceparent(VALUE).unwrap();
        assert_eq!(context.traceparent().as_deref(), Some(VALUE));
        assert_eq!(
            context.trace_id().as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
    }

    #[test]
    fn malformed_traceparents_are_refused() {
        for bad in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::from_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_that_is_not_sampled_goes_on_without_spans() {
        let unsampled = VALUE.replace("-01", "-00");
        let unsampled = TraceContext::from_traceparent(&unsampled).unwrap();
        let (span, goes_on) = unsampled.child(|| unreachable!("a span was built"));
        assert!(span.is_none());
        assert_eq!(goes_on, unsampled);

        let sampled = TraceContext::from_traceparent(VALUE).unwrap();
        assert!(sampled.is_sampled());
        let mut made = false;
        let (_, goes_on) = sampled.child(|| {
            made = true;
            Span::none()
        });
        assert!(made);
        assert_eq!(goes_on, sampled);
    }

    #[tokio::test]
    async fn work_of_a_trace_that_is_not_sampled_knows_its_trace_and_its_order() {
        let unsampled = VALUE.replace("-01", "-00");
        let unsampled = TraceContext::from_traceparent(&unsampled).unwrap();
        let (span, goes_on) = unsampled.child(|| unreachable!("a span was built"));
        let work = async {
            // What comes after a pause may run on another thread.
            tokio::task::yield_now().await;
            let order_id = Context::current().baggage().get(ORDER_ID).cloned();
            (TraceContext::current(), order_id)
        };
        let (inside, order_id) = goes_on.scope(span, Some(17), work).await;
        assert_eq!(inside, unsampled);
        assert_eq!(order_id.unwrap().as_str(), "17");
        assert_eq!(TraceContext::current(), TraceContext::default());
    }

    #[test]
    fn an_empty_context_has_no_traceparent() {
        assert_eq!(TraceContext::default().traceparent(), None);
    }
}
