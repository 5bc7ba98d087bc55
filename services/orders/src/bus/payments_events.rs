//! What payments tells, brought to the sagas. A fetched batch goes to the registry as one message, so that its misses are loaded by one
//! read and its writes meet in one batch of the journal; each event is answered on its own, after its own commit.

use std::collections::HashMap;
use std::time::Duration;

use actor_kit::{Answer, Mailbox, Reply, TraceContext};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jetstream::{EventHandler, InboundEvent, Incoming, Outcome as Disposed};
use order_saga::{Cents, Currency, Installation, OrderId, StoreUnavailable};
use order_saga::{Delivery, Outcome, RegistryMsg};
use tracing::field::Empty;
use tracing::{Span, info_span, warn};

use crate::store::OrderStore;
use crate::wire::events::{Decoded, PaymentFact, decode};

/// How long a saga may take to decide; the journal gives up earlier. Above it the event is delivered again.
const DECISION_DEADLINE: Duration = Duration::from_secs(20);

/// The handler of the stream PAYMENTS.
#[derive(Clone, Debug)]
pub(crate) struct PaymentsEvents {
    registry: Mailbox<RegistryMsg>,
    store: OrderStore,
}

/// An event that was understood, with the port for its answer.
struct Understood {
    fact: PaymentFact,
    trace: TraceContext,
    /// Open until the event is answered.
    span: Span,
    reply: Reply<Disposed>,
}

impl PaymentsEvents {
    pub(crate) fn new(registry: Mailbox<RegistryMsg>, store: OrderStore) -> Self {
        Self { registry, store }
    }

    /// Leaves out the facts whose money is not what the order was quoted.
    async fn check_money(
        &self,
        understood: Vec<Understood>,
    ) -> Result<Vec<Understood>, (StoreUnavailable, Vec<Understood>)> {
        let ids: Vec<i64> = understood
            .iter()
            .filter(|one| one.fact.money.is_some())
            .map(|one| one.fact.order_id.0)
            .collect();
        if ids.is_empty() {
            return Ok(understood);
        }
        let quoted = match self.store.quoted_totals(ids).await {
            Ok(quoted) => quoted,
            Err(unavailable) => return Err((unavailable, understood)),
        };
        let quoted: HashMap<OrderId, (Cents, Currency)> = quoted
            .into_iter()
            .map(|(order_id, total, currency)| (order_id, (total, currency)))
            .collect();
        let mut good = Vec::with_capacity(understood.len());
        for one in understood {
            let order_id = one.fact.order_id;
            match (&one.fact.money, quoted.get(&order_id)) {
                (Some((amount, currency)), Some((total, quoted)))
                    if amount != total || currency != quoted.as_str() =>
                {
                    let text = format!("the amount is not what order {order_id} was quoted");
                    one.reply.send(Disposed::Poison(text));
                }
                (Some(_), None) => {
                    let text = format!("order {order_id} was never quoted, or does not exist");
                    one.reply.send(Disposed::Poison(text));
                }
                (Some(_), Some(_)) | (None, _) => good.push(one),
            }
        }
        Ok(good)
    }
}

impl EventHandler for PaymentsEvents {
    async fn deliver(&self, batch: Vec<Incoming>) {
        let Ok(installation) = self.store.installation().await else {
            for incoming in batch {
                incoming.reply.send(Disposed::RetryLater);
            }
            return;
        };
        let understood = batch
            .into_iter()
            .filter_map(|incoming| understand(incoming, installation))
            .collect();
        let good = match self.check_money(understood).await {
            Ok(good) => good,
            Err((StoreUnavailable, understood)) => {
                for one in understood {
                    one.reply.send(Disposed::RetryLater);
                }
                return;
            }
        };
        if good.is_empty() {
            return;
        }
        let mut deliveries = Vec::with_capacity(good.len());
        let mut ports = Vec::with_capacity(good.len());
        for Understood {
            fact,
            trace,
            span,
            reply,
        } in good
        {
            let (decided, decision) = Reply::channel();
            deliveries.push(Delivery {
                order_id: fact.order_id,
                customer_id: None,
                expected: None,
                event: fact.event,
                trace,
                reply: decided,
            });
            ports.push((decision, span, reply));
        }
        // A registry that is gone drops the deliveries, which their ports tell.
        if self
            .registry
            .send(RegistryMsg::Deliver(deliveries))
            .await
            .is_err()
        {
            warn!("the registry is gone; events are delivered again");
        }
        tokio::spawn(answer_all(ports));
    }
}

/// Answers what can be answered without a saga.
fn understand(incoming: Incoming, installation: Installation) -> Option<Understood> {
    let Incoming { event, reply } = incoming;
    match decode(&event.subject, &event.payload, installation) {
        Decoded::Fact(fact) => {
            let (span, trace) = process_span(&event, Some(fact.order_id));
            Some(Understood {
                fact,
                trace,
                span,
                reply,
            })
        }
        Decoded::OfNoInterest => {
            reply.send(Disposed::Ignored);
            None
        }
        Decoded::Poison(reason) => {
            let (span, _) = process_span(&event, None);
            span.record("otel.status_code", "ERROR");
            reply.send(Disposed::Poison(reason));
            None
        }
    }
}

/// The span of one event under that of its publish. A redelivery links to the publish as well: the first delivery's span is a sibling.
fn process_span(event: &InboundEvent, order_id: Option<OrderId>) -> (Span, TraceContext) {
    let published = event
        .traceparent
        .as_deref()
        .and_then(TraceContext::from_traceparent)
        .unwrap_or_default();
    if !published.is_valid() {
        return (Span::none(), published);
    }
    let (span, trace) = published.child(|| {
        info_span!(
            parent: None,
            "process",
            otel.name = format_args!("process {}", event.subject),
            otel.kind = "consumer",
            otel.status_code = Empty,
            messaging.system = "nats",
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = event.subject.as_str(),
            messaging.message.id = %event.event_id,
            messaging.nats.delivered = event.delivered,
            order.id = order_id.map(|order_id| order_id.0),
        )
    });
    if event.delivered > 1 {
        published.link_to(&span);
    }
    (span, trace)
}

/// Passes each decision on as soon as it is there.
async fn answer_all(ports: Vec<(Answer<Outcome>, Span, Reply<Disposed>)>) {
    ports
        .into_iter()
        .map(|(decision, span, reply)| async move {
            // A dropped port is a coordinator that crashed: the registry counts that, here it only means "not decided".
            let disposed = decision
                .within(DECISION_DEADLINE)
                .await
                .map_or(Disposed::RetryLater, disposition);
            if !matches!(disposed, Disposed::Done | Disposed::Ignored) {
                span.record("otel.status_code", "ERROR");
            }
            reply.send(disposed);
        })
        .collect::<FuturesUnordered<_>>()
        .for_each(std::future::ready)
        .await;
}

fn disposition(outcome: Outcome) -> Disposed {
    match outcome {
        Outcome::Moved(_) => Disposed::Done,
        Outcome::Ignored(..) => Disposed::Ignored,
        Outcome::Illegal(snapshot) => Disposed::Poison(format!(
            "it contradicts order {} in step {}",
            snapshot.saga.order.order_id,
            snapshot.saga.step.name()
        )),
        Outcome::NotFound => Disposed::Poison("there is no such order".to_owned()),
        Outcome::Poisoned => Disposed::Poison("the database refuses what it leads to".to_owned()),
        // Events expect no version, so `Superseded` is never theirs.
        Outcome::Unavailable | Outcome::Superseded(_) => Disposed::RetryLater,
    }
}
