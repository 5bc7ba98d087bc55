//! Whether a database has the schema that this program works with: what readiness asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Client;
use tracing::warn;

use crate::migrate::{self, Schema, SchemaState};
use crate::pool::{ANSWER_TIMEOUT, ReadPool};

/// A schema to look for, and whether it was seen. Schemas only grow, so once seen is seen, by every clone.
#[derive(Clone, Debug)]
pub struct KnownSchema {
    pool: ReadPool,
    schema: Schema,
    seen: Arc<AtomicBool>,
}

impl KnownSchema {
    /// Not seen yet; does no I/O.
    #[must_use]
    pub fn new(pool: ReadPool, schema: Schema) -> Self {
        Self {
            pool,
            schema,
            seen: Arc::default(),
        }
    }

    /// Whether the database has the schema, or had it when it last answered. Safe to cancel.
    pub async fn is_known(&self) -> bool {
        if self.is_seen() {
            return true;
        }
        let looking = tokio::spawn(look(self.pool.clone(), self.schema));
        let known = looking.await.unwrap_or(false);
        self.seen.fetch_or(known, Ordering::AcqRel);
        known
    }

    /// Whether the database answers and has the schema. Safe to cancel.
    pub async fn is_ready(&self) -> bool {
        if self.is_seen() {
            self.pool.ping().await.is_ok()
        } else {
            self.is_known().await
        }
    }

    fn is_seen(&self) -> bool {
        self.seen.load(Ordering::Acquire)
    }
}

/// A database that cannot be reached is told by whoever works with it.
async fn look(pool: ReadPool, schema: Schema) -> bool {
    let Ok(client) = pool.get().await else {
        return false;
    };
    let name = schema.name();
    match tokio::time::timeout(ANSWER_TIMEOUT, migrate::state(&client, schema)).await {
        Ok(Ok(SchemaState::Ready)) => return true,
        Ok(Ok(SchemaState::Behind { found, needed })) => {
            warn!(
                found,
                needed, "{name}db lacks migrations: run `shopapi migrate`"
            );
            return false;
        }
        Ok(Err(error)) => warn!(%error, "the schema's version cannot be read"),
        Err(_elapsed) => warn!(schema = name, "no answer about the schema's version"),
    }
    // Not given back: its state is in doubt.
    drop(Client::take(client));
    false
}
