//! From the outboxes into the streams.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::audit::Target;

use super::bus::Bus;
use super::place::Place;
use super::{Said, until};

/// Streams with the service whose outbox feeds them, and its database.
const STREAMS: [(&str, &str); 2] = [("ORDERS", "ordersdb"), ("PAYMENTS", "paymentsdb")];
const UNPUBLISHED: &str = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
const EVENTS: &str = "SELECT event_id::text, subject FROM outbox WHERE order_id = ANY($1)";

/// Where each stream ended before the orders.
pub(super) type Marks = BTreeMap<&'static str, u64>;

async fn bus(place: &Place) -> Result<Bus> {
    Bus::connect(&place.nats, &place.pki.join("shopctl")).await
}

/// The ends of the streams; services make them when they are missing.
pub(super) async fn marks(place: &Place) -> Result<Said<Marks>> {
    let marks = until(|| async {
        let mut bus = bus(place).await?;
        let mut marks = Marks::new();
        for (stream, _) in STREAMS {
            marks.insert(stream, bus.last_sequence(stream).await?);
        }
        Ok(marks)
    })
    .await?;
    let detail: Vec<String> = marks
        .iter()
        .map(|(stream, last)| format!("{stream} at {last}"))
        .collect();
    Ok(Said::new(marks, detail.join(", ")))
}

/// Nothing waits to be published, and each event of the orders lies in its stream.
pub(super) async fn published(place: &Place, marks: &Marks, order_ids: &[i64]) -> Result<Said<()>> {
    let mut found = 0;
    for (stream, database) in STREAMS {
        let events = until(|| drained(&place.audit, database, order_ids)).await?;
        ensure!(
            !events.is_empty(),
            "{database} has no event of these orders"
        );
        let mark = marks.get(stream).copied().unwrap_or_default();
        let ours = until(|| async {
            let stored = since(place, stream, mark).await?;
            for (event_id, subject) in &events {
                let is_there = stored
                    .iter()
                    .any(|(headers, at)| headers.contains(event_id) && at == subject);
                ensure!(
                    is_there,
                    "event {event_id} of the outbox is not in {stream} under {subject}"
                );
            }
            Ok(events.len())
        })
        .await?;
        found += ours;
    }
    Ok(Said::new((), format!("{found} events")))
}

/// The events of these orders, once the outbox has nothing left to publish.
async fn drained(
    audit: &Target,
    database: &str,
    order_ids: &[i64],
) -> Result<Vec<(String, String)>> {
    let client = audit.connect(database).await?;
    let waiting: i64 = client
        .query_one(UNPUBLISHED, &[])
        .await
        .context("reading the outbox")?
        .get(0);
    ensure!(
        waiting == 0,
        "{waiting} events of {database} wait to be published"
    );
    let rows = client
        .query(EVENTS, &[&order_ids])
        .await
        .context("reading the outbox")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Headers and subjects of everything in a stream after a sequence.
async fn since(place: &Place, stream: &str, mark: u64) -> Result<Vec<(String, String)>> {
    let mut bus = bus(place).await?;
    let mut stored = Vec::new();
    let mut from = mark + 1;
    while let Some(event) = bus.next(stream, from).await? {
        from = event.sequence + 1;
        stored.push((event.headers, event.subject));
    }
    Ok(stored)
}
