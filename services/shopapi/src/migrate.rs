//! `shopapi migrate`: every configured database to its newest schema.

use std::time::Duration;

use anyhow::anyhow;
use shopapi_postgres::PgConfig;
use shopapi_postgres::migrate::{self, MigrateError, Report, Schema};
use tokio::time::Instant;
use tracing::warn;

use crate::{Failure, complain, report};

/// How long a database may take to accept connections: platforms start us beside it.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(
    telemetry: &shopapi_telemetry::Config,
    databases: Vec<(Schema, PgConfig)>,
) -> Result<(), Failure> {
    let running = shopapi_telemetry::init(telemetry)?;
    let mut failed = 0_usize;
    for (schema, config) in &databases {
        match patiently(config, *schema).await {
            Ok(done) if done.applied.is_empty() => {
                report(format_args!(
                    "{config}: up to date at version {}",
                    done.version
                ));
            }
            Ok(done) => {
                let applied = done.applied.join(", ");
                report(format_args!(
                    "{config}: migrated to version {}: {applied}",
                    done.version
                ));
            }
            Err(error) => {
                failed += 1;
                complain(format_args!("{config}: {error}"));
            }
        }
    }
    running.shutdown().await;
    match failed {
        0 => Ok(()),
        count => Err(anyhow!("{count} of {} databases not migrated", databases.len()).into()),
    }
}

/// Waits for a database that is not there yet; every other failure is final.
async fn patiently(config: &PgConfig, schema: Schema) -> Result<Report, MigrateError> {
    let give_up = Instant::now() + WAIT_MAX;
    let mut told = false;
    loop {
        match migrate::run(config, schema).await {
            Err(MigrateError::Disconnected(error)) if Instant::now() < give_up => {
                if !told {
                    warn!(%error, "waiting for the database");
                    told = true;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            other => return other,
        }
    }
}
