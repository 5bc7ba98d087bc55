// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct WriteBatchParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = Option<T6>>,
    T8: crate::ArraySql<Item = bool>,
    T9: crate::ArraySql<Item = i32>,
    T10: crate::ArraySql<Item = i32>,
    T11: crate::ArraySql<Item = i32>,
    T12: crate::ArraySql<Item = bool>,
    T13: crate::StringSql,
    T14: crate::ArraySql<Item = T13>,
    T15: crate::ArraySql<Item = i32>,
    T16: crate::ArraySql<Item = i32>,
    T17: crate::ArraySql<Item = i32>,
    T18: crate::ArraySql<Item = f64>,
    T19: crate::ArraySql<Item = i64>,
    T20: crate::ArraySql<Item = i64>,
    T21: crate::StringSql,
    T22: crate::ArraySql<Item = T21>,
    T23: crate::StringSql,
    T24: crate::ArraySql<Item = T23>,
    T25: crate::StringSql,
    T26: crate::ArraySql<Item = Option<T25>>,
    T27: crate::ArraySql<Item = uuid::Uuid>,
    T28: crate::ArraySql<Item = i64>,
    T29: crate::ArraySql<Item = uuid::Uuid>,
    T30: crate::ArraySql<Item = i32>,
    T31: crate::StringSql,
    T32: crate::ArraySql<Item = T31>,
    T33: crate::ArraySql<Item = i64>,
    T34: crate::ArraySql<Item = uuid::Uuid>,
    T35: crate::ArraySql<Item = uuid::Uuid>,
    T36: crate::ArraySql<Item = i32>,
    T37: crate::ArraySql<Item = i64>,
    T38: crate::StringSql,
    T39: crate::ArraySql<Item = T38>,
    T40: crate::StringSql,
    T41: crate::ArraySql<Item = Option<T40>>,
    T42: crate::ArraySql<Item = i64>,
    T43: crate::ArraySql<Item = uuid::Uuid>,
    T44: crate::ArraySql<Item = i64>,
    T45: crate::ArraySql<Item = i64>,
    T46: crate::StringSql,
    T47: crate::ArraySql<Item = T46>,
    T48: crate::ArraySql<Item = i32>,
    T49: crate::BytesSql,
    T50: crate::ArraySql<Item = T49>,
    T51: crate::StringSql,
    T52: crate::ArraySql<Item = Option<T51>>,
    T53: crate::ArraySql<Item = uuid::Uuid>,
> {
    pub payment_ids: T1,
    pub bases: T2,
    pub write_ids: T3,
    pub states: T5,
    pub reasons: T7,
    pub void_requested: T8,
    pub attempts: T9,
    pub attempts_left: T10,
    pub look_ups: T11,
    pub late_captures: T12,
    pub refund_states: T14,
    pub refund_attempts: T15,
    pub refund_tries: T16,
    pub wake_modes: T17,
    pub wake_secs: T18,
    pub order_ids: T19,
    pub amounts_cents: T20,
    pub currencies: T22,
    pub payment_methods: T24,
    pub traceparents: T26,
    pub locks: T27,
    pub attempt_ordinals: T28,
    pub attempt_payment_ids: T29,
    pub attempt_numbers: T30,
    pub attempt_states: T32,
    pub refund_ordinals: T33,
    pub refund_ids: T34,
    pub refund_payment_ids: T35,
    pub refund_numbers: T36,
    pub refund_amounts_cents: T37,
    pub refund_record_states: T39,
    pub refund_reasons: T41,
    pub event_ordinals: T42,
    pub event_ids: T43,
    pub event_order_ids: T44,
    pub event_seqs: T45,
    pub event_subjects: T47,
    pub event_schema_versions: T48,
    pub event_payloads: T50,
    pub event_traceparents: T52,
    pub published_ids: T53,
}
#[derive(Debug)]
pub struct FindPaymentsParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
> {
    pub payment_ids: T1,
    pub order_ids: T2,
}
#[derive(Clone, Copy, Debug)]
pub struct ClaimDueParams {
    pub charges_max: i64,
    pub look_ups_max: i64,
    pub refunds_max: i64,
    pub lease_secs: f64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentRow {
    pub payment_id: uuid::Uuid,
    pub order_id: i64,
    pub amount_cents: i64,
    pub version: i64,
    pub write_id: uuid::Uuid,
    pub attempt: i32,
    pub attempts_left: i32,
    pub look_ups: i32,
    pub refund_attempt: i32,
    pub refund_tries: i32,
    pub void_requested: bool,
    pub late_capture: bool,
    pub state: String,
    pub refund_state: String,
    pub currency: String,
    pub payment_method: String,
    pub reason: Option<String>,
    pub traceparent: Option<String>,
}
pub struct PaymentRowBorrowed<'a> {
    pub payment_id: uuid::Uuid,
    pub order_id: i64,
    pub amount_cents: i64,
    pub version: i64,
    pub write_id: uuid::Uuid,
    pub attempt: i32,
    pub attempts_left: i32,
    pub look_ups: i32,
    pub refund_attempt: i32,
    pub refund_tries: i32,
    pub void_requested: bool,
    pub late_capture: bool,
    pub state: &'a str,
    pub refund_state: &'a str,
    pub currency: &'a str,
    pub payment_method: &'a str,
    pub reason: Option<&'a str>,
    pub traceparent: Option<&'a str>,
}
impl<'a> From<PaymentRowBorrowed<'a>> for PaymentRow {
    fn from(
        PaymentRowBorrowed {
            payment_id,
            order_id,
            amount_cents,
            version,
            write_id,
            attempt,
            attempts_left,
            look_ups,
            refund_attempt,
            refund_tries,
            void_requested,
            late_capture,
            state,
            refund_state,
            currency,
            payment_method,
            reason,
            traceparent,
        }: PaymentRowBorrowed<'a>,
    ) -> Self {
        Self {
            payment_id,
            order_id,
            amount_cents,
            version,
            write_id,
            attempt,
            attempts_left,
            look_ups,
            refund_attempt,
            refund_tries,
            void_requested,
            late_capture,
            state: state.into(),
            refund_state: refund_state.into(),
            currency: currency.into(),
            payment_method: payment_method.into(),
            reason: reason.map(|v| v.into()),
            traceparent: traceparent.map(|v| v.into()),
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct I64Query<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<i64, tokio_postgres::Error>,
    mapper: fn(i64) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> I64Query<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(i64) -> R) -> I64Query<'c, 'a, 's, C, R, N> {
        I64Query {
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
pub struct PaymentRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<PaymentRowBorrowed, tokio_postgres::Error>,
    mapper: fn(PaymentRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> PaymentRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(PaymentRowBorrowed) -> R,
    ) -> PaymentRowQuery<'c, 'a, 's, C, R, N> {
        PaymentRowQuery {
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
pub struct WriteBatchStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn write_batch() -> WriteBatchStmt {
    WriteBatchStmt(
        "WITH entry AS MATERIALIZED ( SELECT * FROM unnest( $1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::bool[], $7::int[], $8::int[], $9::int[], $10::bool[], $11::text[], $12::int[], $13::int[], $14::int[], $15::float8[], $16::bigint[], $17::bigint[], $18::text[], $19::text[], $20::text[] ) WITH ORDINALITY AS e ( payment_id, base, write_id, state, reason, void_requested, attempt, attempts_left, look_ups, late_capture, refund_state, refund_attempt, refund_tries, wake_mode, wake_secs, order_id, amount_cents, currency, payment_method, traceparent, ordinal) ), locked AS MATERIALIZED ( SELECT payment_id, version FROM payments WHERE payment_id = ANY($21::uuid[]) ORDER BY payment_id FOR NO KEY UPDATE SKIP LOCKED ), updated AS ( UPDATE payments p SET version = e.base + 1, write_id = e.write_id, updated_at = now(), state = e.state, reason = e.reason, void_requested = e.void_requested, attempt = e.attempt, attempts_left = e.attempts_left, look_ups = e.look_ups, late_capture = e.late_capture, refund_state = e.refund_state, refund_attempt = e.refund_attempt, refund_tries = e.refund_tries, wake_at = CASE e.wake_mode WHEN 0 THEN NULL WHEN 1 THEN now() + make_interval(secs => e.wake_secs) ELSE greatest(p.wake_at, now() + make_interval(secs => e.wake_secs)) END FROM entry e JOIN locked l ON l.payment_id = e.payment_id AND l.version = e.base WHERE p.payment_id = e.payment_id AND p.version = e.base RETURNING e.ordinal ), inserted AS ( INSERT INTO payments ( payment_id, order_id, amount_cents, version, write_id, wake_at, attempt, attempts_left, look_ups, refund_attempt, refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent) SELECT payment_id, order_id, amount_cents, 1, write_id, CASE wake_mode WHEN 0 THEN NULL ELSE now() + make_interval(secs => wake_secs) END, attempt, attempts_left, look_ups, refund_attempt, refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent FROM entry WHERE base = 0 ORDER BY order_id ON CONFLICT DO NOTHING RETURNING payment_id ), won AS MATERIALIZED ( SELECT ordinal FROM updated UNION ALL SELECT e.ordinal FROM inserted i JOIN entry e ON e.payment_id = i.payment_id ), attempted AS ( INSERT INTO payment_attempts (payment_id, attempt, state, ended_at) SELECT a.payment_id, a.attempt, a.state, CASE WHEN a.state <> 'OPEN' THEN now() END FROM unnest($22::bigint[], $23::uuid[], $24::int[], $25::text[]) AS a (ordinal, payment_id, attempt, state) JOIN won USING (ordinal) ON CONFLICT (payment_id, attempt) DO UPDATE SET state = EXCLUDED.state, ended_at = EXCLUDED.ended_at ), refunded AS ( INSERT INTO refunds (refund_id, payment_id, attempt, amount_cents, state, reason) SELECT r.refund_id, r.payment_id, r.attempt, r.amount_cents, r.state, r.reason FROM unnest( $26::bigint[], $27::uuid[], $28::uuid[], $29::int[], $30::bigint[], $31::text[], $32::text[] ) AS r (ordinal, refund_id, payment_id, attempt, amount_cents, state, reason) JOIN won USING (ordinal) ON CONFLICT (refund_id) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason, updated_at = now() ), told AS ( INSERT INTO outbox (event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent) SELECT o.event_id, o.order_id, o.aggregate_seq, o.subject, o.schema_version, o.payload, o.traceparent FROM unnest( $33::bigint[], $34::uuid[], $35::bigint[], $36::bigint[], $37::text[], $38::int[], $39::bytea[], $40::text[] ) AS o (ordinal, event_id, order_id, aggregate_seq, subject, schema_version, payload, traceparent) JOIN won USING (ordinal) ), marked AS ( UPDATE outbox o SET published_at = now() FROM ( SELECT event_id FROM outbox WHERE event_id = ANY($41::uuid[]) AND published_at IS NULL ORDER BY event_id FOR NO KEY UPDATE SKIP LOCKED ) held WHERE o.event_id = held.event_id ) SELECT ordinal FROM won",
        None,
    )
}
impl WriteBatchStmt {
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
        T1: crate::ArraySql<Item = uuid::Uuid>,
        T2: crate::ArraySql<Item = i64>,
        T3: crate::ArraySql<Item = uuid::Uuid>,
        T4: crate::StringSql,
        T5: crate::ArraySql<Item = T4>,
        T6: crate::StringSql,
        T7: crate::ArraySql<Item = Option<T6>>,
        T8: crate::ArraySql<Item = bool>,
        T9: crate::ArraySql<Item = i32>,
        T10: crate::ArraySql<Item = i32>,
        T11: crate::ArraySql<Item = i32>,
        T12: crate::ArraySql<Item = bool>,
        T13: crate::StringSql,
        T14: crate::ArraySql<Item = T13>,
        T15: crate::ArraySql<Item = i32>,
        T16: crate::ArraySql<Item = i32>,
        T17: crate::ArraySql<Item = i32>,
        T18: crate::ArraySql<Item = f64>,
        T19: crate::ArraySql<Item = i64>,
        T20: crate::ArraySql<Item = i64>,
        T21: crate::StringSql,
        T22: crate::ArraySql<Item = T21>,
        T23: crate::StringSql,
        T24: crate::ArraySql<Item = T23>,
        T25: crate::StringSql,
        T26: crate::ArraySql<Item = Option<T25>>,
        T27: crate::ArraySql<Item = uuid::Uuid>,
        T28: crate::ArraySql<Item = i64>,
        T29: crate::ArraySql<Item = uuid::Uuid>,
        T30: crate::ArraySql<Item = i32>,
        T31: crate::StringSql,
        T32: crate::ArraySql<Item = T31>,
        T33: crate::ArraySql<Item = i64>,
        T34: crate::ArraySql<Item = uuid::Uuid>,
        T35: crate::ArraySql<Item = uuid::Uuid>,
        T36: crate::ArraySql<Item = i32>,
        T37: crate::ArraySql<Item = i64>,
        T38: crate::StringSql,
        T39: crate::ArraySql<Item = T38>,
        T40: crate::StringSql,
        T41: crate::ArraySql<Item = Option<T40>>,
        T42: crate::ArraySql<Item = i64>,
        T43: crate::ArraySql<Item = uuid::Uuid>,
        T44: crate::ArraySql<Item = i64>,
        T45: crate::ArraySql<Item = i64>,
        T46: crate::StringSql,
        T47: crate::ArraySql<Item = T46>,
        T48: crate::ArraySql<Item = i32>,
        T49: crate::BytesSql,
        T50: crate::ArraySql<Item = T49>,
        T51: crate::StringSql,
        T52: crate::ArraySql<Item = Option<T51>>,
        T53: crate::ArraySql<Item = uuid::Uuid>,
    >(
        &'s self,
        client: &'c C,
        payment_ids: &'a T1,
        bases: &'a T2,
        write_ids: &'a T3,
        states: &'a T5,
        reasons: &'a T7,
        void_requested: &'a T8,
        attempts: &'a T9,
        attempts_left: &'a T10,
        look_ups: &'a T11,
        late_captures: &'a T12,
        refund_states: &'a T14,
        refund_attempts: &'a T15,
        refund_tries: &'a T16,
        wake_modes: &'a T17,
        wake_secs: &'a T18,
        order_ids: &'a T19,
        amounts_cents: &'a T20,
        currencies: &'a T22,
        payment_methods: &'a T24,
        traceparents: &'a T26,
        locks: &'a T27,
        attempt_ordinals: &'a T28,
        attempt_payment_ids: &'a T29,
        attempt_numbers: &'a T30,
        attempt_states: &'a T32,
        refund_ordinals: &'a T33,
        refund_ids: &'a T34,
        refund_payment_ids: &'a T35,
        refund_numbers: &'a T36,
        refund_amounts_cents: &'a T37,
        refund_record_states: &'a T39,
        refund_reasons: &'a T41,
        event_ordinals: &'a T42,
        event_ids: &'a T43,
        event_order_ids: &'a T44,
        event_seqs: &'a T45,
        event_subjects: &'a T47,
        event_schema_versions: &'a T48,
        event_payloads: &'a T50,
        event_traceparents: &'a T52,
        published_ids: &'a T53,
    ) -> I64Query<'c, 'a, 's, C, i64, 41> {
        I64Query {
            client,
            params: [
                payment_ids,
                bases,
                write_ids,
                states,
                reasons,
                void_requested,
                attempts,
                attempts_left,
                look_ups,
                late_captures,
                refund_states,
                refund_attempts,
                refund_tries,
                wake_modes,
                wake_secs,
                order_ids,
                amounts_cents,
                currencies,
                payment_methods,
                traceparents,
                locks,
                attempt_ordinals,
                attempt_payment_ids,
                attempt_numbers,
                attempt_states,
                refund_ordinals,
                refund_ids,
                refund_payment_ids,
                refund_numbers,
                refund_amounts_cents,
                refund_record_states,
                refund_reasons,
                event_ordinals,
                event_ids,
                event_order_ids,
                event_seqs,
                event_subjects,
                event_schema_versions,
                event_payloads,
                event_traceparents,
                published_ids,
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
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = Option<T6>>,
    T8: crate::ArraySql<Item = bool>,
    T9: crate::ArraySql<Item = i32>,
    T10: crate::ArraySql<Item = i32>,
    T11: crate::ArraySql<Item = i32>,
    T12: crate::ArraySql<Item = bool>,
    T13: crate::StringSql,
    T14: crate::ArraySql<Item = T13>,
    T15: crate::ArraySql<Item = i32>,
    T16: crate::ArraySql<Item = i32>,
    T17: crate::ArraySql<Item = i32>,
    T18: crate::ArraySql<Item = f64>,
    T19: crate::ArraySql<Item = i64>,
    T20: crate::ArraySql<Item = i64>,
    T21: crate::StringSql,
    T22: crate::ArraySql<Item = T21>,
    T23: crate::StringSql,
    T24: crate::ArraySql<Item = T23>,
    T25: crate::StringSql,
    T26: crate::ArraySql<Item = Option<T25>>,
    T27: crate::ArraySql<Item = uuid::Uuid>,
    T28: crate::ArraySql<Item = i64>,
    T29: crate::ArraySql<Item = uuid::Uuid>,
    T30: crate::ArraySql<Item = i32>,
    T31: crate::StringSql,
    T32: crate::ArraySql<Item = T31>,
    T33: crate::ArraySql<Item = i64>,
    T34: crate::ArraySql<Item = uuid::Uuid>,
    T35: crate::ArraySql<Item = uuid::Uuid>,
    T36: crate::ArraySql<Item = i32>,
    T37: crate::ArraySql<Item = i64>,
    T38: crate::StringSql,
    T39: crate::ArraySql<Item = T38>,
    T40: crate::StringSql,
    T41: crate::ArraySql<Item = Option<T40>>,
    T42: crate::ArraySql<Item = i64>,
    T43: crate::ArraySql<Item = uuid::Uuid>,
    T44: crate::ArraySql<Item = i64>,
    T45: crate::ArraySql<Item = i64>,
    T46: crate::StringSql,
    T47: crate::ArraySql<Item = T46>,
    T48: crate::ArraySql<Item = i32>,
    T49: crate::BytesSql,
    T50: crate::ArraySql<Item = T49>,
    T51: crate::StringSql,
    T52: crate::ArraySql<Item = Option<T51>>,
    T53: crate::ArraySql<Item = uuid::Uuid>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        WriteBatchParams<
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
            T45,
            T46,
            T47,
            T48,
            T49,
            T50,
            T51,
            T52,
            T53,
        >,
        I64Query<'c, 'a, 's, C, i64, 41>,
        C,
    > for WriteBatchStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a WriteBatchParams<
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
            T45,
            T46,
            T47,
            T48,
            T49,
            T50,
            T51,
            T52,
            T53,
        >,
    ) -> I64Query<'c, 'a, 's, C, i64, 41> {
        self.bind(
            client,
            &params.payment_ids,
            &params.bases,
            &params.write_ids,
            &params.states,
            &params.reasons,
            &params.void_requested,
            &params.attempts,
            &params.attempts_left,
            &params.look_ups,
            &params.late_captures,
            &params.refund_states,
            &params.refund_attempts,
            &params.refund_tries,
            &params.wake_modes,
            &params.wake_secs,
            &params.order_ids,
            &params.amounts_cents,
            &params.currencies,
            &params.payment_methods,
            &params.traceparents,
            &params.locks,
            &params.attempt_ordinals,
            &params.attempt_payment_ids,
            &params.attempt_numbers,
            &params.attempt_states,
            &params.refund_ordinals,
            &params.refund_ids,
            &params.refund_payment_ids,
            &params.refund_numbers,
            &params.refund_amounts_cents,
            &params.refund_record_states,
            &params.refund_reasons,
            &params.event_ordinals,
            &params.event_ids,
            &params.event_order_ids,
            &params.event_seqs,
            &params.event_subjects,
            &params.event_schema_versions,
            &params.event_payloads,
            &params.event_traceparents,
            &params.published_ids,
        )
    }
}
pub struct FindPaymentsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn find_payments() -> FindPaymentsStmt {
    FindPaymentsStmt(
        "SELECT payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups, refund_attempt, refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent FROM payments WHERE payment_id = ANY($1) OR order_id = ANY($2)",
        None,
    )
}
impl FindPaymentsStmt {
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
        T1: crate::ArraySql<Item = uuid::Uuid>,
        T2: crate::ArraySql<Item = i64>,
    >(
        &'s self,
        client: &'c C,
        payment_ids: &'a T1,
        order_ids: &'a T2,
    ) -> PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 2> {
        PaymentRowQuery {
            client,
            params: [payment_ids, order_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<PaymentRowBorrowed, tokio_postgres::Error> {
                    Ok(PaymentRowBorrowed {
                        payment_id: row.try_get(0)?,
                        order_id: row.try_get(1)?,
                        amount_cents: row.try_get(2)?,
                        version: row.try_get(3)?,
                        write_id: row.try_get(4)?,
                        attempt: row.try_get(5)?,
                        attempts_left: row.try_get(6)?,
                        look_ups: row.try_get(7)?,
                        refund_attempt: row.try_get(8)?,
                        refund_tries: row.try_get(9)?,
                        void_requested: row.try_get(10)?,
                        late_capture: row.try_get(11)?,
                        state: row.try_get(12)?,
                        refund_state: row.try_get(13)?,
                        currency: row.try_get(14)?,
                        payment_method: row.try_get(15)?,
                        reason: row.try_get(16)?,
                        traceparent: row.try_get(17)?,
                    })
                },
            mapper: |it| PaymentRow::from(it),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        FindPaymentsParams<T1, T2>,
        PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 2>,
        C,
    > for FindPaymentsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a FindPaymentsParams<T1, T2>,
    ) -> PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 2> {
        self.bind(client, &params.payment_ids, &params.order_ids)
    }
}
pub struct LoadPaymentsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn load_payments() -> LoadPaymentsStmt {
    LoadPaymentsStmt(
        "SELECT payment_id, order_id, amount_cents, version, write_id, attempt, attempts_left, look_ups, refund_attempt, refund_tries, void_requested, late_capture, state, refund_state, currency, payment_method, reason, traceparent FROM payments WHERE payment_id = ANY($1)",
        None,
    )
}
impl LoadPaymentsStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::ArraySql<Item = uuid::Uuid>>(
        &'s self,
        client: &'c C,
        payment_ids: &'a T1,
    ) -> PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 1> {
        PaymentRowQuery {
            client,
            params: [payment_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<PaymentRowBorrowed, tokio_postgres::Error> {
                    Ok(PaymentRowBorrowed {
                        payment_id: row.try_get(0)?,
                        order_id: row.try_get(1)?,
                        amount_cents: row.try_get(2)?,
                        version: row.try_get(3)?,
                        write_id: row.try_get(4)?,
                        attempt: row.try_get(5)?,
                        attempts_left: row.try_get(6)?,
                        look_ups: row.try_get(7)?,
                        refund_attempt: row.try_get(8)?,
                        refund_tries: row.try_get(9)?,
                        void_requested: row.try_get(10)?,
                        late_capture: row.try_get(11)?,
                        state: row.try_get(12)?,
                        refund_state: row.try_get(13)?,
                        currency: row.try_get(14)?,
                        payment_method: row.try_get(15)?,
                        reason: row.try_get(16)?,
                        traceparent: row.try_get(17)?,
                    })
                },
            mapper: |it| PaymentRow::from(it),
        }
    }
}
pub struct ClaimDueStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn claim_due() -> ClaimDueStmt {
    ClaimDueStmt(
        "WITH charges AS MATERIALIZED ( SELECT payment_id FROM payments WHERE wake_at <= now() AND state = 'REQUESTED' ORDER BY wake_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED ), look_ups AS MATERIALIZED ( SELECT payment_id FROM payments WHERE wake_at <= now() AND (state = 'UNKNOWN' OR (state = 'VOIDED' AND NOT late_capture)) ORDER BY wake_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED ), refunds AS MATERIALIZED ( SELECT payment_id FROM payments WHERE wake_at <= now() AND refund_state IN ('REQUESTED', 'OPEN') ORDER BY wake_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED ) UPDATE payments p SET wake_at = now() + make_interval(secs => $4) FROM ( SELECT payment_id FROM charges UNION ALL SELECT payment_id FROM look_ups UNION ALL SELECT payment_id FROM refunds ) due WHERE p.payment_id = due.payment_id RETURNING p.payment_id, p.order_id, p.amount_cents, p.version, p.write_id, p.attempt, p.attempts_left, p.look_ups, p.refund_attempt, p.refund_tries, p.void_requested, p.late_capture, p.state, p.refund_state, p.currency, p.payment_method, p.reason, p.traceparent",
        None,
    )
}
impl ClaimDueStmt {
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
        charges_max: &'a i64,
        look_ups_max: &'a i64,
        refunds_max: &'a i64,
        lease_secs: &'a f64,
    ) -> PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 4> {
        PaymentRowQuery {
            client,
            params: [charges_max, look_ups_max, refunds_max, lease_secs],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<PaymentRowBorrowed, tokio_postgres::Error> {
                    Ok(PaymentRowBorrowed {
                        payment_id: row.try_get(0)?,
                        order_id: row.try_get(1)?,
                        amount_cents: row.try_get(2)?,
                        version: row.try_get(3)?,
                        write_id: row.try_get(4)?,
                        attempt: row.try_get(5)?,
                        attempts_left: row.try_get(6)?,
                        look_ups: row.try_get(7)?,
                        refund_attempt: row.try_get(8)?,
                        refund_tries: row.try_get(9)?,
                        void_requested: row.try_get(10)?,
                        late_capture: row.try_get(11)?,
                        state: row.try_get(12)?,
                        refund_state: row.try_get(13)?,
                        currency: row.try_get(14)?,
                        payment_method: row.try_get(15)?,
                        reason: row.try_get(16)?,
                        traceparent: row.try_get(17)?,
                    })
                },
            mapper: |it| PaymentRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ClaimDueParams,
        PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 4>,
        C,
    > for ClaimDueStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ClaimDueParams,
    ) -> PaymentRowQuery<'c, 'a, 's, C, PaymentRow, 4> {
        self.bind(
            client,
            &params.charges_max,
            &params.look_ups_max,
            &params.refunds_max,
            &params.lease_secs,
        )
    }
}
