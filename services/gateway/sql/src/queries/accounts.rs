// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct RegisterParams<T1: crate::StringSql, T2: crate::StringSql, T3: crate::BytesSql> {
    pub customer_id: uuid::Uuid,
    pub email: T1,
    pub password_hash: T2,
    pub family_id: uuid::Uuid,
    pub lifetime_secs: f64,
    pub token_hash: T3,
}
#[derive(Debug)]
pub struct OpenSessionParams<T1: crate::BytesSql> {
    pub family_id: uuid::Uuid,
    pub customer_id: uuid::Uuid,
    pub lifetime_secs: f64,
    pub token_hash: T1,
    pub others_max: i64,
}
#[derive(Debug)]
pub struct RotateParams<T1: crate::BytesSql, T2: crate::BytesSql> {
    pub fresh: T1,
    pub refill_secs: f64,
    pub burst_secs: f64,
    pub presented: T2,
}
#[derive(Debug, Clone, PartialEq)]
pub struct FindAccount {
    pub customer_id: uuid::Uuid,
    pub password_hash: String,
}
pub struct FindAccountBorrowed<'a> {
    pub customer_id: uuid::Uuid,
    pub password_hash: &'a str,
}
impl<'a> From<FindAccountBorrowed<'a>> for FindAccount {
    fn from(
        FindAccountBorrowed {
            customer_id,
            password_hash,
        }: FindAccountBorrowed<'a>,
    ) -> Self {
        Self {
            customer_id,
            password_hash: password_hash.into(),
        }
    }
}
#[derive(Debug, Clone, PartialEq, Copy)]
pub struct Rotate {
    pub family_id: uuid::Uuid,
    pub customer_id: uuid::Uuid,
    pub alive: bool,
    pub unused: bool,
    pub repeated: bool,
    pub wait_secs: f64,
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct FindAccountQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<FindAccountBorrowed, tokio_postgres::Error>,
    mapper: fn(FindAccountBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> FindAccountQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(
        self,
        mapper: fn(FindAccountBorrowed) -> R,
    ) -> FindAccountQuery<'c, 'a, 's, C, R, N> {
        FindAccountQuery {
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
pub struct RotateQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<Rotate, tokio_postgres::Error>,
    mapper: fn(Rotate) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> RotateQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(Rotate) -> R) -> RotateQuery<'c, 'a, 's, C, R, N> {
        RotateQuery {
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
pub struct FindAccountStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn find_account() -> FindAccountStmt {
    FindAccountStmt(
        "SELECT customer_id, password_hash FROM accounts WHERE email = $1",
        None,
    )
}
impl FindAccountStmt {
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
        email: &'a T1,
    ) -> FindAccountQuery<'c, 'a, 's, C, FindAccount, 1> {
        FindAccountQuery {
            client,
            params: [email],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<FindAccountBorrowed, tokio_postgres::Error> {
                    Ok(FindAccountBorrowed {
                        customer_id: row.try_get(0)?,
                        password_hash: row.try_get(1)?,
                    })
                },
            mapper: |it| FindAccount::from(it),
        }
    }
}
pub struct RegisterStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn register() -> RegisterStmt {
    RegisterStmt(
        "WITH account AS ( INSERT INTO accounts (customer_id, email, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING customer_id ), family AS ( INSERT INTO refresh_families (family_id, customer_id, expires_at) SELECT $4, customer_id, now() + make_interval(secs => $5) FROM account RETURNING family_id, customer_id ), token AS ( INSERT INTO refresh_tokens (token_hash, family_id) SELECT $6, family_id FROM family ) SELECT customer_id FROM family",
        None,
    )
}
impl RegisterStmt {
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
        T3: crate::BytesSql,
    >(
        &'s self,
        client: &'c C,
        customer_id: &'a uuid::Uuid,
        email: &'a T1,
        password_hash: &'a T2,
        family_id: &'a uuid::Uuid,
        lifetime_secs: &'a f64,
        token_hash: &'a T3,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        UuidUuidQuery {
            client,
            params: [
                customer_id,
                email,
                password_hash,
                family_id,
                lifetime_secs,
                token_hash,
            ],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql, T2: crate::StringSql, T3: crate::BytesSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        RegisterParams<T1, T2, T3>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6>,
        C,
    > for RegisterStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a RegisterParams<T1, T2, T3>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 6> {
        self.bind(
            client,
            &params.customer_id,
            &params.email,
            &params.password_hash,
            &params.family_id,
            &params.lifetime_secs,
            &params.token_hash,
        )
    }
}
pub struct OpenSessionStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn open_session() -> OpenSessionStmt {
    OpenSessionStmt(
        "WITH family AS ( INSERT INTO refresh_families (family_id, customer_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3)) ON CONFLICT DO NOTHING RETURNING family_id, customer_id ), token AS ( INSERT INTO refresh_tokens (token_hash, family_id) SELECT $4, family_id FROM family ), crowd AS ( SELECT f.family_id FROM refresh_families f WHERE f.family_id IN ( SELECT old.family_id FROM refresh_families old JOIN family ON family.customer_id = old.customer_id WHERE old.ended_because IS NULL AND old.expires_at > now() ORDER BY old.created_at DESC, old.family_id DESC OFFSET $5 ) FOR NO KEY UPDATE SKIP LOCKED ), ended AS ( UPDATE refresh_families f SET ended_at = now(), ended_because = 'crowded_out' FROM crowd WHERE f.family_id = crowd.family_id ) SELECT family_id FROM family",
        None,
    )
}
impl OpenSessionStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::BytesSql>(
        &'s self,
        client: &'c C,
        family_id: &'a uuid::Uuid,
        customer_id: &'a uuid::Uuid,
        lifetime_secs: &'a f64,
        token_hash: &'a T1,
        others_max: &'a i64,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 5> {
        UuidUuidQuery {
            client,
            params: [
                family_id,
                customer_id,
                lifetime_secs,
                token_hash,
                others_max,
            ],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::BytesSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        OpenSessionParams<T1>,
        UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 5>,
        C,
    > for OpenSessionStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a OpenSessionParams<T1>,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 5> {
        self.bind(
            client,
            &params.family_id,
            &params.customer_id,
            &params.lifetime_secs,
            &params.token_hash,
            &params.others_max,
        )
    }
}
pub struct RotateStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn rotate() -> RotateStmt {
    RotateStmt(
        "WITH found AS MATERIALIZED ( SELECT f.family_id, f.customer_id, f.ended_because IS NULL AND f.expires_at > now() AS alive, t.used_at IS NULL AS unused, t.replaced_by IS NOT DISTINCT FROM $1 AS repeated, extract(epoch FROM greatest(f.refreshes_full_at, now()) - now())::float8 + $2 - $3 AS wait_secs FROM refresh_tokens t JOIN refresh_families f ON f.family_id = t.family_id WHERE t.token_hash = $4 FOR UPDATE ), used AS ( UPDATE refresh_tokens t SET used_at = now(), replaced_by = $1 FROM found WHERE t.token_hash = $4 AND found.alive AND found.unused AND found.wait_secs <= 0 RETURNING t.family_id ), paid AS ( UPDATE refresh_families f SET refreshes_full_at = greatest(f.refreshes_full_at, now()) + make_interval(secs => $2) FROM used WHERE f.family_id = used.family_id ), fresh AS ( INSERT INTO refresh_tokens (token_hash, family_id) SELECT $1, family_id FROM used ), ended AS ( UPDATE refresh_families f SET ended_at = now(), ended_because = 'reuse' FROM found WHERE f.family_id = found.family_id AND found.alive AND NOT found.unused AND NOT found.repeated ) SELECT family_id, customer_id, alive, unused, repeated, wait_secs FROM found",
        None,
    )
}
impl RotateStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::BytesSql, T2: crate::BytesSql>(
        &'s self,
        client: &'c C,
        fresh: &'a T1,
        refill_secs: &'a f64,
        burst_secs: &'a f64,
        presented: &'a T2,
    ) -> RotateQuery<'c, 'a, 's, C, Rotate, 4> {
        RotateQuery {
            client,
            params: [fresh, refill_secs, burst_secs, presented],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row: &tokio_postgres::Row| -> Result<Rotate, tokio_postgres::Error> {
                Ok(Rotate {
                    family_id: row.try_get(0)?,
                    customer_id: row.try_get(1)?,
                    alive: row.try_get(2)?,
                    unused: row.try_get(3)?,
                    repeated: row.try_get(4)?,
                    wait_secs: row.try_get(5)?,
                })
            },
            mapper: |it| Rotate::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::BytesSql, T2: crate::BytesSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        RotateParams<T1, T2>,
        RotateQuery<'c, 'a, 's, C, Rotate, 4>,
        C,
    > for RotateStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a RotateParams<T1, T2>,
    ) -> RotateQuery<'c, 'a, 's, C, Rotate, 4> {
        self.bind(
            client,
            &params.fresh,
            &params.refill_secs,
            &params.burst_secs,
            &params.presented,
        )
    }
}
pub struct LogoutStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn logout() -> LogoutStmt {
    LogoutStmt(
        "UPDATE refresh_families f SET ended_at = now(), ended_because = 'logout' FROM refresh_tokens t WHERE t.token_hash = $1 AND f.family_id = t.family_id AND f.ended_because IS NULL RETURNING f.family_id",
        None,
    )
}
impl LogoutStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::BytesSql>(
        &'s self,
        client: &'c C,
        token_hash: &'a T1,
    ) -> UuidUuidQuery<'c, 'a, 's, C, uuid::Uuid, 1> {
        UuidUuidQuery {
            client,
            params: [token_hash],
            query: self.0,
            cached: self.1.as_ref(),
            extractor: |row| Ok(row.try_get(0)?),
            mapper: |it| it,
        }
    }
}
