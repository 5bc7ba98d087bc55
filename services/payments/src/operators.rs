//! What people do by hand, and the record of it.
//!
//! ```text
//!   admin (gRPC) ─▶ OperatorDesk ─┬─ payments ─▶ PaymentDesk: a command like any other, at the version that was looked at
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
mod payments;

use std::future::Future;
use std::time::Duration;

use actor_kit::{Mailbox, TraceContext};
use jetstream::{OutboundEvent, PublishFailure, PublisherMsg};
use payment::{PaymentDesk, Policy};
use shopapi_postgres::{Client, ReadPool};
use tracing::{Span, info_span, warn};

use crate::books::Books;
use crate::database::{Database, Trouble};

/// How long one event may take to be acknowledged by the bus; above the publisher's own patience, so that its answer comes first.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(7);

/// See the module's documentation. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OperatorDesk {
    pub(crate) books: AdminBooks,
    pub(crate) desk: PaymentDesk<Books>,
    pub(crate) policy: Policy,
    /// To the stream that this service writes.
    pub(crate) publisher: Mailbox<PublisherMsg>,
    /// To the stream that this service reads.
    pub(crate) letters: Mailbox<PublisherMsg>,
}

/// Who acts by hand and why.
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
    #[error("{0}")]
    Moved(String),
    /// It cannot be done as things stand.
    #[error("{0}")]
    DoesNotFit(String),
    /// The database, the bus, or the ledger did not answer.
    #[error("{0} did not answer; try again")]
    Unavailable(&'static str),
}

/// The database as operators use it: through the pool of the readers, a statement at a time.
#[derive(Clone)]
pub(crate) struct AdminBooks(pub(crate) ReadPool);

impl AdminBooks {
    async fn client(&self) -> Result<Client, AdminError> {
        self.0.get().await.map_err(|lost| {
            warn!(%lost, "an operator's call finds no database");
            AdminError::Unavailable("paymentsdb")
        })
    }

    async fn bounded<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        Database::bounded(statement).await
    }

    /// Gives the connection back, or drops it when its state is in doubt.
    fn settle<T>(&self, client: Client, end: Result<T, Trouble>) -> Result<T, AdminError> {
        end.map_err(|trouble| {
            match trouble {
                Trouble::Error(error) => {
                    let failure = self.0.judge(client, &error);
                    warn!(%failure, "an operator's statement failed");
                }
                Trouble::Overdue => {
                    // The server may still be at it.
                    drop(Client::take(client));
                    warn!("an operator's statement took too long");
                }
            }
            AdminError::Unavailable("paymentsdb")
        })
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
