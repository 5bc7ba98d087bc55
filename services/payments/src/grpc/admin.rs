//! `PaymentsAdmin`: checks, the desk's answer, the response. An act runs in a task of its own, so that a caller who leaves cannot cut it
//! in two.

mod wire;

use std::future::Future;
use std::time::Duration;

use payment::{OrderId, PaymentId};
use shopapi_proto::admin::v1 as proto;
use shopapi_proto::admin::v1::find_payment_request::Key;
use shopapi_proto::admin::v1::payments_admin_server::PaymentsAdmin;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::operators::{Act, AdminError, OperatorDesk};

/// Rows of a list when the caller does not say.
const ROWS_DEFAULT: i32 = 50;
/// Rows of a list at most.
const ROWS_MAX: i32 = 1_000;
/// Characters of a name.
const WHO_MAX: usize = 100;
/// Characters of a reason.
const WHY_MAX: usize = 1_000;

/// The calls.
#[derive(Clone)]
pub(super) struct AdminApi(pub(super) OperatorDesk);

type Answer<T> = Result<Response<T>, Status>;

fn status(error: &AdminError) -> Status {
    let code = match error {
        AdminError::NotFound(_) => Code::NotFound,
        AdminError::Moved(_) => Code::Aborted,
        AdminError::DoesNotFit(_) => Code::FailedPrecondition,
        AdminError::Unavailable(_) => Code::Unavailable,
    };
    Status::new(code, error.to_string())
}

fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}

fn answer<T>(result: Result<T, AdminError>) -> Answer<T> {
    result.map(Response::new).map_err(|error| status(&error))
}

/// Runs to its end, whatever becomes of the caller.
async fn uncut<T: Send + 'static>(
    act: impl Future<Output = Result<T, AdminError>> + Send + 'static,
) -> Result<T, Status> {
    match tokio::spawn(act).await {
        Ok(result) => result.map_err(|error| status(&error)),
        Err(_panicked) => Err(Status::internal("payments cannot handle this")),
    }
}

fn who_and_why(act: Option<proto::Act>) -> Result<Act, Status> {
    let proto::Act { who, why } = act.unwrap_or_default();
    let fits = |text: &str, max| {
        let length = text.chars().count();
        !text.trim().is_empty() && length <= max && !text.chars().any(char::is_control)
    };
    if !fits(&who, WHO_MAX) {
        return Err(invalid("act.who: 1 to 100 printable characters"));
    }
    if !fits(&why, WHY_MAX) {
        return Err(invalid("act.why: 1 to 1000 printable characters"));
    }
    Ok(Act { who, why })
}

/// How many rows are wanted, and one more to tell whether there is more.
fn rows(limit: i32) -> Result<(usize, i64), Status> {
    let rows = match limit {
        0 => ROWS_DEFAULT,
        limit @ 1..=ROWS_MAX => limit,
        _ => return Err(invalid("limit: 1 to 1000, or 0 for 50")),
    };
    Ok((usize::try_from(rows).unwrap_or(0), i64::from(rows) + 1))
}

fn letter_id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| invalid("letter_id: a UUID"))
}

fn seconds(name: &str, seconds: i64) -> Result<Duration, Status> {
    u64::try_from(seconds)
        .map(Duration::from_secs)
        .map_err(|_| invalid(format!("{name}: not negative")))
}

fn payment_id(text: &str) -> Result<PaymentId, Status> {
    Uuid::try_parse(text)
        .map(PaymentId)
        .map_err(|_| invalid("payment_id: a UUID"))
}

#[tonic::async_trait]
impl PaymentsAdmin for AdminApi {
    async fn find_payment(
        &self,
        request: Request<proto::FindPaymentRequest>,
    ) -> Answer<proto::FindPaymentResponse> {
        let found = match request.into_inner().key {
            Some(Key::PaymentId(id)) => self.0.payment(payment_id(&id)?).await,
            Some(Key::OrderId(id)) => self.0.payment_of(OrderId(id)).await,
            None => return Err(invalid("key: a payment_id or an order_id")),
        };
        let payment = found.map_err(|error| status(&error))?;
        answer(self.0.acts(&payment.id().to_string()).await.map(|acts| {
            proto::FindPaymentResponse {
                payment: Some(wire::payment(&payment)),
                acts: acts.into_iter().map(wire::act).collect(),
            }
        }))
    }

    async fn insist_refund(
        &self,
        request: Request<proto::InsistRefundRequest>,
    ) -> Answer<proto::InsistRefundResponse> {
        let request = request.into_inner();
        let id = payment_id(&request.payment_id)?;
        let expected = request.expected_version;
        let (act, desk) = (who_and_why(request.act)?, self.0.clone());
        let payment = uncut(async move { desk.insist_refund(id, expected, &act).await }).await?;
        let payment = Some(wire::payment(&payment));
        Ok(Response::new(proto::InsistRefundResponse { payment }))
    }

    async fn settle_open_attempts(
        &self,
        request: Request<proto::SettleOpenAttemptsRequest>,
    ) -> Answer<proto::SettleOpenAttemptsResponse> {
        let (act, desk) = (who_and_why(request.into_inner().act)?, self.0.clone());
        let woken = uncut(async move { desk.settle_open_attempts(&act).await }).await?;
        Ok(Response::new(proto::SettleOpenAttemptsResponse {
            brought_forward: i32::try_from(woken).unwrap_or(i32::MAX),
        }))
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
            text => Some(Uuid::try_parse(text).map_err(|_| invalid("after_event_id: a UUID"))?),
        };
        let (act, desk) = (who_and_why(request.act)?, self.0.clone());
        let page = uncut(async move { desk.replay_outbox(since, after, &act).await }).await?;
        Ok(Response::new(proto::ReplayOutboxResponse {
            replayed: i32::try_from(page.events).unwrap_or(i32::MAX),
            next_after_event_id: page.next_after.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }
}
