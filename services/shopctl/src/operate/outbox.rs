//! `shopctl outbox`: events on their way to the bus, and those that the bus may have lost.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use shopapi_proto::admin::v1::{OutboxStatusRequest, OutboxStatusResponse, ReplayOutboxRequest};

use super::connect::{Services, answered};
use super::{ActArgs, duration, table, whole_seconds};
use crate::ui::{Style, Ui};

/// `shopctl outbox`
#[derive(Debug, Args)]
pub struct OutboxArgs {
    #[command(subcommand)]
    action: Action,
    /// Only of this service; without it both are asked
    #[arg(long, global = true)]
    service: Option<Service>,
    #[command(flatten)]
    services: Services,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

/// A service with an outbox and dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Service {
    /// Orders
    Orders,
    /// Payments
    Payments,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Payments => "payments",
        }
    }

    /// The one that was named, or all.
    pub(super) fn asked(only: Option<Self>) -> impl Iterator<Item = Self> {
        [Self::Orders, Self::Payments]
            .into_iter()
            .filter(move |service| only.is_none_or(|only| only == *service))
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what waits to be published
    Status,
    /// Publish events again that were written lately: after the bus has lost what it had acknowledged
    Replay {
        /// Events of the last so long, such as 10m
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        since: Duration,
        #[command(flatten)]
        act: ActArgs,
    },
}

pub(super) async fn run(args: &OutboxArgs, ui: &Ui) -> Result<()> {
    match &args.action {
        Action::Status => status(args, ui).await,
        Action::Replay { since, act } => {
            let mut told = serde_json::Map::new();
            for service in Service::asked(args.service) {
                let replayed = replay(args, service, *since, act).await?;
                told.insert(service.name().to_owned(), Value::from(replayed));
                if !args.json {
                    let tick = ui.paint(Style::Green, "✓");
                    ui.line(format!(
                        "{tick} {}: {replayed} events published again",
                        service.name()
                    ));
                }
            }
            if args.json {
                ui.line(json!({ "replayed": told }));
            }
            Ok(())
        }
    }
}

async fn status(args: &OutboxArgs, ui: &Ui) -> Result<()> {
    let mut found: Vec<(Service, OutboxStatusResponse)> = Vec::new();
    for service in Service::asked(args.service) {
        let request = OutboxStatusRequest {};
        let answer = match service {
            Service::Orders => args.services.orders().await?.outbox_status(request).await,
            Service::Payments => args.services.payments().await?.outbox_status(request).await,
        };
        found.push((service, answered(service.name(), answer)?));
    }
    if args.json {
        let told: serde_json::Map<String, Value> = found
            .iter()
            .map(|(service, status)| {
                let told = json!({
                    "unpublished": status.unpublished,
                    "oldest_unpublished_seconds": status.oldest_unpublished_seconds,
                    "open_dead_letters": status.open_dead_letters,
                });
                (service.name().to_owned(), told)
            })
            .collect();
        ui.line(Value::from(told));
        return Ok(());
    }
    let rows: Vec<[String; 4]> = found
        .iter()
        .map(|(service, status)| {
            [
                service.name().to_owned(),
                status.unpublished.to_string(),
                if status.unpublished == 0 {
                    "-".to_owned()
                } else {
                    table::span(status.oldest_unpublished_seconds)
                },
                status.open_dead_letters.to_string(),
            ]
        })
        .collect();
    table::print(
        ui,
        ["SERVICE", "UNPUBLISHED", "OLDEST", "OPEN DEAD LETTERS"],
        &rows,
    );
    Ok(())
}

/// Page by page, to the end; how many.
async fn replay(
    args: &OutboxArgs,
    service: Service,
    since: Duration,
    act: &ActArgs,
) -> Result<i64> {
    let mut replayed = 0;
    let mut after_event_id = String::new();
    loop {
        let request = ReplayOutboxRequest {
            since_seconds: whole_seconds(since),
            after_event_id,
            act: Some(act.act()),
        };
        let answer = match service {
            Service::Orders => args.services.orders().await?.replay_outbox(request).await,
            Service::Payments => args.services.payments().await?.replay_outbox(request).await,
        };
        let page = answered(service.name(), answer)?;
        replayed += i64::from(page.replayed);
        if page.next_after_event_id.is_empty() {
            return Ok(replayed);
        }
        after_event_id = page.next_after_event_id;
    }
}
