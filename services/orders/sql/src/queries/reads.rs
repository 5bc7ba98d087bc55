// This file was generated with `clorinde`. Do not modify.

#[derive(Clone, Copy, Debug)]
pub struct GetOrderParams {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
}
#[derive(Debug)]
pub struct ListOrdersParams<T1: crate::StringSql> {
    pub customer_id: uuid::Uuid,
    pub before_order_id: i64,
    pub status: Option<T1>,
    pub rows_max: i64,
}
#[derive(Clone, Copy, Debug)]
pub struct GetTimelineParams {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
    pub after_version: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct OrderRow {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
    pub status: String,
    pub saga_state: String,
    pub cancel_reason: Option<String>,
    pub lines: String,
    pub total_cents: Option<i64>,
    pub currency: Option<String>,
    pub traceparent: Option<String>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
    pub version: i64,
}
pub struct OrderRowBorrowed<'a> {
    pub order_id: i64,
    pub customer_id: uuid::Uuid,
    pub status: &'a str,
    pub saga_state: &'a str,
    pub cancel_reason: Option<&'a str>,
    pub lines: &'a str,
    pub total_cents: Option<i64>,
    pub currency: Option<&'a str>,
    pub traceparent: Option<&'a str>,
    pub created_at: time::OffsetDateTime,
    pub updated_at: time::OffsetDateTime,
    pub version: i64,
}
impl<'a> From<OrderRowBorrowed<'a>> for OrderRow {
    fn from(
        OrderRowBorrowed {
            order_id,
            customer_id,
            status,
            saga_state,
            cancel_reason,
            lines,
            total_cents,
            currency,
            traceparent,
            created_at,
            updated_at,
            version,
        }: OrderRowBorrowed<'a>,
    ) -> Self {
        Self {
            order_id,
            customer_id,
            status: status.into(),
            saga_state: saga_state.into(),
            cancel_reason: cancel_reason.map(|v| v.into()),
            lines: lines.into(),
            total_cents,
            currency: currency.map(|v| v.into()),
            traceparent: traceparent.map(|v| v.into()),
            created_at,
            updated_at,
            version,
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct GetTimeline {
    pub version: i64,
    pub status: String,
    pub step: String,
    pub saga_state: String,
    pub cause: String,
    pub at: time::OffsetDateTime,
}
pub struct GetTimelineBorrowed<'a> {
    pub version: i64,
    pub status: &'a str,
    pub step: &'a str,
    pub saga_state: &'a str,
    pub cause: &'a str,
    pub at: time::OffsetDateTime,
}
impl<'a> From<GetTimelineBorrowed<'a>> for GetTimeline {
    fn from(
        GetTimelineBorrowed {
            version,
            status,
            step,
            saga_state,
            cause,
            at,
        }: GetTimelineBorrowed<'a>,
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
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct OrderRowQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<OrderRowBorrowed, tokio_postgres::Error>,
    mapper: fn(OrderRowBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> OrderRowQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(OrderRowBorrowed) -> R) -> OrderRowQuery<'c, 'a, 's, C, R, N> {
        OrderRowQuery {
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
pub struct GetTimelineQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<GetTimelineBorrowed, tokio_postgres::Error>,
    mapper: fn(GetTimelineBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> GetTimelineQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(GetTimelineBorrowed) -> R,
    ) -> GetTimelineQuery<'c, 'a, 's, C, R, N> {
        GetTimelineQuery {
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
pub struct GetOrderStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn get_order() -> GetOrderStmt {
    GetOrderStmt(
        "SELECT order_id, customer_id, status, saga_state, cancel_reason, lines::text AS lines, total_cents, currency, traceparent, created_at, updated_at, version FROM orders WHERE order_id = $1 AND customer_id = $2",
        None,
    )
}
impl GetOrderStmt {
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
        customer_id: &'a uuid::Uuid,
    ) -> OrderRowQuery<'c, 'a, 's, C, OrderRow, 2> {
        OrderRowQuery {
            client,
            params: [order_id, customer_id],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<OrderRowBorrowed, tokio_postgres::Error> {
                    Ok(OrderRowBorrowed {
                        order_id: row.try_get(0)?,
                        customer_id: row.try_get(1)?,
                        status: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        cancel_reason: row.try_get(4)?,
                        lines: row.try_get(5)?,
                        total_cents: row.try_get(6)?,
                        currency: row.try_get(7)?,
                        traceparent: row.try_get(8)?,
                        created_at: row.try_get(9)?,
                        updated_at: row.try_get(10)?,
                        version: row.try_get(11)?,
                    })
                },
            mapper: |it| OrderRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        GetOrderParams,
        OrderRowQuery<'c, 'a, 's, C, OrderRow, 2>,
        C,
    > for GetOrderStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a GetOrderParams,
    ) -> OrderRowQuery<'c, 'a, 's, C, OrderRow, 2> {
        self.bind(client, &params.order_id, &params.customer_id)
    }
}
pub struct ListOrdersStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_orders() -> ListOrdersStmt {
    ListOrdersStmt(
        "SELECT order_id, customer_id, status, saga_state, cancel_reason, lines::text AS lines, total_cents, currency, traceparent, created_at, updated_at, version FROM orders WHERE customer_id = $1 AND order_id < $2 AND ($3::text IS NULL OR status = $3) ORDER BY order_id DESC LIMIT $4",
        None,
    )
}
impl ListOrdersStmt {
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
        customer_id: &'a uuid::Uuid,
        before_order_id: &'a i64,
        status: &'a Option<T1>,
        rows_max: &'a i64,
    ) -> OrderRowQuery<'c, 'a, 's, C, OrderRow, 4> {
        OrderRowQuery {
            client,
            params: [customer_id, before_order_id, status, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<OrderRowBorrowed, tokio_postgres::Error> {
                    Ok(OrderRowBorrowed {
                        order_id: row.try_get(0)?,
                        customer_id: row.try_get(1)?,
                        status: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        cancel_reason: row.try_get(4)?,
                        lines: row.try_get(5)?,
                        total_cents: row.try_get(6)?,
                        currency: row.try_get(7)?,
                        traceparent: row.try_get(8)?,
                        created_at: row.try_get(9)?,
                        updated_at: row.try_get(10)?,
                        version: row.try_get(11)?,
                    })
                },
            mapper: |it| OrderRow::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListOrdersParams<T1>,
        OrderRowQuery<'c, 'a, 's, C, OrderRow, 4>,
        C,
    > for ListOrdersStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListOrdersParams<T1>,
    ) -> OrderRowQuery<'c, 'a, 's, C, OrderRow, 4> {
        self.bind(
            client,
            &params.customer_id,
            &params.before_order_id,
            &params.status,
            &params.rows_max,
        )
    }
}
pub struct GetTimelineStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn get_timeline() -> GetTimelineStmt {
    GetTimelineStmt(
        "SELECT t.version, t.status, t.step, t.saga_state, t.cause, t.at FROM order_timeline t JOIN orders o USING (order_id) WHERE t.order_id = $1 AND o.customer_id = $2 AND t.version > $3 ORDER BY t.version",
        None,
    )
}
impl GetTimelineStmt {
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
        customer_id: &'a uuid::Uuid,
        after_version: &'a i64,
    ) -> GetTimelineQuery<'c, 'a, 's, C, GetTimeline, 3> {
        GetTimelineQuery {
            client,
            params: [order_id, customer_id, after_version],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<GetTimelineBorrowed, tokio_postgres::Error> {
                    Ok(GetTimelineBorrowed {
                        version: row.try_get(0)?,
                        status: row.try_get(1)?,
                        step: row.try_get(2)?,
                        saga_state: row.try_get(3)?,
                        cause: row.try_get(4)?,
                        at: row.try_get(5)?,
                    })
                },
            mapper: |it| GetTimeline::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        GetTimelineParams,
        GetTimelineQuery<'c, 'a, 's, C, GetTimeline, 3>,
        C,
    > for GetTimelineStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a GetTimelineParams,
    ) -> GetTimelineQuery<'c, 'a, 's, C, GetTimeline, 3> {
        self.bind(
            client,
            &params.order_id,
            &params.customer_id,
            &params.after_version,
        )
    }
}
