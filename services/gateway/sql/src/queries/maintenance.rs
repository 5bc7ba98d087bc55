// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct SeedAccountParams<T1: crate::StringSql, T2: crate::StringSql> {
    pub customer_id: uuid::Uuid,
    pub email: T1,
    pub password_hash: T2,
}
#[derive(Clone, Copy, Debug)]
pub struct PruneTokensParams {
    pub retention_secs: f64,
    pub rows_max: i64,
}
#[derive(Clone, Copy, Debug)]
pub struct PruneFamiliesParams {
    pub retention_secs: f64,
    pub rows_max: i64,
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
pub struct SeedAccountStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn seed_account() -> SeedAccountStmt {
    SeedAccountStmt(
        "INSERT INTO accounts (customer_id, email, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING customer_id",
        None,
    )
}
impl SeedAccountStmt {
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
        customer_id: &'a uuid::Uuid,
        email: &'a T1,
        password_hash: &'a T2,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        UuidUuidQuery {
            client,
            params: [customer_id, email, password_hash],
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
        SeedAccountParams<T1, T2>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3>,
        C,
    > for SeedAccountStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a SeedAccountParams<T1, T2>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 3> {
        self.bind(
            client,
            &params.customer_id,
            &params.email,
            &params.password_hash,
        )
    }
}
pub struct PruneTokensStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn prune_tokens() -> PruneTokensStmt {
    PruneTokensStmt(
        "DELETE FROM refresh_tokens t WHERE t.token_hash IN ( (SELECT old.token_hash FROM refresh_families f JOIN refresh_tokens old ON old.family_id = f.family_id WHERE f.expires_at < now() - make_interval(secs => $1) ORDER BY f.expires_at LIMIT $2) UNION ALL (SELECT old.token_hash FROM refresh_families f JOIN refresh_tokens old ON old.family_id = f.family_id WHERE f.ended_at < now() - make_interval(secs => $1) ORDER BY f.ended_at LIMIT $2) ) RETURNING t.family_id",
        None,
    )
}
impl PruneTokensStmt {
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
        PruneTokensParams,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2>,
        C,
    > for PruneTokensStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a PruneTokensParams,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        self.bind(client, &params.retention_secs, &params.rows_max)
    }
}
pub struct PruneFamiliesStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn prune_families() -> PruneFamiliesStmt {
    PruneFamiliesStmt(
        "DELETE FROM refresh_families f WHERE f.family_id IN ( (SELECT old.family_id FROM refresh_families old WHERE old.expires_at < now() - make_interval(secs => $1) AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = old.family_id) ORDER BY old.expires_at LIMIT $2) UNION ALL (SELECT old.family_id FROM refresh_families old WHERE old.ended_at < now() - make_interval(secs => $1) AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = old.family_id) ORDER BY old.ended_at LIMIT $2) ) RETURNING f.family_id",
        None,
    )
}
impl PruneFamiliesStmt {
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
        PruneFamiliesParams,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2>,
        C,
    > for PruneFamiliesStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a PruneFamiliesParams,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 2> {
        self.bind(client, &params.retention_secs, &params.rows_max)
    }
}
