// This file was generated with `clorinde`. Do not modify.

#[derive(Clone, Copy, Debug)]
pub struct ClaimDueParams {
    pub rows_max: i64,
    pub lease_secs: f64,
}
#[derive(Clone, Copy, Debug)]
pub struct OverdueSagasParams {
    pub age_secs: f64,
    pub count_max: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSaga {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
    pub payment_method: String,
    pub traceparent: Option<String>,
    pub lines: String,
    pub version: i64,
    pub details: String,
    pub total_cents: Option<i64>,
    pub currency: Option<String>,
    pub quote: Option<String>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
}
pub struct StoredSagaBorrowed<'a> {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
    pub payment_method: &'a str,
    pub traceparent: Option<&'a str>,
    pub lines: &'a str,
    pub version: i64,
    pub details: &'a str,
    pub total_cents: Option<i64>,
    pub currency: Option<&'a str>,
    pub quote: Option<&'a str>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
}
impl<'a> From<StoredSagaBorrowed<'a>> for StoredSaga {
    fn from(
        StoredSagaBorrowed {
            order_id,
            customer_id,
            payment_method,
            traceparent,
            lines,
            version,
            details,
            total_cents,
            currency,
            quote,
            created_at,
            updated_at,
        }: StoredSagaBorrowed<'a>,
    ) -> Self {
        Self {
            order_id,
            customer_id,
            payment_method: payment_method.into(),
            traceparent: traceparent.map(|v| v.into()),
            lines: lines.into(),
            version,
            details: details.into(),
            total_cents,
            currency: currency.map(|v| v.into()),
            quote: quote.map(|v| v.into()),
            created_at,
            updated_at,
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct QuotedTotal {
    pub order_id: i64,
    pub total_cents: Option<i64>,
    pub currency: Option<String>,
}
pub struct QuotedTotalBorrowed<'a> {
    pub order_id: i64,
    pub total_cents: Option<i64>,
    pub currency: Option<&'a str>,
}
impl<'a> From<QuotedTotalBorrowed<'a>> for QuotedTotal {
    fn from(
        QuotedTotalBorrowed {
            order_id,
            total_cents,
            currency,
        }: QuotedTotalBorrowed<'a>,
    ) -> Self {
        Self {
            order_id,
            total_cents,
            currency: currency.map(|v| v.into()),
        }
    }
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct Versions {
    pub order_id: i64,
    pub version: i64,
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct StoredSagaQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<StoredSagaBorrowed, tokio_postgres::Error>,
    mapper: fn(StoredSagaBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> StoredSagaQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(StoredSagaBorrowed) -> R,
    ) -> StoredSagaQuery<'c, 'a, 's, C, R, N> {
        StoredSagaQuery {
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
pub struct QuotedTotalQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<QuotedTotalBorrowed, tokio_postgres::Error>,
    mapper: fn(QuotedTotalBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> QuotedTotalQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(QuotedTotalBorrowed) -> R,
    ) -> QuotedTotalQuery<'c, 'a, 's, C, R, N> {
        QuotedTotalQuery {
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
pub struct VersionsQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<Versions, tokio_postgres::Error>,
    mapper: fn(Versions) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> VersionsQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(Versions) -> R) -> VersionsQuery<'c, 'a, 's, C, R, N> {
        VersionsQuery {
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
pub struct LoadSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn load_sagas() -> LoadSagasStmt {
    LoadSagasStmt(
        "SELECT order_id, customer_id, payment_method, traceparent, lines::text AS lines, version, details::text AS details, total_cents, currency, quote::text AS quote, created_at, updated_at FROM orders WHERE order_id = ANY($1)",
        None,
    )
}
impl LoadSagasStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::ArraySql<Item = i64>>(
        &'s self,
        client: &'c C,
        order_ids: &'a T1,
    ) -> StoredSagaQuery<'c, 'a, 's, C, StoredSaga, 1> {
        StoredSagaQuery {
            client,
            params: [order_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<StoredSagaBorrowed, tokio_postgres::Error> {
                    Ok(StoredSagaBorrowed {
                        order_id: row.try_get(0)?,
                        customer_id: row.try_get(1)?,
                        payment_method: row.try_get(2)?,
                        traceparent: row.try_get(3)?,
                        lines: row.try_get(4)?,
                        version: row.try_get(5)?,
                        details: row.try_get(6)?,
                        total_cents: row.try_get(7)?,
                        currency: row.try_get(8)?,
                        quote: row.try_get(9)?,
                        created_at: row.try_get(10)?,
                        updated_at: row.try_get(11)?,
                    })
                },
            mapper: |it| StoredSaga::from(it),
        }
    }
}
pub struct ClaimDueStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn claim_due() -> ClaimDueStmt {
    ClaimDueStmt(
        "WITH due AS MATERIALIZED ( SELECT order_id FROM orders WHERE wake_at <= now() ORDER BY wake_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED ) UPDATE orders o SET wake_at = now() + make_interval(secs => $2 * (1 + random() / 4)) FROM due WHERE o.order_id = due.order_id RETURNING o.order_id, o.customer_id, o.payment_method, o.traceparent, o.lines::text AS lines, o.version, o.details::text AS details, o.total_cents, o.currency, o.quote::text AS quote, o.created_at, o.updated_at",
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
        rows_max: &'a i64,
        lease_secs: &'a f64,
    ) -> StoredSagaQuery<'c, 'a, 's, C, StoredSaga, 2> {
        StoredSagaQuery {
            client,
            params: [rows_max, lease_secs],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<StoredSagaBorrowed, tokio_postgres::Error> {
                    Ok(StoredSagaBorrowed {
                        order_id: row.try_get(0)?,
                        customer_id: row.try_get(1)?,
                        payment_method: row.try_get(2)?,
                        traceparent: row.try_get(3)?,
                        lines: row.try_get(4)?,
                        version: row.try_get(5)?,
                        details: row.try_get(6)?,
                        total_cents: row.try_get(7)?,
                        currency: row.try_get(8)?,
                        quote: row.try_get(9)?,
                        created_at: row.try_get(10)?,
                        updated_at: row.try_get(11)?,
                    })
                },
            mapper: |it| StoredSaga::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ClaimDueParams,
        StoredSagaQuery<'c, 'a, 's, C, StoredSaga, 2>,
        C,
    > for ClaimDueStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ClaimDueParams,
    ) -> StoredSagaQuery<'c, 'a, 's, C, StoredSaga, 2> {
        self.bind(client, &params.rows_max, &params.lease_secs)
    }
}
pub struct QuotedTotalsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn quoted_totals() -> QuotedTotalsStmt {
    QuotedTotalsStmt(
        "SELECT order_id, total_cents, currency FROM orders WHERE order_id = ANY($1)",
        None,
    )
}
impl QuotedTotalsStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::ArraySql<Item = i64>>(
        &'s self,
        client: &'c C,
        order_ids: &'a T1,
    ) -> QuotedTotalQuery<'c, 'a, 's, C, QuotedTotal, 1> {
        QuotedTotalQuery {
            client,
            params: [order_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<QuotedTotalBorrowed, tokio_postgres::Error> {
                    Ok(QuotedTotalBorrowed {
                        order_id: row.try_get(0)?,
                        total_cents: row.try_get(1)?,
                        currency: row.try_get(2)?,
                    })
                },
            mapper: |it| QuotedTotal::from(it),
        }
    }
}
pub struct VersionsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn versions() -> VersionsStmt {
    VersionsStmt(
        "SELECT order_id, version FROM orders WHERE order_id = ANY($1)",
        None,
    )
}
impl VersionsStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::ArraySql<Item = i64>>(
        &'s self,
        client: &'c C,
        order_ids: &'a T1,
    ) -> VersionsQuery<'c, 'a, 's, C, Versions, 1> {
        VersionsQuery {
            client,
            params: [order_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<Versions, tokio_postgres::Error> {
                Ok(Versions {
                    order_id: row.try_get(0)?,
                    version: row.try_get(1)?,
                })
            },
            mapper: |it| Versions::from(it),
        }
    }
}
pub struct OverdueSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn overdue_sagas() -> OverdueSagasStmt {
    OverdueSagasStmt(
        "SELECT count(*) AS overdue FROM ( SELECT FROM orders WHERE wake_at IS NOT NULL AND saga_state = 'RUNNING' AND created_at < now() - make_interval(secs => $1) AND updated_at > now() - interval '15 minutes' LIMIT $2 ) old",
        None,
    )
}
impl OverdueSagasStmt {
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
        age_secs: &'a f64,
        count_max: &'a i64,
    ) -> I64Query<'c, 'a, 's, C, i64, 2> {
        I64Query {
            client,
            params: [age_secs, count_max],
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
        OverdueSagasParams,
        I64Query<'c, 'a, 's, C, i64, 2>,
        C,
    > for OverdueSagasStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a OverdueSagasParams,
    ) -> I64Query<'c, 'a, 's, C, i64, 2> {
        self.bind(client, &params.age_secs, &params.count_max)
    }
}
pub struct InstallationIdStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn installation_id() -> InstallationIdStmt {
    InstallationIdStmt("SELECT installation_id FROM installation", None)
}
impl InstallationIdStmt {
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
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 0> {
        UuidUuidQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
pub struct TakeOrderIdsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn take_order_ids() -> TakeOrderIdsStmt {
    TakeOrderIdsStmt(
        "UPDATE order_id_blocks SET next_id = next_id + $1 RETURNING next_id - $1 AS first_id",
        None,
    )
}
impl TakeOrderIdsStmt {
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
        count: &'a i64,
    ) -> I64Query<'c, 'a, 's, C, i64, 1> {
        I64Query {
            client,
            params: [count],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
