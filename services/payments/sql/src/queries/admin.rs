// This file was generated with `clorinde`. Do not modify.

#[derive(Clone, Copy, Debug)]
pub struct BringLookUpsForwardParams {
    pub call_secs: f64,
    pub watched_look_ups_max: i32,
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
pub struct BringLookUpsForwardStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn bring_look_ups_forward() -> BringLookUpsForwardStmt {
    BringLookUpsForwardStmt(
        "WITH waiting AS MATERIALIZED ( SELECT p.payment_id FROM payments p JOIN payment_attempts a ON a.payment_id = p.payment_id AND a.attempt = p.attempt WHERE p.wake_at > now() AND (   (p.state = 'UNKNOWN' AND (a.state = 'UNKNOWN' OR a.started_at < now() - make_interval(secs => $1))) OR (p.state = 'VOIDED' AND NOT p.late_capture AND p.look_ups < $2)) ORDER BY p.wake_at LIMIT $3 FOR NO KEY UPDATE OF p SKIP LOCKED ) UPDATE payments p SET wake_at = now() FROM waiting WHERE p.payment_id = waiting.payment_id RETURNING p.payment_id",
        None,
    )
}
impl BringLookUpsForwardStmt {
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
        call_secs: &'a f64,
        watched_look_ups_max: &'a i32,
        rows_max: &'a i64,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        UuidUuidQuery {
            client,
            params: [call_secs, watched_look_ups_max, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        BringLookUpsForwardParams,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3>,
        C,
    > for BringLookUpsForwardStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a BringLookUpsForwardParams,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        self.bind(
            client,
            &params.call_secs,
            &params.watched_look_ups_max,
            &params.rows_max,
        )
    }
}
pub struct PaymentOfOrderStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn payment_of_order() -> PaymentOfOrderStmt {
    PaymentOfOrderStmt("SELECT payment_id FROM payments WHERE order_id = $1", None)
}
impl PaymentOfOrderStmt {
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
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 1> {
        UuidUuidQuery {
            client,
            params: [order_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
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
