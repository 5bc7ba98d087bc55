//! What people do by hand, and the record of it.
//!
//! ```text
//!   admin (gRPC) ─▶ OperatorDesk ─┬─ sagas    ─▶ saga-registry: a message like any other, at the version that was looked at
//!                                 ├─ letters  ─▶ letter-publisher: the event again, under a new message id
//!                                 ├─ outbox   ─▶ publisher: the same for what was published before
//!                                 └─ acts     ─▶ operator_actions: who, why, what came of it
//! ```
//!
//! **Invariant.** Nothing changes without a row in `operator_actions`: in the same statement where the act is one statement, else written
//! as STARTED before the act begins and ended after it. A row that stays STARTED tells of a crash in between.

mod acts;
mod letters;
mod outbox;
mod sagas;

use std::time::Duration;

use actor_kit::{Mailbox, TraceContext};
use jetstream::{OutboundEvent, PublishFailure, PublisherMsg};
use order_saga::{RegistryMsg, StoreUnavailable};
use tracing::{Span, info_span, warn};

use crate::store::OrderStore;

pub(crate) use sagas::{SagaFilter, SagaView};

/// How long one event may take to be acknowledged by the bus; above the publisher's own patience, so that its answer comes first.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(8);

/// See the module's documentation. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct OperatorDesk {
    pub(crate) store: OrderStore,
    pub(crate) registry: Mailbox<RegistryMsg>,
    /// To the stream that this service writes.
    pub(crate) publisher: Mailbox<PublisherMsg>,
    /// To the stream that this service reads.
    pub(crate) letters: Mailbox<PublisherMsg>,
    /// How long a saga may take to decide.
    pub(crate) decision_deadline: Duration,
}

/// Who acts by hand and why. Stands in the record of acts alone: customers read the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) who: String,
    pub(crate) why: String,
}

/// Why an operator's call has no good answer. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// What was asked for does not exist.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Somebody else was faster.
    #[error("it is at version {now}, not {expected}: look again")]
    Moved { now: i64, expected: i64 },
    /// It cannot be done as things stand.
    #[error("{0}")]
    DoesNotFit(String),
    /// The database, the bus, or whoever decides did not answer.
    #[error("{0} did not answer; try again")]
    Unavailable(&'static str),
}

impl From<StoreUnavailable> for AdminError {
    fn from(_: StoreUnavailable) -> Self {
        Self::Unavailable("ordersdb")
    }
}

/// The span of an operator's act: the root of a trace of its own, with links to the traces of what it touches.
fn act_span(action: &'static str) -> Span {
    info_span!(
        parent: None,
        "operator",
        otel.name = format_args!("operator {action}"),
        operator.action = action,
        order.id = tracing::field::Empty,
    )
}

/// Links an act to the trace of what it touches.
fn touches(act: &Span, traceparent: Option<&str>) {
    if let Some(touched) = traceparent.and_then(TraceContext::from_traceparent) {
        touched.link_to(act);
    }
}

/// Publishes one event, to its acknowledgement.
async fn publish(to: &Mailbox<PublisherMsg>, event: OutboundEvent) -> Result<(), AdminError> {
    let event_id = event.event_id;
    let asked = to
        .ask(PUBLISH_DEADLINE, |reply| PublisherMsg::Publish {
            event,
            reply,
        })
        .await;
    match asked {
        Ok(Ok(_published)) => Ok(()),
        Ok(Err(PublishFailure::Refused(reason))) => {
            warn!(%event_id, reason, "the bus refuses an event that an operator replays");
            Err(AdminError::DoesNotFit("the bus refuses it".to_owned()))
        }
        Ok(Err(PublishFailure::Unavailable(reason))) => {
            warn!(%event_id, reason, "an event is not replayed");
            Err(AdminError::Unavailable("the bus"))
        }
        Err(unanswered) => {
            warn!(%event_id, %unanswered, "an event is not replayed");
            Err(AdminError::Unavailable("the bus"))
        }
    }
}
