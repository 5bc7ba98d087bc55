//! The last question before a service starts: does its database keep what it acknowledges?

use shopapi_postgres::{PgConfig, check_durability};

use crate::Failure;
use crate::env::Problems;

/// Refuses servers that may forget acknowledged orders. One that does not answer is asked again with each connection.
pub(crate) async fn demand(databases: &[&PgConfig]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for database in databases
        .iter()
        .filter(|database| database.is_durable_only())
    {
        if let Ok(Err(refused)) = check_durability(database).await {
            problems.push(refused.to_string());
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::Configuration(Problems(problems)))
    }
}
