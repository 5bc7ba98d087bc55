//! `OrdersAdmin`: checks, the desk's answer, the response. An act runs in a task of its own, so that a caller who leaves cannot cut it in
//! two.

use std::future::Future;
use std::time::Duration;

use order_saga::saga::{Resolution, SagaEvent};
use order_saga::{OrderId, SagaState, Version};
use shopapi_proto::admin::v1 as proto;
use shopapi_proto::admin::v1::orders_admin_server::OrdersAdmin;
use shopapi_proto::admin::v1::resolve_saga_request::Resolution as WireResolution;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::status;
use crate::operators::{Act, AdminError, OperatorDesk, SagaFilter};
use crate::wire::admin as wire;

/// Rows of a list when the caller does not say.
const ROWS_DEFAULT: i32 = 50;
/// Rows of a list at most.
const ROWS_MAX: i32 = 1_000;
/// Characters of a name.
const WHO_MAX: usize = 100;
/// Characters of a reason.
const WHY_MAX: usize = 1_000;

/// The calls.
#[derive(Clone, Debug)]
pub(super) struct AdminApi(pub(super) OperatorDesk);

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(result: Result<T, AdminError>) -> Answer<T> {
    result
        .map(Response::new)
        .map_err(|error| status::admin(&error))
}

/// Runs to its end, whatever becomes of the caller.
async fn uncut<T: Send + 'static>(
    act: impl Future<Output = Result<T, AdminError>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(act).await {
        Ok(result) => result.map_err(|error| status::admin(&error)),
        Err(_panicked) => Err(status::internal()),
    }
}

fn who_and_why(act: Option<proto::Act>) -> Result<Act, Status> {
    let proto::Act { who, why } = act.unwrap_or_default();
    let fits = |text: &str, max| {
        let length = text.chars().count();
        !text.trim().is_empty() && length <= max && !text.chars().any(char::is_control)
    };
    if !fits(&who, WHO_MAX) {
        return Err(status::invalid("act.who: 1 to 100 printable characters"));
    }
    if !fits(&why, WHY_MAX) {
        return Err(status::invalid("act.why: 1 to 1000 printable characters"));
    }
    Ok(Act { who, why })
}

/// How many rows are wanted, and one more to tell whether there is more.
fn rows(limit: i32) -> Result<(usize, i64), Status> {
    let rows = match limit {
        0 => ROWS_DEFAULT,
        limit @ 1..=ROWS_MAX => limit,
        _ => return Err(status::invalid("limit: 1 to 1000, or 0 for 50")),
    };
    Ok((usize::try_from(rows).unwrap_or(0), i64::from(rows) + 1))
}

fn letter_id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| status::invalid("letter_id: a UUID"))
}

fn seconds(name: &str, seconds: i64) -> Result<Duration, Status> {
    u64::try_from(seconds)
        .map(Duration::from_secs)
        .map_err(|_| status::invalid(format!("{name}: not negative")))
}

fn filter(request: proto::ListSagasRequest) -> Result<(SagaFilter, usize), Status> {
    let saga_state = match request.saga_state.as_str() {
        "" => None,
        code => Some(
            SagaState::ALL
                .iter()
                .copied()
                .find(|state| state.as_str() == code)
                .ok_or_else(|| {
                    status::invalid(
                        "saga_state: RUNNING, COMPENSATING, COMPLETED, COMPENSATED or STUCK",
                    )
                })?,
        ),
    };
    let (size, rows_max) = rows(request.limit)?;
    let filter = SagaFilter {
        saga_state,
        step: Some(request.step).filter(|step| !step.is_empty()),
        age_min: seconds("age_seconds_min", request.age_seconds_min)?,
        rows_max,
    };
    Ok((filter, size))
}

impl AdminApi {
    async fn act(
        &self,
        order_id: i64,
        expected_version: i64,
        act: Option<proto::Act>,
        event: SagaEvent,
    ) -> Result<Option<proto::Saga>, Status> {
        let act = who_and_why(act)?;
        if expected_version <= 0 {
            return Err(status::invalid(
                "expected_version: the version that was looked at",
            ));
        }
        let desk = self.0.clone();
        let moved = uncut(async move {
            desk.move_saga(OrderId(order_id), Version(expected_version), &act, event)
                .await
        });
        Ok(Some(wire::saga(moved.await?)))
    }
}

#[tonic::async_trait]
impl OrdersAdmin for AdminApi {
    async fn list_sagas(
        &self,
        request: Request<proto::ListSagasRequest>,
    ) -> Answer<proto::ListSagasResponse> {
        let (filter, size) = filter(request.into_inner())?;
        answer(self.0.sagas(&filter).await.map(|mut found| {
            let more = found.len() > size;
            found.truncate(size);
            let sagas = found.into_iter().map(wire::saga).collect();
            proto::ListSagasResponse { sagas, more }
        }))
    }

    async fn get_saga(
        &self,
        request: Request<proto::GetSagaRequest>,
    ) -> Answer<proto::GetSagaResponse> {
        let order_id = OrderId(request.into_inner().order_id);
        answer(self.0.saga(order_id).await.map(wire::saga_with_history))
    }

    async fn retry_saga(
        &self,
        request: Request<proto::RetrySagaRequest>,
    ) -> Answer<proto::RetrySagaResponse> {
        let request = request.into_inner();
        let saga = self
            .act(
                request.order_id,
                request.expected_version,
                request.act,
                SagaEvent::OperatorRetried,
            )
            .await?;
        Ok(Response::new(proto::RetrySagaResponse { saga }))
    }

    async fn compensate_saga(
        &self,
        request: Request<proto::CompensateSagaRequest>,
    ) -> Answer<proto::CompensateSagaResponse> {
        let request = request.into_inner();
        let saga = self
            .act(
                request.order_id,
                request.expected_version,
                request.act,
                SagaEvent::OperatorCompensated,
            )
            .await?;
        Ok(Response::new(proto::CompensateSagaResponse { saga }))
    }

    async fn resolve_saga(
        &self,
        request: Request<proto::ResolveSagaRequest>,
    ) -> Answer<proto::ResolveSagaResponse> {
        let request = request.into_inner();
        let to = match request.resolution() {
            WireResolution::Cancelled => Resolution::Cancelled,
            WireResolution::Completed => Resolution::Completed,
            WireResolution::Refunded => Resolution::Refunded,
            WireResolution::Unspecified => {
                return Err(status::invalid(
                    "resolution: CANCELLED, COMPLETED or REFUNDED",
                ));
            }
        };
        let saga = self
            .act(
                request.order_id,
                request.expected_version,
                request.act,
                SagaEvent::OperatorResolved(to),
            )
            .await?;
        Ok(Response::new(proto::ResolveSagaResponse { saga }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<proto::ListDeadLettersRequest>,
    ) -> Answer<proto::ListDeadLettersResponse> {
        let request = request.into_inner();
        let (size, rows_max) = rows(request.limit)?;
        answer(
            self.0
                .letters(request.all, rows_max)
                .await
                .map(|mut found| {
                    let more = found.len() > size;
                    found.truncate(size);
                    let letters = found.into_iter().map(wire::letter).collect();
                    proto::ListDeadLettersResponse { letters, more }
                }),
        )
    }

    async fn get_dead_letter(
        &self,
        request: Request<proto::GetDeadLetterRequest>,
    ) -> Answer<proto::GetDeadLetterResponse> {
        let letter_id = letter_id(&request.into_inner().letter_id)?;
        let found = async {
            let letter = self.0.letter(letter_id).await?;
            let body = self.0.letter_body(letter_id).await?;
            let acts = self.0.acts(&letter_id.to_string()).await?;
            Ok(proto::GetDeadLetterResponse {
                letter: Some(wire::letter(letter)),
                payload: body.payload,
                acts: acts.into_iter().map(wire::act).collect(),
            })
        };
        answer(found.await)
    }

    async fn replay_dead_letter(
        &self,
        request: Request<proto::ReplayDeadLetterRequest>,
    ) -> Answer<proto::ReplayDeadLetterResponse> {
        let request = request.into_inner();
        let letter_id = letter_id(&request.letter_id)?;
        let (act, desk) = (who_and_why(request.act)?, self.0.clone());
        let letter = uncut(async move { desk.replay_letter(letter_id, &act).await }).await?;
        let letter = Some(wire::letter(letter));
        Ok(Response::new(proto::ReplayDeadLetterResponse { letter }))
    }

    async fn discard_dead_letter(
        &self,
        request: Request<proto::DiscardDeadLetterRequest>,
    ) -> Answer<proto::DiscardDeadLetterResponse> {
        let request = request.into_inner();
        let letter_id = letter_id(&request.letter_id)?;
        let (act, desk) = (who_and_why(request.act)?, self.0.clone());
        let letter = uncut(async move { desk.discard_letter(letter_id, &act).await }).await?;
        let letter = Some(wire::letter(letter));
        Ok(Response::new(proto::DiscardDeadLetterResponse { letter }))
    }

    async fn outbox_status(
        &self,
        _: Request<proto::OutboxStatusRequest>,
    ) -> Answer<proto::OutboxStatusResponse> {
        answer(self.0.outbox_status().await.map(wire::outbox))
    }

    async fn replay_outbox(
        &self,
        request: Request<proto::ReplayOutboxRequest>,
    ) -> Answer<proto::ReplayOutboxResponse> {
        let request = request.into_inner();
        let since = seconds("since_seconds", request.since_seconds)?;
        let after = match request.after_event_id.as_str() {
            "" => None,
            text => {
                Some(Uuid::try_parse(text).map_err(|_| status::invalid("after_event_id: a UUID"))?)
            }
        };
        let (act, desk) = (who_and_why(request.act)?, self.0.clone());
        let page = uncut(async move { desk.replay_outbox(since, after, &act).await }).await?;
        Ok(Response::new(proto::ReplayOutboxResponse {
            replayed: i32::try_from(page.events).unwrap_or(i32::MAX),
            next_after_event_id: page.next_after.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }
}
