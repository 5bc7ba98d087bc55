//! `shopapi migrate`: every configured database to its newest schema.

use std::time::Duration;

use anyhow::anyhow;
use shopapi_postgres::migrate::{self, MigrateError, Report, Schema};
use shopapi_postgres::{PgConfig, Session};
use tokio::time::Instant;
use tracing::warn;

use crate::{Failure, complain, report};

/// How long a database may take to accept connections: platforms start us beside it.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks. The session makes fewer attempts than there are looks, the longer the database is away.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(
    telemetry: &shopapi_telemetry::Config,
    databases: Vec<(Schema, PgConfig)>,
    allow_newer: bool,
) -> Result<(), Failure> {
    let running = shopapi_telemetry::init(telemetry)?;
    let mut failed = 0_usize;
    for (schema, config) in &databases {
        match verdict(patiently(config, *schema).await, allow_newer) {
            Ok(words) => report(format_args!("{config}: {words}")),
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

/// What a run came to, in words, and whether it counts as done.
fn verdict(
    outcome: Result<Report, MigrateError>,
    allow_newer: bool,
) -> Result<String, MigrateError> {
    match outcome {
        Ok(done) if done.applied.is_empty() => {
            Ok(format!("up to date at version {}", done.version))
        }
        Ok(done) => Ok(format!(
            "migrated to version {}: {}",
            done.version,
            done.applied.join(", ")
        )),
        // Migrations expand before they contract, so the program of before runs on the schema of after.
        Err(MigrateError::SchemaTooNew {
            database,
            found,
            known,
        }) if allow_newer => {
            warn!(%database, found, known, "the schema is newer than this program: left as it is");
            Ok(format!(
                "left as it is at version {found}, newer than {known}, the newest known here"
            ))
        }
        Err(error) => Err(error),
    }
}

/// Waits for a database that is not there yet; every other failure is final.
async fn patiently(config: &PgConfig, schema: Schema) -> Result<Report, MigrateError> {
    let give_up = Instant::now() + WAIT_MAX;
    // The same for every look, so that an outage is told once.
    let mut session = Session::new(config)?;
    let mut told = false;
    loop {
        match migrate::run_on(&mut session, schema).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn too_new() -> Result<Report, MigrateError> {
        Err(MigrateError::SchemaTooNew {
            database: "ordersdb".to_owned(),
            found: 9,
            known: 7,
        })
    }

    #[test]
    fn a_newer_schema_is_done_only_for_who_allows_it() {
        assert!(matches!(
            verdict(too_new(), false),
            Err(MigrateError::SchemaTooNew {
                found: 9,
                known: 7,
                ..
            })
        ));
        let words = verdict(too_new(), true).unwrap();
        assert!(words.contains("left as it is at version 9"), "{words}");
    }

    #[test]
    fn every_other_failure_stays_one_and_every_report_says_its_version() {
        let busy = || MigrateError::Busy {
            database: "ordersdb".to_owned(),
        };
        assert!(verdict(Err(busy()), true).is_err());
        let report = |applied: &[&str]| Report {
            applied: applied.iter().map(|name| (*name).to_owned()).collect(),
            version: 7,
        };
        assert_eq!(
            verdict(Ok(report(&[])), false).unwrap(),
            "up to date at version 7"
        );
        assert_eq!(
            verdict(Ok(report(&["V6__a", "V7__b"])), true).unwrap(),
            "migrated to version 7: V6__a, V7__b"
        );
    }
}
