// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct ListOpenSagasParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub saga_state: Option<T1>,
    pub step: Option<T2>,
    pub age_secs: f64,
    pub rows_max: i64,
}
#[derive(Debug)]
pub struct ListEndedSagasParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub saga_state: T1,
    pub step: Option<T2>,
    pub age_secs: f64,
    pub rows_max: i64,
}
#[derive(Clone, Copy, Debug)]
pub struct ListDeadLettersParams {
    pub everything: bool,
    pub rows_max: i64,
}
#[derive(Debug)]
pub struct BeginReplayParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub letter_id: uuid::Uuid,
    pub action_id: uuid::Uuid,
    pub who: T1,
    pub why: T2,
}
#[derive(Debug)]
pub struct DiscardDeadLetterParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub who: T1,
    pub letter_id: uuid::Uuid,
    pub action_id: uuid::Uuid,
    pub why: T2,
}
#[derive(Clone, Copy, Debug)]
pub struct PublishedSinceParams {
    pub after: Option<uuid::Uuid>,
    pub since_secs: f64,
    pub rows_max: i64,
}
#[derive(Debug)]
pub struct BeginActionParams<
    T1: crate::StringSql,
    T2: crate::StringSql,
    T3: crate::StringSql,
    T4: crate::StringSql,
> {
    pub action_id: uuid::Uuid,
    pub who: T1,
    pub why: T2,
    pub action: T3,
    pub target: T4,
    pub expected_version: Option<i64>,
}
#[derive(Debug)]
pub struct EndActionParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub outcome: T1,
    pub detail: T2,
    pub action_id: uuid::Uuid,
}
#[derive(Debug)]
pub struct ListActionsParams<T1: crate::StringSql> {
    pub target: T1,
    pub rows_max: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct SagaRow {
    pub order_id: i64,
    pub version: i64,
    pub status: String,
    pub saga_state: String,
    pub step: String,
    pub stuck_at: Option<String>,
    pub stuck_reason: Option<String>,
    pub cancel_reason: Option<String>,
    pub wake_in_secs: Option<f64>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
}
pub struct SagaRowBorrowed<'a> {
    pub order_id: i64,
    pub version: i64,
    pub status: &'a str,
    pub saga_state: &'a str,
    pub step: &'a str,
    pub stuck_at: Option<&'a str>,
    pub stuck_reason: Option<&'a str>,
    pub cancel_reason: Option<&'a str>,
    pub wake_in_secs: Option<f64>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
}
impl<'a> From<SagaRowBorrowed<'a>> for SagaRow {
    fn from(
        SagaRowBorrowed {
            order_id,
            version,
            status,
            saga_state,
            step,
            stuck_at,
            stuck_reason,
            cancel_reason,
            wake_in_secs,
            created_at,
            updated_at,
        }: SagaRowBorrowed<'a>,
    ) -> Self {
        Self {
            order_id,
            version,
            status: status.into(),
            saga_state: saga_state.into(),
            step: step.into(),
            stuck_at: stuck_at.map(|v| v.into()),
            stuck_reason: stuck_reason.map(|v| v.into()),
            cancel_reason: cancel_reason.map(|v| v.into()),
            wake_in_secs,
            created_at,
            updated_at,
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct SagaTimeline {
    pub version: i64,
    pub status: String,
    pub step: String,
    pub saga_state: String,
    pub cause: String,
    pub at: time::OffsetDateTime,
}
pub struct SagaTimelineBorrowed<'a> {
    pub version: i64,
    pub status: &'a str,
    pub step: &'a str,
    pub saga_state: &'a str,
    pub cause: &'a str,
    pub at: time::OffsetDateTime,
}
impl<'a> From<SagaTimelineBorrowed<'a>> for SagaTimeline {
    fn from(
        SagaTimelineBorrowed {
            version,
            status,
            step,
            saga_state,
            cause,
            at,
        }: SagaTimelineBorrowed<'a>,
    ) -> Self {
        Self {
            version,
            status: status.into(),
            step: step.into(),
            saga_state: saga_state.into(),
            cause: cause.into(),
            at,
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct LetterRow {
    pub letter_id: uuid::Uuid,
    pub stream: String,
    pub consumer: String,
    pub subject: String,
    pub event_id: Option<uuid::Uuid>,
    pub schema_version: Option<i32>,
    pub aggregate_seq: Option<i64>,
    pub reason: String,
    pub detail: String,
    pub delivered: i64,
    pub payload_bytes: i64,
    pub created_at: time::OffsetDateTime,
    pub replayed_at: Option<time::OffsetDateTime>,
    pub discarded_at: Option<time::OffsetDateTime>,
    pub discarded_by: Option<String>,
}
pub struct LetterRowBorrowed<'a> {
    pub letter_id: uuid::Uuid,
    pub stream: &'a str,
    pub consumer: &'a str,
    pub subject: &'a str,
    pub event_id: Option<uuid::Uuid>,
    pub schema_version: Option<i32>,
    pub aggregate_seq: Option<i64>,
    pub reason: &'a str,
    pub detail: &'a str,
    pub delivered: i64,
    pub payload_bytes: i64,
    pub created_at: time::OffsetDateTime,
    pub replayed_at: Option<time::OffsetDateTime>,
    pub discarded_at: Option<time::OffsetDateTime>,
    pub discarded_by: Option<&'a str>,
}
impl<'a> From<LetterRowBorrowed<'a>> for LetterRow {
    fn from(
        LetterRowBorrowed {
            letter_id,
            stream,
            consumer,
            subject,
            event_id,
            schema_version,
            aggregate_seq,
            reason,
            detail,
            delivered,
            payload_bytes,
            created_at,
            replayed_at,
            discarded_at,
            discarded_by,
        }: LetterRowBorrowed<'a>,
    ) -> Self {
        Self {
            letter_id,
            stream: stream.into(),
            consumer: consumer.into(),
            subject: subject.into(),
            event_id,
            schema_version,
            aggregate_seq,
            reason: reason.into(),
            detail: detail.into(),
            delivered,
            payload_bytes,
            created_at,
            replayed_at,
            discarded_at,
            discarded_by: discarded_by.map(|v| v.into()),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct LetterBody {
    pub payload: Vec<u8>,
    pub traceparent: Option<String>,
}
pub struct LetterBodyBorrowed<'a> {
    pub payload: &'a [u8],
    pub traceparent: Option<&'a str>,
}
impl<'a> From<LetterBodyBorrowed<'a>> for LetterBody {
    fn from(
        LetterBodyBorrowed {
            payload,
            traceparent,
        }: LetterBodyBorrowed<'a>,
    ) -> Self {
        Self {
            payload: payload.into(),
            traceparent: traceparent.map(|v| v.into()),
        }
    }
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct OutboxStatus {
    pub unpublished: i64,
    pub oldest_secs: f64,
    pub open_letters: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedEvent {
    pub event_id: uuid::Uuid,
    pub order_id: i64,
    pub aggregate_seq: i64,
    pub subject: String,
    pub schema_version: i32,
    pub payload: Vec<u8>,
    pub traceparent: Option<String>,
}
pub struct PublishedEventBorrowed<'a> {
    pub event_id: uuid::Uuid,
    pub order_id: i64,
    pub aggregate_seq: i64,
    pub subject: &'a str,
    pub schema_version: i32,
    pub payload: &'a [u8],
    pub traceparent: Option<&'a str>,
}
impl<'a> From<PublishedEventBorrowed<'a>> for PublishedEvent {
    fn from(
        PublishedEventBorrowed {
            event_id,
            order_id,
            aggregate_seq,
            subject,
            schema_version,
            payload,
            traceparent,
        }: PublishedEventBorrowed<'a>,
    ) -> Self {
        Self {
            event_id,
            order_id,
            aggregate_seq,
            subject: subject.into(),
            schema_version,
            payload: payload.into(),
            traceparent: traceparent.map(|v| v.into()),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct ListActions {
    pub who: String,
    pub why: String,
    pub action: String,
    pub outcome: String,
    pub detail: String,
    pub created_at: time::OffsetDateTime,
}
pub struct ListActionsBorrowed<'a> {
    pub who: &'a str,
    pub why: &'a str,
    pub action: &'a str,
    pub outcome: &'a str,
    pub detail: &'a str,
    pub created_at: time::OffsetDateTime,
}
impl<'a> From<ListActionsBorrowed<'a>> for ListActions {
    fn from(
        ListActionsBorrowed {
            who,
            why,
            action,
            outcome,
            detail,
            created_at,
        }: ListActionsBorrowed<'a>,
    ) -> Self {
        Self {
            who: who.into(),
            why: why.into(),
            action: action.into(),
            outcome: outcome.into(),
            detail: detail.into(),
            created_at,
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct SagaRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<SagaRowBorrowed, tokio_postgres::Error>,
    mapper: fn(SagaRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> SagaRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(SagaRowBorrowed) -> R) -> SagaRowQuery<'c, 'a, 's, C, R, N> {
        SagaRowQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct SagaTimelineQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<SagaTimelineBorrowed, tokio_postgres::Error>,
    mapper: fn(SagaTimelineBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> SagaTimelineQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(SagaTimelineBorrowed) -> R,
    ) -> SagaTimelineQuery<'c, 'a, 's, C, R, N> {
        SagaTimelineQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct LetterRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LetterRowBorrowed, tokio_postgres::Error>,
    mapper: fn(LetterRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LetterRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(LetterRowBorrowed) -> R) -> LetterRowQuery<'c, 'a, 's, C, R, N> {
        LetterRowQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct LetterBodyQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LetterBodyBorrowed, tokio_postgres::Error>,
    mapper: fn(LetterBodyBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LetterBodyQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(LetterBodyBorrowed) -> R,
    ) -> LetterBodyQuery<'c, 'a, 's, C, R, N> {
        LetterBodyQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct UuidUuidQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<uuid::Uuid, tokio_postgres::Error>,
    mapper: fn(uuid::Uuid) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> UuidUuidQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(uuid::Uuid) -> R) -> UuidUuidQuery<'c, 'a, 's, C, R, N> {
        UuidUuidQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct OutboxStatusQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<OutboxStatus, tokio_postgres::Error>,
    mapper: fn(OutboxStatus) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> OutboxStatusQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(OutboxStatus) -> R) -> OutboxStatusQuery<'c, 'a, 's, C, R, N> {
        OutboxStatusQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct PublishedEventQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<PublishedEventBorrowed, tokio_postgres::Error>,
    mapper: fn(PublishedEventBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> PublishedEventQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(PublishedEventBorrowed) -> R,
    ) -> PublishedEventQuery<'c, 'a, 's, C, R, N> {
        PublishedEventQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct ListActionsQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<ListActionsBorrowed, tokio_postgres::Error>,
    mapper: fn(ListActionsBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> ListActionsQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(ListActionsBorrowed) -> R,
    ) -> ListActionsQuery<'c, 'a, 's, C, R, N> {
        ListActionsQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct ListOpenSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_open_sagas() -> ListOpenSagasStmt {
    ListOpenSagasStmt(
        "SELECT order_id, version, status, saga_state, step, details->'at'->>'step' AS stuck_at, CASE WHEN saga_state = 'STUCK' THEN details->>'reason' END AS stuck_reason, cancel_reason, extract(epoch FROM wake_at - now())::float8 AS wake_in_secs, created_at, updated_at FROM orders WHERE (wake_at IS NOT NULL OR saga_state = 'STUCK') AND ($1::text IS NULL OR saga_state = $1) AND ($2::text IS NULL OR step = $2 OR details->'at'->>'step' = $2) AND created_at <= now() - make_interval(secs => $3) ORDER BY order_id LIMIT $4",
        None,
    )
}
impl ListOpenSagasStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>(
        &'s self,
        client: &'c C,
        saga_state: &'a Option<T1>,
        step: &'a Option<T2>,
        age_secs: &'a f64,
        rows_max: &'a i64,
    ) -> SagaRowQuery<'c, 'a, 's, C, SagaRow, 4> {
        SagaRowQuery {
            client,
            params: [saga_state, step, age_secs, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<SagaRowBorrowed, tokio_postgres::Error> {
                    Ok(SagaRowBorrowed {
                        order_id: row.try_get(0)?,
                        version: row.try_get(1)?,
                        status: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        step: row.try_get(4)?,
                        stuck_at: row.try_get(5)?,
                        stuck_reason: row.try_get(6)?,
                        cancel_reason: row.try_get(7)?,
                        wake_in_secs: row.try_get(8)?,
                        created_at: row.try_get(9)?,
                        updated_at: row.try_get(10)?,
                    })
                },
            mapper: |it| SagaRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListOpenSagasParams<T1, T2>,
        SagaRowQuery<'c, 'a, 's, C, SagaRow, 4>,
        C,
    > for ListOpenSagasStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListOpenSagasParams<T1, T2>,
    ) -> SagaRowQuery<'c, 'a, 's, C, SagaRow, 4> {
        self.bind(
            client,
            &params.saga_state,
            &params.step,
            &params.age_secs,
            &params.rows_max,
        )
    }
}
pub struct ListEndedSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_ended_sagas() -> ListEndedSagasStmt {
    ListEndedSagasStmt(
        "SELECT order_id, version, status, saga_state, step, details->'at'->>'step' AS stuck_at, CASE WHEN saga_state = 'STUCK' THEN details->>'reason' END AS stuck_reason, cancel_reason, extract(epoch FROM wake_at - now())::float8 AS wake_in_secs, created_at, updated_at FROM orders WHERE saga_state = $1 AND ($2::text IS NULL OR step = $2) AND created_at <= now() - make_interval(secs => $3) ORDER BY order_id DESC LIMIT $4",
        None,
    )
}
impl ListEndedSagasStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>(
        &'s self,
        client: &'c C,
        saga_state: &'a T1,
        step: &'a Option<T2>,
        age_secs: &'a f64,
        rows_max: &'a i64,
    ) -> SagaRowQuery<'c, 'a, 's, C, SagaRow, 4> {
        SagaRowQuery {
            client,
            params: [saga_state, step, age_secs, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<SagaRowBorrowed, tokio_postgres::Error> {
                    Ok(SagaRowBorrowed {
                        order_id: row.try_get(0)?,
                        version: row.try_get(1)?,
                        status: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        step: row.try_get(4)?,
                        stuck_at: row.try_get(5)?,
                        stuck_reason: row.try_get(6)?,
                        cancel_reason: row.try_get(7)?,
                        wake_in_secs: row.try_get(8)?,
                        created_at: row.try_get(9)?,
                        updated_at: row.try_get(10)?,
                    })
                },
            mapper: |it| SagaRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListEndedSagasParams<T1, T2>,
        SagaRowQuery<'c, 'a, 's, C, SagaRow, 4>,
        C,
    > for ListEndedSagasStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListEndedSagasParams<T1, T2>,
    ) -> SagaRowQuery<'c, 'a, 's, C, SagaRow, 4> {
        self.bind(
            client,
            &params.saga_state,
            &params.step,
            &params.age_secs,
            &params.rows_max,
        )
    }
}
pub struct GetSagaStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn get_saga() -> GetSagaStmt {
    GetSagaStmt(
        "SELECT order_id, version, status, saga_state, step, details->'at'->>'step' AS stuck_at, CASE WHEN saga_state = 'STUCK' THEN details->>'reason' END AS stuck_reason, cancel_reason, extract(epoch FROM wake_at - now())::float8 AS wake_in_secs, created_at, updated_at FROM orders WHERE order_id = $1",
        None,
    )
}
impl GetSagaStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        order_id: &'a i64,
    ) -> SagaRowQuery<'c, 'a, 's, C, SagaRow, 1> {
        SagaRowQuery {
            client,
            params: [order_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<SagaRowBorrowed, tokio_postgres::Error> {
                    Ok(SagaRowBorrowed {
                        order_id: row.try_get(0)?,
                        version: row.try_get(1)?,
                        status: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        step: row.try_get(4)?,
                        stuck_at: row.try_get(5)?,
                        stuck_reason: row.try_get(6)?,
                        cancel_reason: row.try_get(7)?,
                        wake_in_secs: row.try_get(8)?,
                        created_at: row.try_get(9)?,
                        updated_at: row.try_get(10)?,
                    })
                },
            mapper: |it| SagaRow::from(it),
        }
    }
}
pub struct SagaTimelineStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn saga_timeline() -> SagaTimelineStmt {
    SagaTimelineStmt(
        "SELECT version, status, step, saga_state, cause, at FROM order_timeline WHERE order_id = $1 ORDER BY version",
        None,
    )
}
impl SagaTimelineStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        order_id: &'a i64,
    ) -> SagaTimelineQuery<'c, 'a, 's, C, SagaTimeline, 1> {
        SagaTimelineQuery {
            client,
            params: [order_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<SagaTimelineBorrowed, tokio_postgres::Error> {
                    Ok(SagaTimelineBorrowed {
                        version: row.try_get(0)?,
                        status: row.try_get(1)?,
                        step: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        cause: row.try_get(4)?,
                        at: row.try_get(5)?,
                    })
                },
            mapper: |it| SagaTimeline::from(it),
        }
    }
}
pub struct ListDeadLettersStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_dead_letters() -> ListDeadLettersStmt {
    ListDeadLettersStmt(
        "SELECT letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, reason, detail, delivered, payload_bytes, created_at, replayed_at, discarded_at, discarded_by FROM dead_letters WHERE $1 OR (replayed_at IS NULL AND discarded_at IS NULL) ORDER BY created_at DESC LIMIT $2",
        None,
    )
}
impl ListDeadLettersStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        everything: &'a bool,
        rows_max: &'a i64,
    ) -> LetterRowQuery<'c, 'a, 's, C, LetterRow, 2> {
        LetterRowQuery {
            client,
            params: [everything, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LetterRowBorrowed, tokio_postgres::Error> {
                    Ok(LetterRowBorrowed {
                        letter_id: row.try_get(0)?,
                        stream: row.try_get(1)?,
                        consumer: row.try_get(2)?,
                        subject: row.try_get(3)?,
                        event_id: row.try_get(4)?,
                        schema_version: row.try_get(5)?,
                        aggregate_seq: row.try_get(6)?,
                        reason: row.try_get(7)?,
                        detail: row.try_get(8)?,
                        delivered: row.try_get(9)?,
                        payload_bytes: row.try_get(10)?,
                        created_at: row.try_get(11)?,
                        replayed_at: row.try_get(12)?,
                        discarded_at: row.try_get(13)?,
                        discarded_by: row.try_get(14)?,
                    })
                },
            mapper: |it| LetterRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListDeadLettersParams,
        LetterRowQuery<'c, 'a, 's, C, LetterRow, 2>,
        C,
    > for ListDeadLettersStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListDeadLettersParams,
    ) -> LetterRowQuery<'c, 'a, 's, C, LetterRow, 2> {
        self.bind(client, &params.everything, &params.rows_max)
    }
}
pub struct GetDeadLetterStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn get_dead_letter() -> GetDeadLetterStmt {
    GetDeadLetterStmt(
        "SELECT letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, reason, detail, delivered, payload_bytes, created_at, replayed_at, discarded_at, discarded_by FROM dead_letters WHERE letter_id = $1",
        None,
    )
}
impl GetDeadLetterStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        letter_id: &'a uuid::Uuid,
    ) -> LetterRowQuery<'c, 'a, 's, C, LetterRow, 1> {
        LetterRowQuery {
            client,
            params: [letter_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LetterRowBorrowed, tokio_postgres::Error> {
                    Ok(LetterRowBorrowed {
                        letter_id: row.try_get(0)?,
                        stream: row.try_get(1)?,
                        consumer: row.try_get(2)?,
                        subject: row.try_get(3)?,
                        event_id: row.try_get(4)?,
                        schema_version: row.try_get(5)?,
                        aggregate_seq: row.try_get(6)?,
                        reason: row.try_get(7)?,
                        detail: row.try_get(8)?,
                        delivered: row.try_get(9)?,
                        payload_bytes: row.try_get(10)?,
                        created_at: row.try_get(11)?,
                        replayed_at: row.try_get(12)?,
                        discarded_at: row.try_get(13)?,
                        discarded_by: row.try_get(14)?,
                    })
                },
            mapper: |it| LetterRow::from(it),
        }
    }
}
pub struct DeadLetterBodyStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn dead_letter_body() -> DeadLetterBodyStmt {
    DeadLetterBodyStmt(
        "SELECT payload, traceparent FROM dead_letters WHERE letter_id = $1",
        None,
    )
}
impl DeadLetterBodyStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        letter_id: &'a uuid::Uuid,
    ) -> LetterBodyQuery<'c, 'a, 's, C, LetterBody, 1> {
        LetterBodyQuery {
            client,
            params: [letter_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LetterBodyBorrowed, tokio_postgres::Error> {
                    Ok(LetterBodyBorrowed {
                        payload: row.try_get(0)?,
                        traceparent: row.try_get(1)?,
                    })
                },
            mapper: |it| LetterBody::from(it),
        }
    }
}
pub struct BeginReplayStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn begin_replay() -> BeginReplayStmt {
    BeginReplayStmt(
        "WITH marked AS ( UPDATE dead_letters SET replayed_at = now() WHERE letter_id = $1 AND discarded_at IS NULL RETURNING letter_id ) INSERT INTO operator_actions (action_id, who, why, action, target, outcome) SELECT $2::uuid, $3::text, $4::text, 'dead-letter.replay', letter_id::text, 'STARTED' FROM marked RETURNING action_id",
        None,
    )
}
impl BeginReplayStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>(
        &'s self,
        client: &'c C,
        letter_id: &'a uuid::Uuid,
        action_id: &'a uuid::Uuid,
        who: &'a T1,
        why: &'a T2,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4> {
        UuidUuidQuery {
            client,
            params: [letter_id, action_id, who, why],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        BeginReplayParams<T1, T2>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4>,
        C,
    > for BeginReplayStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a BeginReplayParams<T1, T2>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4> {
        self.bind(
            client,
            &params.letter_id,
            &params.action_id,
            &params.who,
            &params.why,
        )
    }
}
pub struct UndoReplayStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn undo_replay() -> UndoReplayStmt {
    UndoReplayStmt(
        "UPDATE dead_letters SET replayed_at = NULL WHERE letter_id = $1 RETURNING letter_id",
        None,
    )
}
impl UndoReplayStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        letter_id: &'a uuid::Uuid,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 1> {
        UuidUuidQuery {
            client,
            params: [letter_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
pub struct DiscardDeadLetterStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn discard_dead_letter() -> DiscardDeadLetterStmt {
    DiscardDeadLetterStmt(
        "WITH discarded AS ( UPDATE dead_letters SET discarded_at = now(), discarded_by = $1 WHERE letter_id = $2 AND discarded_at IS NULL RETURNING letter_id ) INSERT INTO operator_actions (action_id, who, why, action, target, outcome, ended_at) SELECT $3::uuid, $1, $4::text, 'dead-letter.discard', letter_id::text, 'DONE', now() FROM discarded RETURNING action_id",
        None,
    )
}
impl DiscardDeadLetterStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>(
        &'s self,
        client: &'c C,
        who: &'a T1,
        letter_id: &'a uuid::Uuid,
        action_id: &'a uuid::Uuid,
        why: &'a T2,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4> {
        UuidUuidQuery {
            client,
            params: [who, letter_id, action_id, why],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        DiscardDeadLetterParams<T1, T2>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4>,
        C,
    > for DiscardDeadLetterStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a DiscardDeadLetterParams<T1, T2>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 4> {
        self.bind(
            client,
            &params.who,
            &params.letter_id,
            &params.action_id,
            &params.why,
        )
    }
}
pub struct OutboxStatusStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn outbox_status() -> OutboxStatusStmt {
    OutboxStatusStmt(
        "SELECT count(*) AS unpublished, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_secs, (SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL) AS open_letters FROM outbox WHERE published_at IS NULL",
        None,
    )
}
impl OutboxStatusStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
    ) -> OutboxStatusQuery<'c, 'a, 's, C, OutboxStatus, 0> {
        OutboxStatusQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<OutboxStatus, tokio_postgres::Error> {
                Ok(OutboxStatus {
                    unpublished: row.try_get(0)?,
                    oldest_secs: row.try_get(1)?,
                    open_letters: row.try_get(2)?,
                })
            },
            mapper: |it| OutboxStatus::from(it),
        }
    }
}
pub struct PublishedSinceStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn published_since() -> PublishedSinceStmt {
    PublishedSinceStmt(
        "SELECT event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent FROM outbox WHERE event_id > coalesce( $1::uuid, rpad(lpad(to_hex((extract(epoch FROM now() - make_interval(secs => $2)) * 1000)::bigint), 12, '0'), 32, '0')::uuid) AND published_at IS NOT NULL ORDER BY event_id LIMIT $3",
        None,
    )
}
impl PublishedSinceStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient>(
        &'s self,
        client: &'c C,
        after: &'a Option<uuid::Uuid>,
        since_secs: &'a f64,
        rows_max: &'a i64,
    ) -> PublishedEventQuery<'c, 'a, 's, C, PublishedEvent, 3> {
        PublishedEventQuery {
            client,
            params: [after, since_secs, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |
                row: &tokio_postgres::Row,
            | -> Result<PublishedEventBorrowed, tokio_postgres::Error> {
                Ok(PublishedEventBorrowed {
                    event_id: row.try_get(0)?,
                    order_id: row.try_get(1)?,
                    aggregate_seq: row.try_get(2)?,
                    subject: row.try_get(3)?,
                    schema_version: row.try_get(4)?,
                    payload: row.try_get(5)?,
                    traceparent: row.try_get(6)?,
                })
            },
            mapper: |it| PublishedEvent::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        PublishedSinceParams,
        PublishedEventQuery<'c, 'a, 's, C, PublishedEvent, 3>,
        C,
    > for PublishedSinceStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a PublishedSinceParams,
    ) -> PublishedEventQuery<'c, 'a, 's, C, PublishedEvent, 3> {
        self.bind(client, &params.after, &params.since_secs, &params.rows_max)
    }
}
pub struct BeginActionStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn begin_action() -> BeginActionStmt {
    BeginActionStmt(
        "INSERT INTO operator_actions (action_id, who, why, action, target, expected_version, outcome) VALUES ($1, $2, $3, $4, $5, $6, 'STARTED') RETURNING action_id",
        None,
    )
}
impl BeginActionStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<
        'c,
        'a,
        's,
        C: GenericClient,
        T1: crate::StringSql,
        T2: crate::StringSql,
        T3: crate::StringSql,
        T4: crate::StringSql,
    >(
        &'s self,
        client: &'c C,
        action_id: &'a uuid::Uuid,
        who: &'a T1,
        why: &'a T2,
        action: &'a T3,
        target: &'a T4,
        expected_version: &'a Option<i64>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        UuidUuidQuery {
            client,
            params: [action_id, who, why, action, target, expected_version],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::StringSql,
    T2: crate::StringSql,
    T3: crate::StringSql,
    T4: crate::StringSql,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        BeginActionParams<T1, T2, T3, T4>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6>,
        C,
    > for BeginActionStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a BeginActionParams<T1, T2, T3, T4>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        self.bind(
            client,
            &params.action_id,
            &params.who,
            &params.why,
            &params.action,
            &params.target,
            &params.expected_version,
        )
    }
}
pub struct EndActionStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn end_action() -> EndActionStmt {
    EndActionStmt(
        "UPDATE operator_actions SET outcome = $1, detail = $2, ended_at = now() WHERE action_id = $3 RETURNING action_id",
        None,
    )
}
impl EndActionStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>(
        &'s self,
        client: &'c C,
        outcome: &'a T1,
        detail: &'a T2,
        action_id: &'a uuid::Uuid,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        UuidUuidQuery {
            client,
            params: [outcome, detail, action_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        EndActionParams<T1, T2>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3>,
        C,
    > for EndActionStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a EndActionParams<T1, T2>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        self.bind(client, &params.outcome, &params.detail, &params.action_id)
    }
}
pub struct ListActionsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_actions() -> ListActionsStmt {
    ListActionsStmt(
        "SELECT who, why, action, outcome, detail, created_at FROM ( SELECT * FROM operator_actions WHERE target = $1 ORDER BY created_at DESC LIMIT $2 ) newest ORDER BY created_at",
        None,
    )
}
impl ListActionsStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>(
        &'s self,
        client: &'c C,
        target: &'a T1,
        rows_max: &'a i64,
    ) -> ListActionsQuery<'c, 'a, 's, C, ListActions, 2> {
        ListActionsQuery {
            client,
            params: [target, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<ListActionsBorrowed, tokio_postgres::Error> {
                    Ok(ListActionsBorrowed {
                        who: row.try_get(0)?,
                        why: row.try_get(1)?,
                        action: row.try_get(2)?,
                        outcome: row.try_get(3)?,
                        detail: row.try_get(4)?,
                        created_at: row.try_get(5)?,
                    })
                },
            mapper: |it| ListActions::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListActionsParams<T1>,
        ListActionsQuery<'c, 'a, 's, C, ListActions, 2>,
        C,
    > for ListActionsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListActionsParams<T1>,
    ) -> ListActionsQuery<'c, 'a, 's, C, ListActions, 2> {
        self.bind(client, &params.target, &params.rows_max)
    }
}
