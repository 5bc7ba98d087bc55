//! How an order's story is printed.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ui::{Style, Ui, human, money};

use super::scenarios::{Scenario, Story};

/// Prints the headline, what was asked and answered, and the timeline.
pub(super) fn story(ui: &Ui, number: usize, scenario: &Scenario, story: &Story) {
    let order = &story.order;
    let id = order
        .get("order_id")
        .map_or_else(String::new, |id| id.to_string().replace('"', ""));
    ui.line("");
    ui.line(format!(
        "{} {}",
        ui.paint(Style::Bold, format!("{number}. {}", scenario.title)),
        ui.paint(Style::Dim, format!("— order {id}: {}", scenario.about)),
    ));
    ui.line(format!("   {}", asked(scenario, order)));
    let problem = story.created.text("type");
    let said = if problem.is_empty() {
        story.created.text("status")
    } else {
        problem
    };
    ui.line(format!(
        "   POST /api/v1/orders → {} {said} in {}",
        story.created.status,
        human(story.created.took)
    ));
    if let Some(cancelled) = &story.cancelled {
        ui.line(format!(
            "   POST /api/v1/orders/{id}/cancel → {} {} in {}",
            cancelled.status,
            cancelled.text("status"),
            human(cancelled.took)
        ));
    }
    ui.line("");
    for line in timeline(ui, &story.timeline) {
        ui.line(format!("   {line}"));
    }
    let (mark, style) = if story.complaints.is_empty() {
        ("✓", Style::Green)
    } else {
        ("✗", Style::Red)
    };
    let reason = order.get("cancel_reason").and_then(Value::as_str);
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    let status = order.get("status").and_then(Value::as_str).unwrap_or("?");
    ui.line("");
    ui.line(ui.paint(
        style,
        format!("   {mark} {status}{reason} after {}", human(story.took)),
    ));
    for complaint in &story.complaints {
        ui.line(ui.paint(Style::Red, format!("     {complaint}")));
    }
}

fn asked(scenario: &Scenario, order: &Value) -> String {
    let items: Vec<String> = scenario
        .items
        .iter()
        .map(|(sku, quantity)| format!("{quantity} × {sku}"))
        .collect();
    let total = order.get("total_cents").and_then(Value::as_i64);
    let currency = order.get("currency").and_then(Value::as_str);
    let total = match (total, currency) {
        (Some(total), Some(currency)) => format!(" = {}", money(total, currency)),
        _ => String::new(),
    };
    format!(
        "{}{total}, paying with {}",
        items.join(", "),
        scenario.payment_method
    )
}

/// One aligned line per transition: when (since the first), status, where the saga stands, why.
fn timeline(ui: &Ui, entries: &[Value]) -> Vec<String> {
    let text = |entry: &Value, field: &str| {
        entry
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let width = |field: &str| {
        entries
            .iter()
            .map(|entry| text(entry, field).chars().count())
            .max()
            .unwrap_or(0)
    };
    let status_width = width("status");
    let step_width = width("saga_step");
    let first = entries.first().and_then(at);
    entries
        .iter()
        .map(|entry| {
            let since = first
                .zip(at(entry))
                .map_or_else(String::new, |(first, at)| since(at - first));
            let status = text(entry, "status");
            let padded = format!("{status:<status_width$}");
            format!(
                "{}  {}  {}  {}",
                ui.paint(Style::Dim, format!("{since:>9}")),
                ui.paint(style_of(&status), padded),
                ui.paint(
                    Style::Dim,
                    format!("{:<step_width$}", text(entry, "saga_step"))
                ),
                text(entry, "cause"),
            )
        })
        .collect()
}

fn at(entry: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(entry.get("at")?.as_str()?, &Rfc3339).ok()
}

fn since(elapsed: time::Duration) -> String {
    format!(
        "+{}",
        human(Duration::try_from(elapsed).unwrap_or_default())
    )
}

fn style_of(status: &str) -> Style {
    match status {
        "PAID" => Style::Green,
        "REJECTED" | "CANCELLED" => Style::Red,
        "CANCEL_PENDING" | "REFUND_PENDING" | "REFUNDED" => Style::Yellow,
        _ => Style::Cyan,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_timeline_is_aligned_and_counts_from_its_first_entry() {
        let entries = [
            json!({"status": "PENDING", "saga_step": "Reserving", "cause": "order accepted", "at": "2026-01-02T03:04:05.100Z"}),
            json!({"status": "AWAITING_PAYMENT", "saga_step": "AwaitingPayment", "cause": "stock held", "at": "2026-01-02T03:04:05.1042Z"}),
            json!({"status": "PAID", "saga_step": "Committing", "cause": "charge captured", "at": "2026-01-02T03:04:06.5Z"}),
        ];
        assert_eq!(
            timeline(&Ui::plain(), &entries),
            [
                "  +0.0 ms  PENDING           Reserving        order accepted",
                "  +4.2 ms  AWAITING_PAYMENT  AwaitingPayment  stock held",
                "   +1.4 s  PAID              Committing       charge captured",
            ]
        );
    }
}
