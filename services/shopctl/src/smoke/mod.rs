//! `shopctl smoke`: does a running system do what it should? The same for `make dev`, compose and Kubernetes.
//!
//! ```text
//! place.rs   where everything is: options, environment, or the state of `make dev`
//!    shop.rs     log in → paid order → declined order; the stock tells both
//!    events.rs   outboxes drained, each event id found in its stream     bus.rs  the few words of NATS that takes
//!    doors.rs    refusals at the gRPC doors, each beside the same call that succeeds
//!    counters.rs each promised counter rose by exactly what was ordered  text.rs GET of a text
//!    traces.rs   one trace across all services, found by order.id
//! ```
//!
//! Checks run in order and stop at the first that fails: what follows would only repeat it. Nobody else may place orders meanwhile, because counters and
//! stock are compared exactly.

mod bus;
mod counters;
mod doors;
mod events;
mod place;
mod shop;
mod text;
mod traces;

use std::future::Future;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::audit;
use crate::ui::{Style, Ui, human};

use place::Place;
pub use place::PlaceArgs;

/// What has to come true by itself: exports, redeliveries, the publisher's turn.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// `shopctl smoke`
#[derive(Debug, Args)]
pub struct SmokeArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs every check; exit code 1 at the first that fails.
///
/// # Errors
/// When the place is not described well enough to begin.
pub async fn run(args: &SmokeArgs, ui: &Ui) -> Result<ExitCode> {
    let place = args.place.place()?;
    let mut report = Report {
        ui,
        done: 0,
        started: Instant::now(),
    };
    ui.line(ui.paint(Style::Bold, format!("smoke test of {}", place.name)));
    match checks(&place, &mut report).await {
        Ok(()) => {
            let took = human(report.started.elapsed());
            let text = format!("{} checks passed in {took}", report.done);
            ui.line(ui.paint(Style::Green, text));
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            ui.line(format!(
                "{} {}",
                ui.paint(Style::Red, "✗"),
                failure.what.trim_end()
            ));
            ui.failure(&format!("{:#}", failure.why));
            ui.line(format!("  look at: {}", failure.look_at));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn checks(place: &Place, report: &mut Report<'_>) -> Result<(), Failure> {
    let gateway = "the gateway's log; GET /readyz of the gateway names what it misses";
    let api = report
        .check("a new customer registers and logs in", gateway, async {
            shop::customer(place).await
        })
        .await?;
    let product = report
        .check("there is something to buy", "shopctl offer", async {
            shop::product(&api).await
        })
        .await?;
    let before = match &place.metrics {
        Some(url) => {
            let metrics = "the Collector, and OTEL_EXPORTER_OTLP_ENDPOINT of the services";
            let counters = report
                .check(
                    "the counters stand still before the orders",
                    metrics,
                    async { counters::at_rest(url).await },
                )
                .await?;
            Some((url, counters))
        }
        None => None,
    };
    let marks = report
        .check(
            "the streams ORDERS and PAYMENTS are there",
            "NATS and its permissions",
            async { events::marks(place).await },
        )
        .await?;
    let orders = "the timeline of the order, the logs of orders and payments";
    let paid = report
        .check("an order is paid and its goods are sold", orders, async {
            shop::paid(&api, &product).await
        })
        .await?;
    let declined = report
        .check("a declined order gives its stock back", orders, async {
            shop::declined(&api, &product).await
        })
        .await?;
    let placed = [paid.order_id, declined.order_id];
    report
        .check(
            "the outboxes are drained, every event is in its stream",
            "shopctl outbox status; the log of NATS",
            async { events::published(place, &marks, &placed).await },
        )
        .await?;
    doors::check(place, paid.order_id, report).await?;
    if let Some((url, before)) = before {
        report
            .check(
                "each counter rose by exactly what was ordered",
                "GET /metrics of the Collector",
                async { counters::rose(url, &before).await },
            )
            .await?;
    }
    if let Some(url) = &place.jaeger {
        report
            .check(
                "one trace spans gateway, orders, inventory, payments and NATS",
                "Jaeger: search by order.id",
                async { traces::whole(url, &paid).await },
            )
            .await?;
    }
    report
        .check("the books agree", "shopctl audit", async {
            books(place).await
        })
        .await?;
    Ok(())
}

async fn books(place: &Place) -> Result<Said<()>> {
    let verdict = audit::settled_verdict(&place.audit).await?;
    if let Some(violation) = verdict.violations.first() {
        bail!(
            "{} violations, the first: {violation:?}",
            verdict.violations.len()
        );
    }
    if !verdict.is_settled() {
        bail!("orders are still under way: {:?}", verdict.listed);
    }
    Ok(Said::new(
        (),
        format!(
            "{} orders, {} stock rows",
            verdict.orders, verdict.stock_rows
        ),
    ))
}

/// What a check hands on, and what it has to say about it.
struct Said<T> {
    value: T,
    detail: String,
}

impl<T> Said<T> {
    fn new(value: T, detail: impl Into<String>) -> Self {
        Self {
            value,
            detail: detail.into(),
        }
    }
}

/// Why the test stopped.
struct Failure {
    what: String,
    why: anyhow::Error,
    look_at: String,
}

/// Prints each check as it ends.
struct Report<'a> {
    ui: &'a Ui,
    done: u32,
    started: Instant,
}

impl Report<'_> {
    async fn check<T>(
        &mut self,
        what: &str,
        look_at: &str,
        check: impl Future<Output = Result<Said<T>>>,
    ) -> Result<T, Failure> {
        self.ui.busy(what);
        let began = Instant::now();
        // A check is a chain of many awaits: on the heap, so that this future stays small.
        match Box::pin(check).await {
            Ok(Said { value, detail }) => {
                self.done += 1;
                let tick = self.ui.paint(Style::Green, "✓");
                let took = human(began.elapsed());
                let detail = self.ui.paint(Style::Dim, format!("{detail}  ({took})"));
                self.ui.line(format!("{tick} {what:<66} {detail}"));
                Ok(value)
            }
            Err(why) => Err(Failure {
                what: what.to_owned(),
                why,
                look_at: look_at.to_owned(),
            }),
        }
    }
}

/// Looks until `look` has found it; the last reason when it never comes.
async fn until<T, Looking>(mut look: impl FnMut() -> Looking) -> Result<T>
where
    Looking: Future<Output = Result<T>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(reason) if Instant::now() > give_up => {
                return Err(reason)
                    .with_context(|| format!("still not so after {}", human(PATIENCE)));
            }
            Err(_) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
