// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct LockStockParams<
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
> {
    pub skus: T2,
    pub reservation_ids: T3,
}
#[derive(Debug)]
pub struct LockFreeStockParams<
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
> {
    pub skus: T2,
    pub reservation_ids: T3,
}
#[derive(Debug)]
pub struct KnownSkusParams<
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
> {
    pub skus: T2,
    pub reservation_ids: T3,
}
#[derive(Debug)]
pub struct InsertReservationsParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = i64>,
    T3: crate::StringSql,
    T4: crate::ArraySql<Item = T3>,
    T5: crate::ArraySql<Item = Option<i64>>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = Option<T6>>,
    T8: crate::JsonSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
    T12: crate::JsonSql,
    T13: crate::ArraySql<Item = T12>,
> {
    pub reservation_ids: T1,
    pub order_ids: T2,
    pub states: T4,
    pub total_cents: T5,
    pub currencies: T7,
    pub lines: T9,
    pub refusal_reasons: T11,
    pub shortages: T13,
}
#[derive(Debug)]
pub struct MoveReservationsParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::StringSql,
    T3: crate::ArraySql<Item = T2>,
> {
    pub reservation_ids: T1,
    pub states: T3,
}
#[derive(Debug)]
pub struct InsertReleasesParams<
    T1: crate::ArraySql<Item = uuid::Uuid>,
    T2: crate::ArraySql<Item = uuid::Uuid>,
    T3: crate::ArraySql<Item = i64>,
> {
    pub release_ids: T1,
    pub reservation_ids: T2,
    pub order_ids: T3,
}
#[derive(Debug)]
pub struct MoveStockParams<
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = i64>,
    T4: crate::ArraySql<Item = i64>,
> {
    pub skus: T2,
    pub on_hand: T3,
    pub reserved: T4,
}
#[derive(Debug, Clone, PartialEq)]
pub struct LockedReservation {
    pub reservation_id: uuid::Uuid,
    pub order_id: i64,
    pub busy: bool,
    pub state: Option<String>,
    pub total_cents: Option<i64>,
    pub currency: Option<String>,
    pub lines: Option<serde_json::Value>,
    pub refusal_reason: Option<String>,
    pub shortages: Option<serde_json::Value>,
}
pub struct LockedReservationBorrowed<'a> {
    pub reservation_id: uuid::Uuid,
    pub order_id: i64,
    pub busy: bool,
    pub state: Option<&'a str>,
    pub total_cents: Option<i64>,
    pub currency: Option<&'a str>,
    pub lines: Option<postgres_types::Json<&'a serde_json::value::RawValue>>,
    pub refusal_reason: Option<&'a str>,
    pub shortages: Option<postgres_types::Json<&'a serde_json::value::RawValue>>,
}
impl<'a> From<LockedReservationBorrowed<'a>> for LockedReservation {
    fn from(
        LockedReservationBorrowed {
            reservation_id,
            order_id,
            busy,
            state,
            total_cents,
            currency,
            lines,
            refusal_reason,
            shortages,
        }: LockedReservationBorrowed<'a>,
    ) -> Self {
        Self {
            reservation_id,
            order_id,
            busy,
            state: state.map(|v| v.into()),
            total_cents,
            currency: currency.map(|v| v.into()),
            lines: lines.map(|v| serde_json::from_str(v.0.get()).unwrap()),
            refusal_reason: refusal_reason.map(|v| v.into()),
            shortages: shortages.map(|v| serde_json::from_str(v.0.get()).unwrap()),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct LockStock {
    pub sku: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub unit_price_cents: i64,
    pub currency: String,
}
pub struct LockStockBorrowed<'a> {
    pub sku: &'a str,
    pub on_hand: i64,
    pub reserved: i64,
    pub unit_price_cents: i64,
    pub currency: &'a str,
}
impl<'a> From<LockStockBorrowed<'a>> for LockStock {
    fn from(
        LockStockBorrowed {
            sku,
            on_hand,
            reserved,
            unit_price_cents,
            currency,
        }: LockStockBorrowed<'a>,
    ) -> Self {
        Self {
            sku: sku.into(),
            on_hand,
            reserved,
            unit_price_cents,
            currency: currency.into(),
        }
    }
}
#[derive(Debug, Clone, PartialEq)]
pub struct LockFreeStock {
    pub sku: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub unit_price_cents: i64,
    pub currency: String,
}
pub struct LockFreeStockBorrowed<'a> {
    pub sku: &'a str,
    pub on_hand: i64,
    pub reserved: i64,
    pub unit_price_cents: i64,
    pub currency: &'a str,
}
impl<'a> From<LockFreeStockBorrowed<'a>> for LockFreeStock {
    fn from(
        LockFreeStockBorrowed {
            sku,
            on_hand,
            reserved,
            unit_price_cents,
            currency,
        }: LockFreeStockBorrowed<'a>,
    ) -> Self {
        Self {
            sku: sku.into(),
            on_hand,
            reserved,
            unit_price_cents,
            currency: currency.into(),
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct LockedReservationQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LockedReservationBorrowed, tokio_postgres::Error>,
    mapper: fn(LockedReservationBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LockedReservationQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(LockedReservationBorrowed) -> R,
    ) -> LockedReservationQuery<'c, 'a, 's, C, R, N> {
        LockedReservationQuery {
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
pub struct LockStockQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LockStockBorrowed, tokio_postgres::Error>,
    mapper: fn(LockStockBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LockStockQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(LockStockBorrowed) -> R) -> LockStockQuery<'c, 'a, 's, C, R, N> {
        LockStockQuery {
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
pub struct LockFreeStockQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LockFreeStockBorrowed, tokio_postgres::Error>,
    mapper: fn(LockFreeStockBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LockFreeStockQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(LockFreeStockBorrowed) -> R,
    ) -> LockFreeStockQuery<'c, 'a, 's, C, R, N> {
        LockFreeStockQuery {
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
pub struct StringQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<&str, tokio_postgres::Error>,
    mapper: fn(&str) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> StringQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(&str) -> R) -> StringQuery<'c, 'a, 's, C, R, N> {
        StringQuery {
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
pub struct LockReservationsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn lock_reservations() -> LockReservationsStmt {
    LockReservationsStmt(
        "WITH locked AS MATERIALIZED ( SELECT reservation_id, state, total_cents, currency, lines, refusal_reason, shortages FROM reservations WHERE reservation_id = ANY($1) ORDER BY reservation_id FOR NO KEY UPDATE SKIP LOCKED ) SELECT r.reservation_id, r.order_id, l.reservation_id IS NULL AS busy, l.state, l.total_cents, l.currency, l.lines, l.refusal_reason, l.shortages FROM reservations r LEFT JOIN locked l USING (reservation_id) WHERE r.reservation_id = ANY($1)",
        None,
    )
}
impl LockReservationsStmt {
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
        reservation_ids: &'a T1,
    ) -> LockedReservationQuery<'c, 'a, 's, C, LockedReservation, 1> {
        LockedReservationQuery {
            client,
            params: [reservation_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |
                row: &tokio_postgres::Row,
            | -> Result<LockedReservationBorrowed, tokio_postgres::Error> {
                Ok(LockedReservationBorrowed {
                    reservation_id: row.try_get(0)?,
                    order_id: row.try_get(1)?,
                    busy: row.try_get(2)?,
                    state: row.try_get(3)?,
                    total_cents: row.try_get(4)?,
                    currency: row.try_get(5)?,
                    lines: row.try_get(6)?,
                    refusal_reason: row.try_get(7)?,
                    shortages: row.try_get(8)?,
                })
            },
            mapper: |it| LockedReservation::from(it),
        }
    }
}
pub struct LockStockStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn lock_stock() -> LockStockStmt {
    LockStockStmt(
        "SELECT s.sku, s.on_hand, s.reserved, p.unit_price_cents, p.currency FROM stock s JOIN products p USING (sku) WHERE s.sku = ANY(ARRAY( SELECT unnest($1::text[]) UNION ALL SELECT l.sku FROM reservation_lines l WHERE l.reservation_id = ANY($2) AND l.state = 'HELD')) ORDER BY s.sku FOR NO KEY UPDATE OF s",
        None,
    )
}
impl LockStockStmt {
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
        T2: crate::ArraySql<Item = T1>,
        T3: crate::ArraySql<Item = uuid::Uuid>,
    >(
        &'s self,
        client: &'c C,
        skus: &'a T2,
        reservation_ids: &'a T3,
    ) -> LockStockQuery<'c, 'a, 's, C, LockStock, 2> {
        LockStockQuery {
            client,
            params: [skus, reservation_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LockStockBorrowed, tokio_postgres::Error> {
                    Ok(LockStockBorrowed {
                        sku: row.try_get(0)?,
                        on_hand: row.try_get(1)?,
                        reserved: row.try_get(2)?,
                        unit_price_cents: row.try_get(3)?,
                        currency: row.try_get(4)?,
                    })
                },
            mapper: |it| LockStock::from(it),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        LockStockParams<T1, T2, T3>,
        LockStockQuery<'c, 'a, 's, C, LockStock, 2>,
        C,
    > for LockStockStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a LockStockParams<T1, T2, T3>,
    ) -> LockStockQuery<'c, 'a, 's, C, LockStock, 2> {
        self.bind(client, &params.skus, &params.reservation_ids)
    }
}
pub struct LockFreeStockStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn lock_free_stock() -> LockFreeStockStmt {
    LockFreeStockStmt(
        "SELECT s.sku, s.on_hand, s.reserved, p.unit_price_cents, p.currency FROM stock s JOIN products p USING (sku) WHERE s.sku = ANY(ARRAY( SELECT unnest($1::text[]) UNION ALL SELECT l.sku FROM reservation_lines l WHERE l.reservation_id = ANY($2) AND l.state = 'HELD')) ORDER BY s.sku FOR NO KEY UPDATE OF s SKIP LOCKED",
        None,
    )
}
impl LockFreeStockStmt {
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
        T2: crate::ArraySql<Item = T1>,
        T3: crate::ArraySql<Item = uuid::Uuid>,
    >(
        &'s self,
        client: &'c C,
        skus: &'a T2,
        reservation_ids: &'a T3,
    ) -> LockFreeStockQuery<'c, 'a, 's, C, LockFreeStock, 2> {
        LockFreeStockQuery {
            client,
            params: [skus, reservation_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LockFreeStockBorrowed, tokio_postgres::Error> {
                    Ok(LockFreeStockBorrowed {
                        sku: row.try_get(0)?,
                        on_hand: row.try_get(1)?,
                        reserved: row.try_get(2)?,
                        unit_price_cents: row.try_get(3)?,
                        currency: row.try_get(4)?,
                    })
                },
            mapper: |it| LockFreeStock::from(it),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        LockFreeStockParams<T1, T2, T3>,
        LockFreeStockQuery<'c, 'a, 's, C, LockFreeStock, 2>,
        C,
    > for LockFreeStockStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a LockFreeStockParams<T1, T2, T3>,
    ) -> LockFreeStockQuery<'c, 'a, 's, C, LockFreeStock, 2> {
        self.bind(client, &params.skus, &params.reservation_ids)
    }
}
pub struct KnownSkusStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn known_skus() -> KnownSkusStmt {
    KnownSkusStmt(
        "SELECT s.sku FROM stock s WHERE s.sku = ANY(ARRAY( SELECT unnest($1::text[]) UNION ALL SELECT l.sku FROM reservation_lines l WHERE l.reservation_id = ANY($2) AND l.state = 'HELD'))",
        None,
    )
}
impl KnownSkusStmt {
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
        T2: crate::ArraySql<Item = T1>,
        T3: crate::ArraySql<Item = uuid::Uuid>,
    >(
        &'s self,
        client: &'c C,
        skus: &'a T2,
        reservation_ids: &'a T3,
    ) -> StringQuery<'c, 'a, 's, C, String, 2> {
        StringQuery {
            client,
            params: [skus, reservation_ids],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it.into(),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = uuid::Uuid>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        KnownSkusParams<T1, T2, T3>,
        StringQuery<'c, 'a, 's, C, String, 2>,
        C,
    > for KnownSkusStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a KnownSkusParams<T1, T2, T3>,
    ) -> StringQuery<'c, 'a, 's, C, String, 2> {
        self.bind(client, &params.skus, &params.reservation_ids)
    }
}
pub struct InsertReservationsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn insert_reservations() -> InsertReservationsStmt {
    InsertReservationsStmt(
        "INSERT INTO reservations (reservation_id, order_id, state, total_cents, currency, lines, refusal_reason, shortages) SELECT * FROM unnest( $1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::jsonb[], $7::text[], $8::jsonb[]) RETURNING reservation_id",
        None,
    )
}
impl InsertReservationsStmt {
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
        T3: crate::StringSql,
        T4: crate::ArraySql<Item = T3>,
        T5: crate::ArraySql<Item = Option<i64>>,
        T6: crate::StringSql,
        T7: crate::ArraySql<Item = Option<T6>>,
        T8: crate::JsonSql,
        T9: crate::ArraySql<Item = T8>,
        T10: crate::StringSql,
        T11: crate::ArraySql<Item = Option<T10>>,
        T12: crate::JsonSql,
        T13: crate::ArraySql<Item = T12>,
    >(
        &'s self,
        client: &'c C,
        reservation_ids: &'a T1,
        order_ids: &'a T2,
        states: &'a T4,
        total_cents: &'a T5,
        currencies: &'a T7,
        lines: &'a T9,
        refusal_reasons: &'a T11,
        shortages: &'a T13,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 8> {
        UuidUuidQuery {
            client,
            params: [
                reservation_ids,
                order_ids,
                states,
                total_cents,
                currencies,
                lines,
                refusal_reasons,
                shortages,
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
    T3: crate::StringSql,
    T4: crate::ArraySql<Item = T3>,
    T5: crate::ArraySql<Item = Option<i64>>,
    T6: crate::StringSql,
    T7: crate::ArraySql<Item = Option<T6>>,
    T8: crate::JsonSql,
    T9: crate::ArraySql<Item = T8>,
    T10: crate::StringSql,
    T11: crate::ArraySql<Item = Option<T10>>,
    T12: crate::JsonSql,
    T13: crate::ArraySql<Item = T12>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        InsertReservationsParams<T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 8>,
        C,
    > for InsertReservationsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a InsertReservationsParams<
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
        >,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 8> {
        self.bind(
            client,
            &params.reservation_ids,
            &params.order_ids,
            &params.states,
            &params.total_cents,
            &params.currencies,
            &params.lines,
            &params.refusal_reasons,
            &params.shortages,
        )
    }
}
pub struct MoveReservationsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn move_reservations() -> MoveReservationsStmt {
    MoveReservationsStmt(
        "UPDATE reservations r SET state = m.state, updated_at = now() FROM unnest($1::uuid[], $2::text[]) AS m (reservation_id, state) WHERE r.reservation_id = m.reservation_id RETURNING r.reservation_id",
        None,
    )
}
impl MoveReservationsStmt {
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
        T2: crate::StringSql,
        T3: crate::ArraySql<Item = T2>,
    >(
        &'s self,
        client: &'c C,
        reservation_ids: &'a T1,
        states: &'a T3,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        UuidUuidQuery {
            client,
            params: [reservation_ids, states],
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
    T2: crate::StringSql,
    T3: crate::ArraySql<Item = T2>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        MoveReservationsParams<T1, T2, T3>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2>,
        C,
    > for MoveReservationsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a MoveReservationsParams<T1, T2, T3>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        self.bind(client, &params.reservation_ids, &params.states)
    }
}
pub struct InsertReleasesStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn insert_releases() -> InsertReleasesStmt {
    InsertReleasesStmt(
        "INSERT INTO processed_releases (release_id, reservation_id, order_id) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) RETURNING release_id",
        None,
    )
}
impl InsertReleasesStmt {
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
    >(
        &'s self,
        client: &'c C,
        release_ids: &'a T1,
        reservation_ids: &'a T2,
        order_ids: &'a T3,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        UuidUuidQuery {
            client,
            params: [release_ids, reservation_ids, order_ids],
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
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        InsertReleasesParams<T1, T2, T3>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3>,
        C,
    > for InsertReleasesStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a InsertReleasesParams<T1, T2, T3>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        self.bind(
            client,
            &params.release_ids,
            &params.reservation_ids,
            &params.order_ids,
        )
    }
}
pub struct MoveStockStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn move_stock() -> MoveStockStmt {
    MoveStockStmt(
        "UPDATE stock s SET on_hand = s.on_hand + d.on_hand, reserved = s.reserved + d.reserved FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS d (sku, on_hand, reserved) WHERE s.sku = d.sku RETURNING s.sku",
        None,
    )
}
impl MoveStockStmt {
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
        T2: crate::ArraySql<Item = T1>,
        T3: crate::ArraySql<Item = i64>,
        T4: crate::ArraySql<Item = i64>,
    >(
        &'s self,
        client: &'c C,
        skus: &'a T2,
        on_hand: &'a T3,
        reserved: &'a T4,
    ) -> StringQuery<'c, 'a, 's, C, String, 3> {
        StringQuery {
            client,
            params: [skus, on_hand, reserved],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it.into(),
        }
    }
}
impl<
    'c,
    'a,
    's,
    C: GenericClient,
    T1: crate::StringSql,
    T2: crate::ArraySql<Item = T1>,
    T3: crate::ArraySql<Item = i64>,
    T4: crate::ArraySql<Item = i64>,
>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        MoveStockParams<T1, T2, T3, T4>,
        StringQuery<'c, 'a, 's, C, String, 3>,
        C,
    > for MoveStockStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a MoveStockParams<T1, T2, T3, T4>,
    ) -> StringQuery<'c, 'a, 's, C, String, 3> {
        self.bind(client, &params.skus, &params.on_hand, &params.reserved)
    }
}
