// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct StoreChargesParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::ArraySql<Item = i64>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
> {
    pub keys: T1,
    pub order_ids: T2,
    pub amounts_cents: T3,
    pub currencies: T5,
    pub payment_methods: T7,
    pub outcomes: T9,
    pub reasons: T11,
}
#[derive(Debug)]
pub struct StoreRefundsParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = uuid::Uuid>,
    T3: crate::ArraySql<Item = i64>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = Option<T8>>,
> {
    pub keys: T1,
    pub charge_keys: T2,
    pub amounts_cents: T3,
    pub currencies: T5,
    pub outcomes: T7,
    pub reasons: T9,
}
#[derive(Clone, Copy, Debug)]
pub struct PruneCallsParams {
    pub retention_secs: f64,
    pub rows_max: i64,
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct CountCalls {
    pub idempotency_key: uuid::Uuid,
    pub calls: i32,
}
#[derive(Debug, Clone, PartialEq)]
pub struct ChargeRow {
    pub idempotency_key: uuid::Uuid,
    pub order_id: i64,
    pub amount_cents: i64,
    pub currency: String,
    pub payment_method: String,
    pub outcome: String,
    pub reason: Option<String>,
}
pub struct ChargeRowBorrowed<'a> {
    pub idempotency_key: uuid::Uuid,
    pub order_id: i64,
    pub amount_cents: i64,
    pub currency: &'a str,
    pub payment_method: &'a str,
    pub outcome: &'a str,
    pub reason: Option<&'a str>,
}
impl<'a> From<ChargeRowBorrowed<'a>> for ChargeRow {
    fn from(
        ChargeRowBorrowed {
            idempotency_key,
            order_id,
            amount_cents,
            currency,
            payment_method,
            outcome,
            reason,
        }: ChargeRowBorrowed<'a>,
    ) -> Self {
        Self {
            idempotency_key,
            order_id,
            amount_cents,
            currency: currency.into(),
            payment_method: payment_method.into(),
            outcome: outcome.into(),
            reason: reason.map(|v| v.into()),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct RefundRow {
    pub idempotency_key: uuid::Uuid,
    pub charge_key: uuid::Uuid,
    pub amount_cents: i64,
    pub currency: String,
    pub outcome: String,
    pub reason: Option<String>,
}
pub struct RefundRowBorrowed<'a> {
    pub idempotency_key: uuid::Uuid,
    pub charge_key: uuid::Uuid,
    pub amount_cents: i64,
    pub currency: &'a str,
    pub outcome: &'a str,
    pub reason: Option<&'a str>,
}
impl<'a> From<RefundRowBorrowed<'a>> for RefundRow {
    fn from(
        RefundRowBorrowed {
            idempotency_key,
            charge_key,
            amount_cents,
            currency,
            outcome,
            reason,
        }: RefundRowBorrowed<'a>,
    ) -> Self {
        Self {
            idempotency_key,
            charge_key,
            amount_cents,
            currency: currency.into(),
            outcome: outcome.into(),
            reason: reason.map(|v| v.into()),
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct CountCallsQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<CountCalls, tokio_postgres::Error>,
    mapper: fn(CountCalls) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> CountCallsQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(CountCalls) -> R) -> CountCallsQuery<'c, 'a, 's, C, R, N> {
        CountCallsQuery {
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
pub struct ChargeRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<ChargeRowBorrowed, tokio_postgres::Error>,
    mapper: fn(ChargeRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> ChargeRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(ChargeRowBorrowed) -> R) -> ChargeRowQuery<'c, 'a, 's, C, R, N> {
        ChargeRowQuery {
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
pub struct RefundRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<RefundRowBorrowed, tokio_postgres::Error>,
    mapper: fn(RefundRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> RefundRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(RefundRowBorrowed) -> R) -> RefundRowQuery<'c, 'a, 's, C, R, N> {
        RefundRowQuery {
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
pub struct CountCallsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn count_calls() -> CountCallsStmt {
    CountCallsStmt(
        "INSERT INTO provider_calls (idempotency_key, calls) SELECT key, 1 FROM unnest($1::uuid[]) AS k (key) ORDER BY key ON CONFLICT (idempotency_key) DO UPDATE SET calls = provider_calls.calls + 1 RETURNING idempotency_key, calls",
        None,
    )
}
impl CountCallsStmt {
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
        keys: &'a T1,
    ) -> CountCallsQuery<'c, 'a, 's, C, CountCalls, 1> {
        CountCallsQuery {
            client,
            params: [keys],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<CountCalls, tokio_postgres::Error> {
                Ok(CountCalls {
                    idempotency_key: row.try_get(0)?,
                    calls: row.try_get(1)?,
                })
            },
            mapper: |it| CountCalls::from(it),
        }
    }
}
pub struct StoreChargesStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn store_charges() -> StoreChargesStmt {
    StoreChargesStmt(
        "INSERT INTO provider_charges (idempotency_key, order_id, amount_cents, currency, payment_method, outcome, reason) SELECT key, order_id, amount_cents, currency, payment_method, outcome, reason FROM unnest( $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[] ) AS c (key, order_id, amount_cents, currency, payment_method, outcome, reason) ORDER BY key ON CONFLICT (idempotency_key) DO NOTHING RETURNING idempotency_key",
        None,
    )
}
impl StoreChargesStmt {
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
        T3: crate::ArraySql<Item = i64>,
        T4: crate::StringSql,
        T5: crate::ArraySql<Item = T4>,
        T6: crate::StringSql,
        T7: crate::ArraySql<Item = T6>,
        T8: crate::StringSql,
        T9: crate::ArraySql<Item = T8>,
        T10: crate::StringSql,
        T11: crate::ArraySql<Item = Option<T10>>,
    >(
        &'s self,
        client: &'c C,
        keys: &'a T1,
        order_ids: &'a T2,
        amounts_cents: &'a T3,
        currencies: &'a T5,
        payment_methods: &'a T7,
        outcomes: &'a T9,
        reasons: &'a T11,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 7> {
        UuidUuidQuery {
            client,
            params: [
                keys,
                order_ids,
                amounts_cents,
                currencies,
                payment_methods,
                outcomes,
                reasons,
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
    T3: crate::ArraySql<Item = i64>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        StoreChargesParams<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 7>,
        C,
    > for StoreChargesStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a StoreChargesParams<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 7> {
        self.bind(
            client,
            &params.keys,
            &params.order_ids,
            &params.amounts_cents,
            &params.currencies,
            &params.payment_methods,
            &params.outcomes,
            &params.reasons,
        )
    }
}
pub struct LoadChargesStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn load_charges() -> LoadChargesStmt {
    LoadChargesStmt(
        "SELECT idempotency_key, order_id, amount_cents, currency, payment_method, outcome, reason FROM provider_charges WHERE idempotency_key = ANY($1)",
        None,
    )
}
impl LoadChargesStmt {
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
        keys: &'a T1,
    ) -> ChargeRowQuery<'c, 'a, 's, C, ChargeRow, 1> {
        ChargeRowQuery {
            client,
            params: [keys],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<ChargeRowBorrowed, tokio_postgres::Error> {
                    Ok(ChargeRowBorrowed {
                        idempotency_key: row.try_get(0)?,
                        order_id: row.try_get(1)?,
                        amount_cents: row.try_get(2)?,
                        currency: row.try_get(3)?,
                        payment_method: row.try_get(4)?,
                        outcome: row.try_get(5)?,
                        reason: row.try_get(6)?,
                    })
                },
            mapper: |it| ChargeRow::from(it),
        }
    }
}
pub struct LoadRefundsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn load_refunds() -> LoadRefundsStmt {
    LoadRefundsStmt(
        "SELECT idempotency_key, charge_key, amount_cents, currency, outcome, reason FROM provider_refunds WHERE charge_key = ANY($1)",
        None,
    )
}
impl LoadRefundsStmt {
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
        charge_keys: &'a T1,
    ) -> RefundRowQuery<'c, 'a, 's, C, RefundRow, 1> {
        RefundRowQuery {
            client,
            params: [charge_keys],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<RefundRowBorrowed, tokio_postgres::Error> {
                    Ok(RefundRowBorrowed {
                        idempotency_key: row.try_get(0)?,
                        charge_key: row.try_get(1)?,
                        amount_cents: row.try_get(2)?,
                        currency: row.try_get(3)?,
                        outcome: row.try_get(4)?,
                        reason: row.try_get(5)?,
                    })
                },
            mapper: |it| RefundRow::from(it),
        }
    }
}
pub struct StoreRefundsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn store_refunds() -> StoreRefundsStmt {
    StoreRefundsStmt(
        "INSERT INTO provider_refunds (idempotency_key, charge_key, amount_cents, currency, outcome, reason) SELECT key, charge_key, amount_cents, currency, outcome, reason FROM unnest( $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[] ) AS r (key, charge_key, amount_cents, currency, outcome, reason) ORDER BY key ON CONFLICT DO NOTHING RETURNING idempotency_key",
        None,
    )
}
impl StoreRefundsStmt {
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
        T2: crate::ArraySql<Item = uuid::Uuid>,
        T3: crate::ArraySql<Item = i64>,
        T4: crate::StringSql,
        T5: crate::ArraySql<Item = T4>,
        T6: crate::StringSql,
        T7: crate::ArraySql<Item = T6>,
        T8: crate::StringSql,
        T9: crate::ArraySql<Item = Option<T8>>,
    >(
        &'s self,
        client: &'c C,
        keys: &'a T1,
        charge_keys: &'a T2,
        amounts_cents: &'a T3,
        currencies: &'a T5,
        outcomes: &'a T7,
        reasons: &'a T9,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        UuidUuidQuery {
            client,
            params: [
                keys,
                charge_keys,
                amounts_cents,
                currencies,
                outcomes,
                reasons,
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
    T2: crate::ArraySql<Item = uuid::Uuid>,
    T3: crate::ArraySql<Item = i64>,
    T4: crate::StringSql,
    T5: crate::ArraySql<Item = T4>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = T6>,
    T8: crate::StringSql,
    T9: crate::ArraySql<Item = Option<T8>>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        StoreRefundsParams<T1, T2, T3, T4, T5, T6, T7, T8, T9>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6>,
        C,
    > for StoreRefundsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a StoreRefundsParams<T1, T2, T3, T4, T5, T6, T7, T8, T9>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        self.bind(
            client,
            &params.keys,
            &params.charge_keys,
            &params.amounts_cents,
            &params.currencies,
            &params.outcomes,
            &params.reasons,
        )
    }
}
pub struct PruneCallsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn prune_calls() -> PruneCallsStmt {
    PruneCallsStmt(
        "DELETE FROM provider_calls WHERE idempotency_key IN ( SELECT idempotency_key FROM provider_calls WHERE created_at < now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING idempotency_key",
        None,
    )
}
impl PruneCallsStmt {
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
        retention_secs: &'a f64,
        rows_max: &'a i64,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        UuidUuidQuery {
            client,
            params: [retention_secs, rows_max],
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
        PruneCallsParams,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2>,
        C,
    > for PruneCallsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a PruneCallsParams,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        self.bind(client, &params.retention_secs, &params.rows_max)
    }
}
