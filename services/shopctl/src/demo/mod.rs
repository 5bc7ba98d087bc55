//! `shopctl demo`: four orders on a stack of their own, told as stories.
//!
//! The four ends an order can have when everything works: paid; declined and given back; refused for lack of stock;
//! cancelled by the customer. Each is placed through the public API, its timeline is read from there, and the audit
//! has the last word about all of them.

mod scenarios;
mod show;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use devstack::{Silent, Stack};

use crate::audit;
use crate::catalogue::{put_on_offer, small};
use crate::checkout::StackArgs;
use crate::client::Api;
use crate::dev::{private_ports, private_stack_on, stop_requested};
use crate::telemetry::Telemetry;
use crate::ui::{Style, Ui, human};

use scenarios::{SCENARIOS, play};

/// `shopctl demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Listen on a block of ports from here on instead of any free ones
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Do not collect and show traces and metrics
    #[arg(long)]
    no_telemetry: bool,
    /// Keep everything running at the end, until Ctrl-C, to look at the traces
    #[arg(long, conflicts_with = "no_telemetry")]
    stay: bool,
}

/// Runs the demo: exit code 0 when all four orders ended as they should and the books are right.
///
/// # Errors
/// What kept the stack from starting or an order from being told.
pub async fn run(args: &DemoArgs, ui: &Ui) -> Result<ExitCode> {
    let started = Instant::now();
    let work = async {
        let (map, _ports) = private_ports(args.port_base)?;
        let telemetry = Telemetry::for_stack(&map, !args.no_telemetry).await?;
        let env = telemetry.as_ref().map(Telemetry::env).unwrap_or_default();
        let stack = private_stack_on(map, &args.stack, env, ui).await?;
        if let Some(telemetry) = &telemetry {
            telemetry.watch(&stack)?;
        }
        put_on_offer(&stack.cluster, &small()).await?;
        let up = started.elapsed();
        ui.line(ui.paint(
            Style::Dim,
            format!(
                "PostgreSQL, NATS and four services are up after {}: http://{}",
                human(up),
                stack.gateway_addr()
            ),
        ));
        let good = tell(&stack, ui).await;
        if let Some(telemetry) = &telemetry {
            look(telemetry, args.stay, ui).await?;
        }
        stack.discard(&Silent).await;
        good
    };
    // Stopped by Ctrl-C: dropping the work ends every child.
    let good = tokio::select! {
        good = work => good?,
        stopped = stop_requested() => {
            stopped?;
            ui.line("stopped");
            return Ok(ExitCode::FAILURE);
        }
    };
    ui.line("");
    let total = human(started.elapsed());
    if good {
        ui.line(format!(
            "{} in {total}",
            ui.paint(Style::Green, "✓ the demo did what it should")
        ));
        return Ok(ExitCode::SUCCESS);
    }
    ui.line(format!(
        "{} after {total}",
        ui.paint(Style::Red, "✗ the demo found something wrong")
    ));
    Ok(ExitCode::FAILURE)
}

/// Says where the orders' traces are, and waits there when asked to.
async fn look(telemetry: &Telemetry, stay: bool, ui: &Ui) -> Result<()> {
    let page = telemetry.addresses().page;
    ui.line("");
    if !stay {
        let text = "to look at the traces and at the actors: shopctl demo --stay, or make dev";
        ui.line(ui.paint(Style::Dim, text));
        return Ok(());
    }
    let names = (1..).zip(SCENARIOS);
    for (number, scenario) in names {
        ui.line(format!(
            "  http://{page}/orders/{number}  {}",
            scenario.title
        ));
    }
    ui.line(format!(
        "  http://{page}/actors    the supervision trees as they are"
    ));
    ui.line(ui.paint(Style::Dim, "  Ctrl-C stops everything."));
    stop_requested().await
}

/// Plays the scenarios in order and audits the books; `true` when everything is as it should be.
async fn tell(stack: &Stack, ui: &Ui) -> Result<bool> {
    // The stack is a fresh one, so nobody has this e-mail.
    let api = Api::new(stack.gateway_addr())
        .register("customer@example.com", "a-demo-password")
        .await?;

    let mut failures = Vec::new();
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        ui.busy(scenario.title);
        let told = play(&api, scenario).await;
        match told {
            Ok(story) => {
                show::story(ui, index + 1, scenario, &story);
                failures.extend(
                    story
                        .complaints
                        .into_iter()
                        .map(|text| format!("{}: {text}", scenario.title)),
                );
            }
            Err(error) => {
                ui.line("");
                ui.failure(&format!("{}: {error:#}", scenario.title));
                failures.push(format!("{}: {error:#}", scenario.title));
            }
        }
    }
    ui.line("");
    ui.busy("auditing the books of all databases");
    let verdict = audit::settled_verdict(&audit::Target::of_cluster(&stack.cluster)?).await?;
    audit::show(ui, &verdict);
    for failure in &failures {
        ui.line(format!("{} {failure}", ui.paint(Style::Red, "✗")));
    }
    Ok(failures.is_empty() && verdict.is_clean() && verdict.is_settled())
}
