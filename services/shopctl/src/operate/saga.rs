//! `shopctl saga`: what has not ended, why, and what people do about it.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use shopapi_proto::admin::v1::orders_admin_client::OrdersAdminClient;
use shopapi_proto::admin::v1::resolve_saga_request::Resolution;
use shopapi_proto::admin::v1::{
    CompensateSagaRequest, GetSagaRequest, GetSagaResponse, ListSagasRequest, ResolveSagaRequest,
    RetrySagaRequest, Saga,
};

use super::connect::{Channel, Services, answered};
use super::{ActArgs, duration, table, whole_seconds};
use crate::ui::{Style, Ui};

/// `shopctl saga`
#[derive(Debug, Args)]
pub struct SagaArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    services: Services,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List sagas that have not ended, the oldest first
    List {
        /// RUNNING, COMPENSATING, COMPLETED, COMPENSATED or STUCK
        #[arg(long, value_parser = ["RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED", "STUCK"], ignore_case = true)]
        state: Option<String>,
        /// Only in this step, or set aside in it
        #[arg(long)]
        step: Option<String>,
        /// Only those accepted at least so long ago, such as 10m
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
        older_than: Duration,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
    },
    /// Show one saga with its timeline and what was done to it by hand
    Show { order_id: i64 },
    /// Ask its present step again, at once
    Retry(Moving),
    /// Give the order back, from wherever it stands
    Compensate(Moving),
    /// End a stuck saga whose money was settled by hand; the stock is still asked for its part
    Resolve {
        #[command(flatten)]
        moving: Moving,
        /// What became of the money
        #[arg(long = "as", value_name = "END")]
        end: End,
    },
}

/// A change of one saga.
#[derive(Debug, Args)]
struct Moving {
    order_id: i64,
    #[command(flatten)]
    act: ActArgs,
    /// Only when it is at this version, as `show` tells; without it the version it has when the command begins
    #[arg(long, value_name = "N")]
    expect_version: Option<i64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    /// No money was taken; what is held is released
    Cancelled,
    /// The money is here; what is held is sold
    Completed,
    /// The money is back
    Refunded,
}

const ORDERS: &str = "orders";

pub(super) async fn run(args: &SagaArgs, ui: &Ui) -> Result<()> {
    let mut client = args.services.orders().await?;
    match &args.action {
        Action::List {
            state,
            step,
            older_than,
            limit,
        } => {
            let request = ListSagasRequest {
                saga_state: state.clone().unwrap_or_default().to_uppercase(),
                step: step.clone().unwrap_or_default(),
                age_seconds_min: whole_seconds(*older_than),
                limit: *limit,
            };
            let found = answered(ORDERS, client.list_sagas(request).await)?;
            list(&found.sagas, found.more, args.json, ui);
            return Ok(());
        }
        Action::Show { order_id } => {
            let found = get(&mut client, *order_id).await?;
            show(&found, args.json, ui);
            return Ok(());
        }
        Action::Retry(_) | Action::Compensate(_) | Action::Resolve { .. } => {}
    }
    let moved = change(&mut client, &args.action).await?;
    if args.json {
        ui.line(json(&moved));
    } else {
        ui.line(format!(
            "{} order {} is {} in step {} (version {})",
            ui.paint(Style::Green, "✓"),
            moved.order_id,
            moved.status,
            moved.step,
            moved.version
        ));
    }
    Ok(())
}

async fn get(client: &mut OrdersAdminClient<Channel>, order_id: i64) -> Result<GetSagaResponse> {
    answered(ORDERS, client.get_saga(GetSagaRequest { order_id }).await)
}

async fn change(client: &mut OrdersAdminClient<Channel>, action: &Action) -> Result<Saga> {
    let (Action::Retry(moving) | Action::Compensate(moving) | Action::Resolve { moving, .. }) =
        action
    else {
        anyhow::bail!("nothing to change");
    };
    let order_id = moving.order_id;
    let expected_version = match moving.expect_version {
        Some(version) => version,
        None => {
            let found = get(client, order_id).await?;
            found.saga.context("orders told no saga")?.version
        }
    };
    let act = Some(moving.act.act());
    let moved = match action {
        Action::Compensate(_) => {
            let request = CompensateSagaRequest {
                order_id,
                expected_version,
                act,
            };
            answered(ORDERS, client.compensate_saga(request).await)?.saga
        }
        Action::Resolve { end, .. } => {
            let resolution = match end {
                End::Cancelled => Resolution::Cancelled,
                End::Completed => Resolution::Completed,
                End::Refunded => Resolution::Refunded,
            };
            let request = ResolveSagaRequest {
                order_id,
                expected_version,
                act,
                resolution: resolution.into(),
            };
            answered(ORDERS, client.resolve_saga(request).await)?.saga
        }
        _ => {
            let request = RetrySagaRequest {
                order_id,
                expected_version,
                act,
            };
            answered(ORDERS, client.retry_saga(request).await)?.saga
        }
    };
    moved.context("orders told no saga")
}

fn step(saga: &Saga) -> String {
    if saga.stuck_at.is_empty() {
        saga.step.clone()
    } else {
        format!("{} ({})", saga.stuck_at, saga.stuck_reason)
    }
}

fn list(sagas: &[Saga], more: bool, as_json: bool, ui: &Ui) {
    if as_json {
        let sagas: Vec<Value> = sagas.iter().map(json).collect();
        ui.line(json!({ "sagas": sagas, "more": more }));
        return;
    }
    if sagas.is_empty() {
        ui.line("no saga fits");
        return;
    }
    let rows: Vec<[String; 7]> = sagas
        .iter()
        .map(|saga| {
            [
                saga.order_id.to_string(),
                saga.version.to_string(),
                saga.status.clone(),
                saga.saga_state.clone(),
                step(saga),
                table::age(saga.created_at.as_ref()),
                saga.wake_in_seconds.map(table::span).unwrap_or_default(),
            ]
        })
        .collect();
    let headings = [
        "ORDER", "VERSION", "STATUS", "SAGA", "STEP", "AGE", "WAKES IN",
    ];
    table::print(ui, headings, &rows);
    if more {
        ui.line(ui.paint(Style::Dim, "… and more; raise --limit"));
    }
}

fn show(found: &GetSagaResponse, as_json: bool, ui: &Ui) {
    let saga = found.saga.clone().unwrap_or_default();
    if as_json {
        let timeline: Vec<Value> = found
            .timeline
            .iter()
            .map(|entry| {
                json!({ "version": entry.version, "status": entry.status, "saga_state": entry.saga_state, "step": entry.step,
                        "cause": entry.cause, "at": table::time(entry.at.as_ref()) })
            })
            .collect();
        ui.line(json!({
            "saga": json(&saga), "payment_id": found.payment_id, "reservation_id": found.reservation_id,
            "timeline": timeline, "acts": table::acts_json(&found.acts),
        }));
        return;
    }
    table::facts(
        ui,
        &[
            ("order", saga.order_id.to_string()),
            ("version", saga.version.to_string()),
            ("status", saga.status.clone()),
            ("saga", saga.saga_state.clone()),
            ("step", step(&saga)),
            ("cancel reason", saga.cancel_reason.clone()),
            ("payment", found.payment_id.clone()),
            ("reservation", found.reservation_id.clone()),
            ("accepted", table::time(saga.created_at.as_ref())),
            (
                "wakes in",
                saga.wake_in_seconds.map(table::span).unwrap_or_default(),
            ),
        ],
    );
    ui.line("");
    let rows: Vec<[String; 5]> = found
        .timeline
        .iter()
        .map(|entry| {
            [
                entry.version.to_string(),
                table::time(entry.at.as_ref()),
                entry.status.clone(),
                entry.step.clone(),
                entry.cause.clone(),
            ]
        })
        .collect();
    table::print(ui, ["VERSION", "AT", "STATUS", "STEP", "CAUSE"], &rows);
    table::acts(ui, &found.acts);
}

fn json(saga: &Saga) -> Value {
    json!({
        "order_id": saga.order_id, "version": saga.version, "status": saga.status, "saga_state": saga.saga_state,
        "step": saga.step, "stuck_at": saga.stuck_at, "stuck_reason": saga.stuck_reason, "cancel_reason": saga.cancel_reason,
        "created_at": table::time(saga.created_at.as_ref()), "updated_at": table::time(saga.updated_at.as_ref()),
        "wake_in_seconds": saga.wake_in_seconds,
    })
}
