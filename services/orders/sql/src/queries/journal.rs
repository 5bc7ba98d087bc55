// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct CommitBatchParams<
    T1: crate::ArraySql<Item = i64>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
    T12: crate::StringSql,
    T13: crate::ArraySql<Item = T12>,
    T14: crate::StringSql,
    T15: crate::ArraySql<Item = T14>,
    T16: crate::ArraySql<Item = bool>,
    T17: crate::ArraySql<Item = Option<f64>>,
    T18: crate::ArraySql<Item = Option<i64>>,
    T19: crate::StringSql,
    T20: crate::ArraySql<Item = Option<T19>>,
    T21: crate::StringSql,
    T22: crate::ArraySql<Item = Option<T21>>,
    T23: crate::ArraySql<Item = i64>,
    T24: crate::ArraySql<Item = uuid::Uuid>,
    T25: crate::StringSql,
    T26: crate::ArraySql<Item = T25>,
    T27: crate::StringSql,
    T28: crate::ArraySql<Item = T27>,
    T29: crate::StringSql,
    T30: crate::ArraySql<Item = Option<T29>>,
    T31: crate::StringSql,
    T32: crate::ArraySql<Item = Option<T31>>,
    T33: crate::BytesSql,
    T34: crate::ArraySql<Item = Option<T33>>,
    T35: crate::ArraySql<Item = i64>,
    T36: crate::ArraySql<Item = uuid::Uuid>,
    T37: crate::StringSql,
    T38: crate::ArraySql<Item = T37>,
    T39: crate::ArraySql<Item = i32>,
    T40: crate::BytesSql,
    T41: crate::ArraySql<Item = T40>,
    T42: crate::StringSql,
    T43: crate::ArraySql<Item = Option<T42>>,
    T44: crate::ArraySql<Item = uuid::Uuid>,
> {
    pub order_ids: T1,
    pub versions: T2,
    pub write_ids: T3,
    pub statuses: T5,
    pub saga_states: T7,
    pub steps: T9,
    pub cancel_reasons: T11,
    pub details: T13,
    pub causes: T15,
    pub wake_moves: T16,
    pub wake_secs: T17,
    pub total_cents: T18,
    pub currencies: T20,
    pub quotes: T22,
    pub accept_ordinals: T23,
    pub customer_ids: T24,
    pub payment_methods: T26,
    pub lines: T28,
    pub traceparents: T30,
    pub keys: T32,
    pub fingerprints: T34,
    pub event_ordinals: T35,
    pub event_ids: T36,
    pub subjects: T38,
    pub schema_versions: T39,
    pub payloads: T41,
    pub event_traceparents: T43,
    pub published_ids: T44,
}
#[derive(Debug)]
pub struct ReadLostParams<
    T1: crate::ArraySql<Item = i64>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = Option<uuid::Uuid>>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = Option<T4>>,
> {
    pub order_ids: T1,
    pub versions: T2,
    pub customer_ids: T3,
    pub keys: T5,
}
#[derive(Debug, Clone, PartialEq)]
pub struct CommitBatch {
    pub at: time::OffsetDateTime,
    pub won: Vec<i64>,
    pub busy: Vec<i64>,
}
pub struct CommitBatchBorrowed<'a> {
    pub at: time::OffsetDateTime,
    pub won: crate::ArrayIterator<'a, i64>,
    pub busy: crate::ArrayIterator<'a, i64>,
}
impl<'a> From<CommitBatchBorrowed<'a>> for CommitBatch {
    fn from(CommitBatchBorrowed { at, won, busy }: CommitBatchBorrowed<'a>) -> Self {
        Self {
            at,
            won: won.map(|v| v).collect(),
            busy: busy.map(|v| v).collect(),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct LostEntry {
    pub ordinal: i64,
    pub write_id: Option<uuid::Uuid>,
    pub at: Option<time::OffsetDateTime>,
    pub key_order_id: Option<i64>,
    pub fingerprint: Option<Vec<u8>>,
}
pub struct LostEntryBorrowed<'a> {
    pub ordinal: i64,
    pub write_id: Option<uuid::Uuid>,
    pub at: Option<time::OffsetDateTime>,
    pub key_order_id: Option<i64>,
    pub fingerprint: Option<&'a [u8]>,
}
impl<'a> From<LostEntryBorrowed<'a>> for LostEntry {
    fn from(
        LostEntryBorrowed {
            ordinal,
            write_id,
            at,
            key_order_id,
            fingerprint,
        }: LostEntryBorrowed<'a>,
    ) -> Self {
        Self {
            ordinal,
            write_id,
            at,
            key_order_id,
            fingerprint: fingerprint.map(|v| v.into()),
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct CommitBatchQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<CommitBatchBorrowed, tokio_postgres::Error>,
    mapper: fn(CommitBatchBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> CommitBatchQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(CommitBatchBorrowed) -> R,
    ) -> CommitBatchQuery<'c, 'a, 's, C, R, N> {
        CommitBatchQuery {
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
pub struct LostEntryQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LostEntryBorrowed, tokio_postgres::Error>,
    mapper: fn(LostEntryBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LostEntryQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(LostEntryBorrowed) -> R) -> LostEntryQuery<'c, 'a, 's, C, R, N> {
        LostEntryQuery {
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
pub struct CommitBatchStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn commit_batch() -> CommitBatchStmt {
    CommitBatchStmt(
        "WITH entry AS MATERIALIZED ( SELECT * FROM unnest( $1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bool[], $11::float8[], $12::bigint[], $13::text[], $14::text[]) WITH ORDINALITY AS e ( order_id, version, write_id, status, saga_state, step, cancel_reason, details, cause, wake_moves, wake_secs, total_cents, currency, quote, ordinal) ), accept AS MATERIALIZED ( SELECT * FROM unnest( $15::bigint[], $16::uuid[], $17::text[], $18::text[], $19::text[], $20::text[], $21::bytea[]) AS a (ordinal, customer_id, payment_method, lines, traceparent, key, fingerprint) ), won_key AS ( INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, write_id) SELECT a.customer_id, a.key, a.fingerprint, e.order_id, e.write_id FROM accept a JOIN entry e USING (ordinal) WHERE a.key IS NOT NULL ORDER BY a.customer_id, a.key COLLATE \"C\" ON CONFLICT (customer_id, key) DO NOTHING RETURNING order_id ), accepted AS ( INSERT INTO orders (order_id, customer_id, payment_method, traceparent, lines, version, status, saga_state, step, cancel_reason, details, wake_at) SELECT e.order_id, a.customer_id, a.payment_method, a.traceparent, a.lines::jsonb, e.version, e.status, e.saga_state, e.step, e.cancel_reason, e.details::jsonb, now() + make_interval(secs => e.wake_secs) FROM accept a JOIN entry e USING (ordinal) WHERE a.key IS NULL OR e.order_id IN (SELECT order_id FROM won_key) ORDER BY e.order_id ON CONFLICT (order_id) DO NOTHING RETURNING order_id ), locked AS MATERIALIZED ( SELECT o.order_id FROM entry e JOIN orders o USING (order_id) WHERE e.version > 1 ORDER BY o.order_id FOR NO KEY UPDATE OF o SKIP LOCKED ), moved AS ( UPDATE orders o SET version = e.version, status = e.status, saga_state = e.saga_state, step = e.step, cancel_reason = e.cancel_reason, details = e.details::jsonb, total_cents = coalesce(e.total_cents, o.total_cents), currency = coalesce(e.currency, o.currency), quote = coalesce(e.quote::jsonb, o.quote), wake_at = CASE WHEN e.wake_moves THEN now() + make_interval(secs => e.wake_secs) ELSE o.wake_at END, updated_at = now() FROM entry e JOIN locked l USING (order_id) WHERE o.order_id = e.order_id AND o.version = e.version - 1 RETURNING e.ordinal ), won AS MATERIALIZED ( SELECT ordinal FROM moved UNION ALL SELECT e.ordinal FROM accepted a JOIN entry e USING (order_id) ), history AS ( INSERT INTO order_timeline (order_id, version, status, step, saga_state, cause, write_id) SELECT e.order_id, e.version, e.status, e.step, e.saga_state, e.cause, e.write_id FROM won JOIN entry e USING (ordinal) ), events AS ( INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent) SELECT v.event_id, e.order_id, e.version, v.subject, v.schema_version, v.payload, v.traceparent FROM unnest( $22::bigint[], $23::uuid[], $24::text[], $25::int[], $26::bytea[], $27::text[]) AS v (ordinal, event_id, subject, schema_version, payload, traceparent) JOIN won USING (ordinal) JOIN entry e USING (ordinal) ), marked AS ( UPDATE outbox o SET published_at = now() FROM ( SELECT event_id FROM outbox WHERE event_id = ANY($28::uuid[]) ORDER BY event_id FOR NO KEY UPDATE SKIP LOCKED ) held WHERE o.event_id = held.event_id ) SELECT now() AS at, ARRAY(SELECT ordinal FROM won) AS won, ARRAY( SELECT e.ordinal FROM entry e WHERE e.version > 1 AND NOT EXISTS (SELECT FROM locked l WHERE l.order_id = e.order_id) AND EXISTS (SELECT FROM orders o WHERE o.order_id = e.order_id) ) AS busy",
        None,
    )
}
impl CommitBatchStmt {
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
        T1: crate::ArraySql<Item = i64>,
        T2: crate::ArraySql<Item = i64>,
        T3: crate::ArraySql<Item = uuid::Uuid>,
        T4: crate::StringSql,
        T5: crate::ArraySql<Item = T4>,
        T6: crate::StringSql,
        T7: crate::ArraySql<Item = T6>,
        T8: crate::StringSql,
        T9: crate::ArraySql<Item = T8>,
        T10: crate::StringSql,
        T11: crate::ArraySql<Item = Option<T10>>,
        T12: crate::StringSql,
        T13: crate::ArraySql<Item = T12>,
        T14: crate::StringSql,
        T15: crate::ArraySql<Item = T14>,
        T16: crate::ArraySql<Item = bool>,
        T17: crate::ArraySql<Item = Option<f64>>,
        T18: crate::ArraySql<Item = Option<i64>>,
        T19: crate::StringSql,
        T20: crate::ArraySql<Item = Option<T19>>,
        T21: crate::StringSql,
        T22: crate::ArraySql<Item = Option<T21>>,
        T23: crate::ArraySql<Item = i64>,
        T24: crate::ArraySql<Item = uuid::Uuid>,
        T25: crate::StringSql,
        T26: crate::ArraySql<Item = T25>,
        T27: crate::StringSql,
        T28: crate::ArraySql<Item = T27>,
        T29: crate::StringSql,
        T30: crate::ArraySql<Item = Option<T29>>,
        T31: crate::StringSql,
        T32: crate::ArraySql<Item = Option<T31>>,
        T33: crate::BytesSql,
        T34: crate::ArraySql<Item = Option<T33>>,
        T35: crate::ArraySql<Item = i64>,
        T36: crate::ArraySql<Item = uuid::Uuid>,
        T37: crate::StringSql,
        T38: crate::ArraySql<Item = T37>,
        T39: crate::ArraySql<Item = i32>,
        T40: crate::BytesSql,
        T41: crate::ArraySql<Item = T40>,
        T42: crate::StringSql,
        T43: crate::ArraySql<Item = Option<T42>>,
        T44: crate::ArraySql<Item = uuid::Uuid>,
    >(
        &'s self,
        client: &'c C,
        order_ids: &'a T1,
        versions: &'a T2,
        write_ids: &'a T3,
        statuses: &'a T5,
        saga_states: &'a T7,
        steps: &'a T9,
        cancel_reasons: &'a T11,
        details: &'a T13,
        causes: &'a T15,
        wake_moves: &'a T16,
        wake_secs: &'a T17,
        total_cents: &'a T18,
        currencies: &'a T20,
        quotes: &'a T22,
        accept_ordinals: &'a T23,
        customer_ids: &'a T24,
        payment_methods: &'a T26,
        lines: &'a T28,
        traceparents: &'a T30,
        keys: &'a T32,
        fingerprints: &'a T34,
        event_ordinals: &'a T35,
        event_ids: &'a T36,
        subjects: &'a T38,
        schema_versions: &'a T39,
        payloads: &'a T41,
        event_traceparents: &'a T43,
        published_ids: &'a T44,
    ) -> CommitBatchQuery<'c, 'a, 's, C, CommitBatch, 28> {
        CommitBatchQuery {
            client,
            params: [
                order_ids,
                versions,
                write_ids,
                statuses,
                saga_states,
                steps,
                cancel_reasons,
                details,
                causes,
                wake_moves,
                wake_secs,
                total_cents,
                currencies,
                quotes,
                accept_ordinals,
                customer_ids,
                payment_methods,
                lines,
                traceparents,
                keys,
                fingerprints,
                event_ordinals,
                event_ids,
                subjects,
                schema_versions,
                payloads,
                event_traceparents,
                published_ids,
            ],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<CommitBatchBorrowed, tokio_postgres::Error> {
                    Ok(CommitBatchBorrowed {
                        at: row.try_get(0)?,
                        won: row.try_get(1)?,
                        busy: row.try_get(2)?,
                    })
                },
            mapper: |it| CommitBatch::from(it),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::ArraySql<Item = i64>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
    T12: crate::StringSql,
    T13: crate::ArraySql<Item = T12>,
    T14: crate::StringSql,
    T15: crate::ArraySql<Item = T14>,
    T16: crate::ArraySql<Item = bool>,
    T17: crate::ArraySql<Item = Option<f64>>,
    T18: crate::ArraySql<Item = Option<i64>>,
    T19: crate::StringSql,
    T20: crate::ArraySql<Item = Option<T19>>,
    T21: crate::StringSql,
    T22: crate::ArraySql<Item = Option<T21>>,
    T23: crate::ArraySql<Item = i64>,
    T24: crate::ArraySql<Item = uuid::Uuid>,
    T25: crate::StringSql,
    T26: crate::ArraySql<Item = T25>,
    T27: crate::StringSql,
    T28: crate::ArraySql<Item = T27>,
    T29: crate::StringSql,
    T30: crate::ArraySql<Item = Option<T29>>,
    T31: crate::StringSql,
    T32: crate::ArraySql<Item = Option<T31>>,
    T33: crate::BytesSql,
    T34: crate::ArraySql<Item = Option<T33>>,
    T35: crate::ArraySql<Item = i64>,
    T36: crate::ArraySql<Item = uuid::Uuid>,
    T37: crate::StringSql,
    T38: crate::ArraySql<Item = T37>,
    T39: crate::ArraySql<Item = i32>,
    T40: crate::BytesSql,
    T41: crate::ArraySql<Item = T40>,
    T42: crate::StringSql,
    T43: crate::ArraySql<Item = Option<T42>>,
    T44: crate::ArraySql<Item = uuid::Uuid>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        CommitBatchParams<
            T1,
            T2,
            T3,
            T4,
            T5,
            T6,
            T7,
            T8,
            T9,
            T10,
            T11,
            T12,
            T13,
            T14,
            T15,
            T16,
            T17,
            T18,
            T19,
            T20,
            T21,
            T22,
            T23,
            T24,
            T25,
            T26,
            T27,
            T28,
            T29,
            T30,
            T31,
            T32,
            T33,
            T34,
            T35,
            T36,
            T37,
            T38,
            T39,
            T40,
            T41,
            T42,
            T43,
            T44,
        >,
        CommitBatchQuery<'c, 'a, 's, C, CommitBatch, 28>,
        C,
    > for CommitBatchStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a CommitBatchParams<
            T1,
            T2,
            T3,
            T4,
            T5,
            T6,
            T7,
            T8,
            T9,
            T10,
            T11,
            T12,
            T13,
            T14,
            T15,
            T16,
            T17,
            T18,
            T19,
            T20,
            T21,
            T22,
            T23,
            T24,
            T25,
            T26,
            T27,
            T28,
            T29,
            T30,
            T31,
            T32,
            T33,
            T34,
            T35,
            T36,
            T37,
            T38,
            T39,
            T40,
            T41,
            T42,
            T43,
            T44,
        >,
    ) -> CommitBatchQuery<'c, 'a, 's, C, CommitBatch, 28> {
        self.bind(
            client,
            &params.order_ids,
            &params.versions,
            &params.write_ids,
            &params.statuses,
            &params.saga_states,
            &params.steps,
            &params.cancel_reasons,
            &params.details,
            &params.causes,
            &params.wake_moves,
            &params.wake_secs,
            &params.total_cents,
            &params.currencies,
            &params.quotes,
            &params.accept_ordinals,
            &params.customer_ids,
            &params.payment_methods,
            &params.lines,
            &params.traceparents,
            &params.keys,
            &params.fingerprints,
            &params.event_ordinals,
            &params.event_ids,
            &params.subjects,
            &params.schema_versions,
            &params.payloads,
            &params.event_traceparents,
            &params.published_ids,
        )
    }
}
pub struct ReadLostStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn read_lost() -> ReadLostStmt {
    ReadLostStmt(
        "SELECT l.ordinal, t.write_id, t.at, k.order_id AS key_order_id, k.fingerprint FROM unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::text[]) WITH ORDINALITY AS l (order_id, version, customer_id, key, ordinal) LEFT JOIN order_timeline t ON t.order_id = l.order_id AND t.version = l.version LEFT JOIN idempotency_keys k ON k.customer_id = l.customer_id AND k.key = l.key",
        None,
    )
}
impl ReadLostStmt {
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
        T1: crate::ArraySql<Item = i64>,
        T2: crate::ArraySql<Item = i64>,
        T3: crate::ArraySql<Item = Option<uuid::Uuid>>,
        T4: crate::StringSql,
        T5: crate::ArraySql<Item = Option<T4>>,
    >(
        &'s self,
        client: &'c C,
        order_ids: &'a T1,
        versions: &'a T2,
        customer_ids: &'a T3,
        keys: &'a T5,
    ) -> LostEntryQuery<'c, 'a, 's, C, LostEntry, 4> {
        LostEntryQuery {
            client,
            params: [order_ids, versions, customer_ids, keys],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LostEntryBorrowed, tokio_postgres::Error> {
                    Ok(LostEntryBorrowed {
                        ordinal: row.try_get(0)?,
                        write_id: row.try_get(1)?,
                        at: row.try_get(2)?,
                        key_order_id: row.try_get(3)?,
                        fingerprint: row.try_get(4)?,
                    })
                },
            mapper: |it| LostEntry::from(it),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::ArraySql<Item = i64>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = Option<uuid::Uuid>>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = Option<T4>>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ReadLostParams<T1, T2, T3, T4, T5>,
        LostEntryQuery<'c, 'a, 's, C, LostEntry, 4>,
        C,
    > for ReadLostStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ReadLostParams<T1, T2, T3, T4, T5>,
    ) -> LostEntryQuery<'c, 'a, 's, C, LostEntry, 4> {
        self.bind(
            client,
            &params.order_ids,
            &params.versions,
            &params.customer_ids,
            &params.keys,
        )
    }
}
