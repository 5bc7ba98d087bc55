//! Accounts and refresh tokens in gatewaydb.
//!
//! Each call is one autocommit statement that names what it writes, so that one whose answer was lost is repeated, once, on another
//! connection: a repetition finds its own rows and says so. The caller's deadline bounds both tries.

use std::time::Duration;

use futures::future::BoxFuture;
use gateway_sql::queries::accounts as sql;
use shopapi_auth::{
    Account, AccountStore, CustomerId, Email, NewAccount, NewFamily, PasswordHash, Rate,
    Registered, Rotation, StoreDown, TokenHash,
};
use shopapi_postgres::{Client, Failure, FailureClass, ReadPool, timed};
use tokio::time::timeout;
use tracing::warn;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PgAccounts {
    pool: ReadPool,
    deadline: Duration,
}

/// A statement, repeatable.
enum Statement<'a> {
    Find(&'a Email),
    Register(&'a NewAccount, NewFamily),
    Open {
        customer: CustomerId,
        family: NewFamily,
        live_max: u32,
    },
    Rotate {
        presented: TokenHash,
        fresh: TokenHash,
        rate: Rate,
    },
    Logout(TokenHash),
}

impl Statement<'_> {
    /// As metrics call it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Find(_) => "find_account",
            Self::Register(..) => "register",
            Self::Open { .. } => "open_session",
            Self::Rotate { .. } => "rotate",
            Self::Logout(_) => "logout",
        }
    }
}

/// What a statement brings back; each reads the part it asked for.
enum Found {
    Account(Option<sql::FindAccount>),
    Rotated(Option<sql::Rotate>),
    /// Whether a row was written.
    Written(bool),
}

impl PgAccounts {
    pub(crate) fn new(pool: ReadPool, deadline: Duration) -> Self {
        Self { pool, deadline }
    }

    async fn run(&self, statement: Statement<'_>) -> Result<Found, StoreDown> {
        match timeout(self.deadline, self.run_twice(&statement)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(failure)) => {
                warn!(%failure, "accounts cannot be read or written");
                Err(StoreDown("the database refuses or is away".to_owned()))
            }
            Err(_elapsed) => {
                warn!(deadline = ?self.deadline, "accounts did not answer in time");
                Err(StoreDown("the database is late".to_owned()))
            }
        }
    }

    async fn run_twice(&self, statement: &Statement<'_>) -> Result<Found, Failure> {
        let failure = match self.run_once(statement).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        match failure.class {
            FailureClass::Unknown | FailureClass::Retry | FailureClass::StalePlan => {
                self.run_once(statement).await
            }
            FailureClass::Data | FailureClass::Disconnected | FailureClass::Other => Err(failure),
        }
    }

    async fn run_once(&self, statement: &Statement<'_>) -> Result<Found, Failure> {
        let client = self.pool.get().await?;
        timed(statement.name(), execute(&client, statement))
            .await
            .map_err(|error| self.pool.judge(client, &error))
    }
}

async fn execute(
    client: &Client,
    statement: &Statement<'_>,
) -> Result<Found, tokio_postgres::Error> {
    Ok(match statement {
        Statement::Find(email) => Found::Account(
            sql::find_account()
                .bind(client, &email.as_str())
                .opt()
                .await?,
        ),
        Statement::Register(account, family) => {
            let written = sql::register()
                .bind(
                    client,
                    &account.customer.0,
                    &account.email.as_str(),
                    &account.password.as_str(),
                    &family.id,
                    &family.lifetime.as_secs_f64(),
                    &&family.token.0[..],
                )
                .opt()
                .await?;
            Found::Written(written.is_some())
        }
        Statement::Open {
            customer,
            family,
            live_max,
        } => {
            let written = sql::open_session()
                .bind(
                    client,
                    &family.id,
                    &customer.0,
                    &family.lifetime.as_secs_f64(),
                    &&family.token.0[..],
                    // Beside the new one.
                    &i64::from(live_max.saturating_sub(1)),
                )
                .opt()
                .await?;
            Found::Written(written.is_some())
        }
        Statement::Rotate {
            presented,
            fresh,
            rate,
        } => Found::Rotated(
            sql::rotate()
                .bind(
                    client,
                    &&fresh.0[..],
                    &rate.refill.as_secs_f64(),
                    &(rate.refill * rate.burst).as_secs_f64(),
                    &&presented.0[..],
                )
                .opt()
                .await?,
        ),
        Statement::Logout(token) => {
            let written = sql::logout().bind(client, &&token.0[..]).opt().await?;
            Found::Written(written.is_some())
        }
    })
}

fn account(row: sql::FindAccount) -> Result<Account, StoreDown> {
    let password = PasswordHash::from_stored(row.password_hash).ok_or_else(|| {
        warn!(customer = %row.customer_id, "a stored password hash cannot be read");
        StoreDown("a stored password hash cannot be read".to_owned())
    })?;
    Ok(Account {
        customer: CustomerId(row.customer_id),
        password,
    })
}

fn rotation(row: Option<sql::Rotate>) -> Rotation {
    match row {
        Some(sql::Rotate {
            alive: true,
            unused,
            repeated,
            customer_id,
            family_id,
            wait_secs,
        }) => {
            if !unused && !repeated {
                Rotation::Reused(family_id)
            } else if unused && wait_secs > 0.0 {
                // Never longer than it takes to get one refresh back, so it always is a duration.
                Rotation::TooOften(Duration::try_from_secs_f64(wait_secs).unwrap_or_default())
            } else {
                Rotation::Fresh(CustomerId(customer_id))
            }
        }
        Some(sql::Rotate { alive: false, .. }) | None => Rotation::Refused,
    }
}

impl AccountStore for PgAccounts {
    fn find<'a>(&'a self, email: &'a Email) -> BoxFuture<'a, Result<Option<Account>, StoreDown>> {
        Box::pin(async move {
            match self.run(Statement::Find(email)).await? {
                Found::Account(Some(row)) => account(row).map(Some),
                _ => Ok(None),
            }
        })
    }

    fn register<'a>(
        &'a self,
        new: &'a NewAccount,
        family: NewFamily,
    ) -> BoxFuture<'a, Result<Registered, StoreDown>> {
        Box::pin(async move {
            if let Found::Written(true) = self.run(Statement::Register(new, family)).await? {
                return Ok(Registered::Done);
            }
            // Somebody has the e-mail: ourselves, when the first answer was lost.
            Ok(match self.run(Statement::Find(&new.email)).await? {
                Found::Account(Some(row)) if row.customer_id == new.customer.0 => Registered::Done,
                _ => Registered::EmailTaken,
            })
        })
    }

    fn open(
        &self,
        customer: CustomerId,
        family: NewFamily,
        live_max: u32,
    ) -> BoxFuture<'_, Result<(), StoreDown>> {
        let open = Statement::Open {
            customer,
            family,
            live_max,
        };
        Box::pin(async move { self.run(open).await.map(drop) })
    }

    fn rotate(
        &self,
        presented: TokenHash,
        fresh: TokenHash,
        rate: Rate,
    ) -> BoxFuture<'_, Result<Rotation, StoreDown>> {
        let rotate = Statement::Rotate {
            presented,
            fresh,
            rate,
        };
        Box::pin(async move {
            match self.run(rotate).await? {
                Found::Rotated(row) => Ok(rotation(row)),
                _ => Ok(Rotation::Refused),
            }
        })
    }

    fn logout(&self, token: TokenHash) -> BoxFuture<'_, Result<(), StoreDown>> {
        Box::pin(async move { self.run(Statement::Logout(token)).await.map(drop) })
    }
}

#[cfg(test)]
mod tests;
