//! Sagas: looked at, and moved by hand. An act is an event like any other: it goes through the registry to the coordinator and is written
//! by the journal, only at the version that the operator looked at.

use std::time::Duration;

use actor_kit::{Reply, TraceContext};
use order_saga::saga::{Ignored, SagaEvent};
use order_saga::{
    Delivery, OrderId, Outcome, RegistryMsg, SagaIds, SagaState, SagaStep, Snapshot, Version,
};
use orders_sql::queries::admin as sql;
use tracing::{Instrument as _, warn};

use super::{Act, AdminError, OperatorDesk, act_span};

const NO_ORDER: AdminError = AdminError::NotFound("order");

/// Which sagas to list.
#[derive(Clone, Debug)]
pub(crate) struct SagaFilter {
    /// `None`: all that have not ended.
    pub(crate) saga_state: Option<SagaState>,
    pub(crate) step: Option<String>,
    pub(crate) age_min: Duration,
    pub(crate) rows_max: i64,
}

/// A saga as an operator sees it.
#[derive(Clone, Debug)]
pub(crate) struct SagaView {
    pub(crate) row: sql::SagaRow,
    pub(crate) timeline: Vec<sql::SagaTimeline>,
    pub(crate) acts: Vec<sql::ListActions>,
    pub(crate) ids: SagaIds,
}

impl OperatorDesk {
    /// Open sagas come the oldest first, ended ones the newest first.
    pub(crate) async fn sagas(&self, filter: &SagaFilter) -> Result<Vec<sql::SagaRow>, AdminError> {
        let age = filter.age_min.as_secs_f64();
        let state = filter.saga_state.map(SagaState::as_str);
        let client = self.store.client().await?;
        let found = match filter.saga_state {
            Some(ended @ (SagaState::Completed | SagaState::Compensated)) => {
                self.store
                    .bounded(
                        sql::list_ended_sagas()
                            .bind(
                                &client,
                                &ended.as_str(),
                                &filter.step,
                                &age,
                                &filter.rows_max,
                            )
                            .all(),
                    )
                    .await
            }
            Some(SagaState::Running | SagaState::Compensating | SagaState::Stuck) | None => {
                self.store
                    .bounded(
                        sql::list_open_sagas()
                            .bind(&client, &state, &filter.step, &age, &filter.rows_max)
                            .all(),
                    )
                    .await
            }
        };
        Ok(self.store.settle(client, found)?)
    }

    /// One saga with its history.
    pub(crate) async fn saga(&self, order_id: OrderId) -> Result<SagaView, AdminError> {
        let ids = SagaIds::derive(self.store.installation().await?, order_id);
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::get_saga().bind(&client, &order_id.0).opt())
            .await;
        let row = self.store.settle(client, found)?.ok_or(NO_ORDER)?;
        let client = self.store.client().await?;
        let found = self
            .store
            .bounded(sql::saga_timeline().bind(&client, &order_id.0).all())
            .await;
        Ok(SagaView {
            row,
            timeline: self.store.settle(client, found)?,
            acts: self.acts(&order_id.to_string()).await?,
            ids,
        })
    }

    /// Has the saga decide what an operator wants, at the version that the operator looked at.
    pub(crate) async fn move_saga(
        &self,
        order_id: OrderId,
        expected: Version,
        act: &Act,
        event: SagaEvent,
    ) -> Result<sql::SagaRow, AdminError> {
        let action = match &event {
            SagaEvent::OperatorRetried => "saga.retry",
            SagaEvent::OperatorCompensated => "saga.compensate",
            _ => "saga.resolve",
        };
        let action_id = self
            .begin(act, action, &order_id.to_string(), Some(expected.0))
            .await?;
        let span = act_span(action);
        span.record("order.id", order_id.0);
        let decided = self.decide(order_id, expected, event);
        let moved = decided.instrument(span.clone()).await;
        if let Ok(snapshot) = &moved {
            snapshot.saga.order.trace.link_to(&span);
        }
        drop(span);
        let text = moved.as_ref().map(|snapshot| {
            let saga = &snapshot.saga;
            format!("version {}: {}", saga.version, saga.step.name())
        });
        self.end(action_id, text).await;
        moved.map(|snapshot| row(&snapshot))
    }

    async fn decide(
        &self,
        order_id: OrderId,
        expected: Version,
        event: SagaEvent,
    ) -> Result<Snapshot, AdminError> {
        let deliver = |reply: Reply<Outcome>| {
            RegistryMsg::Deliver(vec![Delivery {
                order_id,
                customer_id: None,
                expected: Some(expected),
                event,
                trace: TraceContext::current(),
                reply,
            }])
        };
        match self.registry.ask(self.decision_deadline, deliver).await {
            Ok(Outcome::Moved(snapshot)) => Ok(snapshot),
            Ok(Outcome::Ignored(why, snapshot)) => {
                Err(AdminError::DoesNotFit(why_not(why, &snapshot)))
            }
            Ok(Outcome::Illegal(snapshot)) => {
                Err(AdminError::DoesNotFit(why_not(Ignored::Ended, &snapshot)))
            }
            Ok(Outcome::Superseded(snapshot)) => Err(AdminError::Moved {
                now: snapshot.saga.version.0,
                expected: expected.0,
            }),
            Ok(Outcome::NotFound) => Err(NO_ORDER),
            Ok(Outcome::Poisoned) => {
                let text = "the database refuses what it leads to; the log of orders says why";
                Err(AdminError::DoesNotFit(text.to_owned()))
            }
            Ok(Outcome::Unavailable) => Err(AdminError::Unavailable("the saga")),
            Err(unanswered) => {
                warn!(%order_id, %unanswered, "an operator's act is not decided");
                Err(AdminError::Unavailable("the saga"))
            }
        }
    }
}

fn why_not(why: Ignored, snapshot: &Snapshot) -> String {
    let step = snapshot.saga.step.name();
    match why {
        Ignored::AlreadyHolds => format!("it is on its way back already, in step {step}"),
        Ignored::NotResolvable => format!(
            "only a stuck order can be resolved, to an end that fits where it was set aside; it is in step {step}"
        ),
        Ignored::Ended
        | Ignored::Duplicate
        | Ignored::Superseded
        | Ignored::AwaitsDeadline
        | Ignored::AlreadyPaid
        | Ignored::NotCancellable
        | Ignored::NotPaid
        | Ignored::IsStuck => format!("there is nothing to do for an order in step {step}"),
    }
}

/// As the database has it after the commit.
fn row(snapshot: &Snapshot) -> sql::SagaRow {
    let saga = &snapshot.saga;
    let stuck = match &saga.step {
        SagaStep::Stuck { at, reason } => Some((at.name(), reason.as_str())),
        _ => None,
    };
    sql::SagaRow {
        order_id: saga.order.order_id.0,
        version: saga.version.0,
        status: saga.status().as_str().to_owned(),
        saga_state: saga.saga_state().as_str().to_owned(),
        step: saga.step.name().to_owned(),
        stuck_at: stuck.map(|(at, _)| at.to_owned()),
        stuck_reason: stuck.map(|(_, reason)| reason.to_owned()),
        cancel_reason: saga
            .cancel_reason()
            .map(|reason| reason.as_str().to_owned()),
        wake_in_secs: None,
        created_at: snapshot.created_at,
        updated_at: snapshot.updated_at,
    }
}
