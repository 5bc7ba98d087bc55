//! Reading the payments, and claiming what is due.

use payment::ledger::{BooksUnavailable, Claim, PaymentBooks};
use payment::{Payment, PaymentId};
use payments_sql::queries::ledger::{claim_due, load_payments};
use shopapi_postgres::{Disconnected, Failure, PgConfig, ReadPool, timed};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::database::{Database, Trouble};
use crate::ledger::payment;

/// Loads go through the read pool; claims have a connection of their own, so that neither waits for the other.
pub(crate) struct Books {
    pool: ReadPool,
    claims: Mutex<Database>,
}

impl Books {
    pub(crate) fn new(config: &PgConfig, pool: ReadPool) -> Self {
        Self {
            pool,
            claims: Mutex::new(Database::new(config, "payments sweep")),
        }
    }
}

impl PaymentBooks for Books {
    async fn load(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, BooksUnavailable> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let client = self.pool.get().await.map_err(|lost| away(&lost))?;
        let query = load_payments();
        let reading = Database::bounded(query.bind(&client, &ids).all());
        let rows = timed("read", reading).await;
        drop(query);
        match rows {
            Ok(rows) => Ok(rows.iter().filter_map(payment).collect()),
            Err(Trouble::Error(error)) => Err(failed(&self.pool.judge(client, &error))),
            Err(Trouble::Overdue) => {
                // The server may still be at it: the connection is not given back.
                drop(shopapi_postgres::Client::take(client));
                Err(BooksUnavailable("no answer within the deadline".to_owned()))
            }
        }
    }

    async fn claim_due(&self, claim: Claim) -> Result<Vec<Payment>, BooksUnavailable> {
        let [charges, look_ups, refunds] =
            [claim.charges_max, claim.look_ups_max, claim.refunds_max]
                .map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let mut database = self.claims.lock().await;
        let client = database.client().await.map_err(|lost| away(&lost))?;
        let rows = Database::bounded(
            claim_due()
                .bind(
                    client,
                    &charges,
                    &look_ups,
                    &refunds,
                    &claim.lease.as_secs_f64(),
                )
                .all(),
        )
        .await;
        match rows {
            Ok(rows) => Ok(rows.iter().filter_map(payment).collect()),
            Err(trouble) => Err(failed(&database.judge(&trouble))),
        }
    }
}

fn away(lost: &Disconnected) -> BooksUnavailable {
    BooksUnavailable(lost.reason.clone())
}

fn failed(failure: &Failure) -> BooksUnavailable {
    BooksUnavailable(failure.text.clone())
}
