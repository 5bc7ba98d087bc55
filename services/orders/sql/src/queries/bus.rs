// This file was generated with `clorinde`. Do not modify.

#[derive(Clone, Copy, Debug)]
pub struct ClaimOutboxParams {
    pub lease_secs: f64,
    pub min_age_secs: f64,
    pub rows_max: i64,
}
#[derive(Debug)]
pub struct InsertDeadLetterParams<
    T1: crate::StringSql,
    T2: crate::StringSql,
    T3: crate::StringSql,
    T4: crate::StringSql,
    T5: crate::StringSql,
    T6: crate::StringSql,
    T7: crate::BytesSql,
> {
    pub letter_id: uuid::Uuid,
    pub stream: T1,
    pub consumer: T2,
    pub subject: T3,
    pub event_id: Option<uuid::Uuid>,
    pub schema_version: Option<i32>,
    pub aggregate_seq: Option<i64>,
    pub traceparent: Option<T4>,
    pub reason: T5,
    pub detail: T6,
    pub delivered: i64,
    pub payload: T7,
    pub payload_bytes: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedEvent {
    pub event_id: uuid::Uuid,
    pub order_id: i64,
    pub aggregate_seq: i64,
    pub subject: String,
    pub schema_version: i32,
    pub payload: Vec<u8>,
    pub traceparent: Option<String>,
}
pub struct ClaimedEventBorrowed<'a> {
    pub event_id: uuid::Uuid,
    pub order_id: i64,
    pub aggregate_seq: i64,
    pub subject: &'a str,
    pub schema_version: i32,
    pub payload: &'a [u8],
    pub traceparent: Option<&'a str>,
}
impl<'a> From<ClaimedEventBorrowed<'a>> for ClaimedEvent {
    fn from(
        ClaimedEventBorrowed {
            event_id,
            order_id,
            aggregate_seq,
            subject,
            schema_version,
            payload,
            traceparent,
        }: ClaimedEventBorrowed<'a>,
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
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct ClaimedEventQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<ClaimedEventBorrowed, tokio_postgres::Error>,
    mapper: fn(ClaimedEventBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> ClaimedEventQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(ClaimedEventBorrowed) -> R,
    ) -> ClaimedEventQuery<'c, 'a, 's, C, R, N> {
        ClaimedEventQuery {
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
pub struct ClaimOutboxStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn claim_outbox() -> ClaimOutboxStmt {
    ClaimOutboxStmt(
        "UPDATE outbox SET claimed_until = now() + make_interval(secs => $1) WHERE event_id IN ( SELECT event_id FROM outbox WHERE published_at IS NULL AND created_at < now() - make_interval(secs => $2) AND (claimed_until IS NULL OR claimed_until < now()) ORDER BY created_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) RETURNING event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent",
        None,
    )
}
impl ClaimOutboxStmt {
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
        lease_secs: &'a f64,
        min_age_secs: &'a f64,
        rows_max: &'a i64,
    ) -> ClaimedEventQuery<'c, 'a, 's, C, ClaimedEvent, 3> {
        ClaimedEventQuery {
            client,
            params: [lease_secs, min_age_secs, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<ClaimedEventBorrowed, tokio_postgres::Error> {
                    Ok(ClaimedEventBorrowed {
                        event_id: row.try_get(0)?,
                        order_id: row.try_get(1)?,
                        aggregate_seq: row.try_get(2)?,
                        subject: row.try_get(3)?,
                        schema_version: row.try_get(4)?,
                        payload: row.try_get(5)?,
                        traceparent: row.try_get(6)?,
                    })
                },
            mapper: |it| ClaimedEvent::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ClaimOutboxParams,
        ClaimedEventQuery<'c, 'a, 's, C, ClaimedEvent, 3>,
        C,
    > for ClaimOutboxStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ClaimOutboxParams,
    ) -> ClaimedEventQuery<'c, 'a, 's, C, ClaimedEvent, 3> {
        self.bind(
            client,
            &params.lease_secs,
            &params.min_age_secs,
            &params.rows_max,
        )
    }
}
pub struct InsertDeadLetterStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn insert_dead_letter() -> InsertDeadLetterStmt {
    InsertDeadLetterStmt(
        "INSERT INTO dead_letters (letter_id, stream, consumer, subject, event_id, schema_version, aggregate_seq, traceparent, reason, detail, delivered, payload, payload_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (letter_id) DO UPDATE SET replayed_at = NULL, reason = EXCLUDED.reason, detail = EXCLUDED.detail, delivered = EXCLUDED.delivered RETURNING letter_id",
        None,
    )
}
impl InsertDeadLetterStmt {
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
        T5: crate::StringSql,
        T6: crate::StringSql,
        T7: crate::BytesSql,
    >(
        &'s self,
        client: &'c C,
        letter_id: &'a uuid::Uuid,
        stream: &'a T1,
        consumer: &'a T2,
        subject: &'a T3,
        event_id: &'a Option<uuid::Uuid>,
        schema_version: &'a Option<i32>,
        aggregate_seq: &'a Option<i64>,
        traceparent: &'a Option<T4>,
        reason: &'a T5,
        detail: &'a T6,
        delivered: &'a i64,
        payload: &'a T7,
        payload_bytes: &'a i64,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 13> {
        UuidUuidQuery {
            client,
            params: [
                letter_id,
                stream,
                consumer,
                subject,
                event_id,
                schema_version,
                aggregate_seq,
                traceparent,
                reason,
                detail,
                delivered,
                payload,
                payload_bytes,
            ],
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
    T5: crate::StringSql,
    T6: crate::StringSql,
    T7: crate::BytesSql,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        InsertDeadLetterParams<T1, T2, T3, T4, T5, T6, T7>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 13>,
        C,
    > for InsertDeadLetterStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a InsertDeadLetterParams<T1, T2, T3, T4, T5, T6, T7>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 13> {
        self.bind(
            client,
            &params.letter_id,
            &params.stream,
            &params.consumer,
            &params.subject,
            &params.event_id,
            &params.schema_version,
            &params.aggregate_seq,
            &params.traceparent,
            &params.reason,
            &params.detail,
            &params.delivered,
            &params.payload,
            &params.payload_bytes,
        )
    }
}
