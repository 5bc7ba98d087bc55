// This file was generated with `clorinde`. Do not modify.

#[derive(Debug, Clone, PartialEq, Copy)]
pub struct ActiveSagas {
    pub reserving: i64,
    pub awaiting_payment: i64,
    pub voiding: i64,
    pub releasing: i64,
    pub committing: i64,
    pub committing_for_refund: i64,
    pub releasing_for_refund: i64,
    pub refunding: i64,
    pub settling: i64,
    pub oldest_age_secs: f64,
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct StuckSagas {
    pub commit_refused: i64,
    pub release_refused: i64,
    pub refund_refused: i64,
    pub payment_mismatch: i64,
    pub call_refused: i64,
    pub poison: i64,
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct OutboxBacklog {
    pub unpublished: i64,
    pub lag_secs: f64,
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct LettersByState {
    pub open: i64,
    pub replayed: i64,
    pub discarded: i64,
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct ActiveSagasQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<ActiveSagas, tokio_postgres::Error>,
    mapper: fn(ActiveSagas) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> ActiveSagasQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(ActiveSagas) -> R) -> ActiveSagasQuery<'c, 'a, 's, C, R, N> {
        ActiveSagasQuery {
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
pub struct StuckSagasQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<StuckSagas, tokio_postgres::Error>,
    mapper: fn(StuckSagas) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> StuckSagasQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(StuckSagas) -> R) -> StuckSagasQuery<'c, 'a, 's, C, R, N> {
        StuckSagasQuery {
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
pub struct OutboxBacklogQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<OutboxBacklog, tokio_postgres::Error>,
    mapper: fn(OutboxBacklog) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> OutboxBacklogQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(OutboxBacklog) -> R) -> OutboxBacklogQuery<'c, 'a, 's, C, R, N> {
        OutboxBacklogQuery {
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
pub struct LettersByStateQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<LettersByState, tokio_postgres::Error>,
    mapper: fn(LettersByState) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> LettersByStateQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(LettersByState) -> R,
    ) -> LettersByStateQuery<'c, 'a, 's, C, R, N> {
        LettersByStateQuery {
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
pub struct ActiveSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn active_sagas() -> ActiveSagasStmt {
    ActiveSagasStmt(
        "SELECT count(*) FILTER (WHERE step = 'reserving') AS reserving, count(*) FILTER (WHERE step = 'awaiting_payment') AS awaiting_payment, count(*) FILTER (WHERE step = 'voiding') AS voiding, count(*) FILTER (WHERE step = 'releasing') AS releasing, count(*) FILTER (WHERE step = 'committing') AS committing, count(*) FILTER (WHERE step = 'committing_for_refund') AS committing_for_refund, count(*) FILTER (WHERE step = 'releasing_for_refund') AS releasing_for_refund, count(*) FILTER (WHERE step = 'refunding') AS refunding, count(*) FILTER (WHERE step = 'settling') AS settling, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_age_secs FROM orders WHERE wake_at IS NOT NULL",
        None,
    )
}
impl ActiveSagasStmt {
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
    ) -> ActiveSagasQuery<'c, 'a, 's, C, ActiveSagas, 0> {
        ActiveSagasQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<ActiveSagas, tokio_postgres::Error> {
                Ok(ActiveSagas {
                    reserving: row.try_get(0)?,
                    awaiting_payment: row.try_get(1)?,
                    voiding: row.try_get(2)?,
                    releasing: row.try_get(3)?,
                    committing: row.try_get(4)?,
                    committing_for_refund: row.try_get(5)?,
                    releasing_for_refund: row.try_get(6)?,
                    refunding: row.try_get(7)?,
                    settling: row.try_get(8)?,
                    oldest_age_secs: row.try_get(9)?,
                })
            },
            mapper: |it| ActiveSagas::from(it),
        }
    }
}
pub struct StuckSagasStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn stuck_sagas() -> StuckSagasStmt {
    StuckSagasStmt(
        "SELECT count(*) FILTER (WHERE details->>'reason' = 'commit_refused') AS commit_refused, count(*) FILTER (WHERE details->>'reason' = 'release_refused') AS release_refused, count(*) FILTER (WHERE details->>'reason' = 'refund_refused') AS refund_refused, count(*) FILTER (WHERE details->>'reason' = 'payment_mismatch') AS payment_mismatch, count(*) FILTER (WHERE details->>'reason' = 'call_refused') AS call_refused, count(*) FILTER (WHERE details->>'reason' = 'poison') AS poison FROM orders WHERE saga_state = 'STUCK'",
        None,
    )
}
impl StuckSagasStmt {
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
    ) -> StuckSagasQuery<'c, 'a, 's, C, StuckSagas, 0> {
        StuckSagasQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<StuckSagas, tokio_postgres::Error> {
                Ok(StuckSagas {
                    commit_refused: row.try_get(0)?,
                    release_refused: row.try_get(1)?,
                    refund_refused: row.try_get(2)?,
                    payment_mismatch: row.try_get(3)?,
                    call_refused: row.try_get(4)?,
                    poison: row.try_get(5)?,
                })
            },
            mapper: |it| StuckSagas::from(it),
        }
    }
}
pub struct OutboxBacklogStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn outbox_backlog() -> OutboxBacklogStmt {
    OutboxBacklogStmt(
        "SELECT count(*) AS unpublished, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS lag_secs FROM outbox WHERE published_at IS NULL",
        None,
    )
}
impl OutboxBacklogStmt {
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
    ) -> OutboxBacklogQuery<'c, 'a, 's, C, OutboxBacklog, 0> {
        OutboxBacklogQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<OutboxBacklog, tokio_postgres::Error> {
                Ok(OutboxBacklog {
                    unpublished: row.try_get(0)?,
                    lag_secs: row.try_get(1)?,
                })
            },
            mapper: |it| OutboxBacklog::from(it),
        }
    }
}
pub struct LettersByStateStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn letters_by_state() -> LettersByStateStmt {
    LettersByStateStmt(
        "SELECT count(*) FILTER (WHERE replayed_at IS NULL AND discarded_at IS NULL) AS open, count(*) FILTER (WHERE replayed_at IS NOT NULL) AS replayed, count(*) FILTER (WHERE replayed_at IS NULL AND discarded_at IS NOT NULL) AS discarded FROM dead_letters",
        None,
    )
}
impl LettersByStateStmt {
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
    ) -> LettersByStateQuery<'c, 'a, 's, C, LettersByState, 0> {
        LettersByStateQuery {
            client,
            params: [],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<LettersByState, tokio_postgres::Error> {
                    Ok(LettersByState {
                        open: row.try_get(0)?,
                        replayed: row.try_get(1)?,
                        discarded: row.try_get(2)?,
                    })
                },
            mapper: |it| LettersByState::from(it),
        }
    }
}
