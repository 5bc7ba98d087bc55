//! How a verdict is printed.

use serde_json::{Value, json};

use crate::ui::{Style, Ui};

use super::Verdict;
use super::invariants::{ORDERS, STOCK};
use super::judge::{Kind, Violation};

/// The most lines of one kind; the rest is counted.
const LINES_MAX: usize = 20;

pub(super) fn invariants() -> impl Iterator<Item = (&'static str, &'static str)> {
    let stock = STOCK
        .iter()
        .map(|invariant| (invariant.name, invariant.about));
    stock.chain(
        ORDERS
            .iter()
            .map(|invariant| (invariant.name, invariant.about)),
    )
}

/// Prints every invariant with the number of rows held against it, what is listed, and the verdict.
pub fn show(ui: &Ui, verdict: &Verdict) {
    let name_width = invariants().map(|(name, _)| name.len()).max().unwrap_or(0);
    let about_width = invariants()
        .map(|(_, about)| about.chars().count())
        .max()
        .unwrap_or(0);
    ui.line(ui.paint(
        Style::Bold,
        format!(
            "  {:name_width$}  {:about_width$}  {:>9}",
            "The books", "", "looked at"
        ),
    ));
    for (name, about) in invariants() {
        let broken: Vec<&Violation> = verdict
            .violations
            .iter()
            .filter(|violation| violation.invariant == name)
            .collect();
        let mark = if broken.is_empty() {
            ui.paint(Style::Green, "✓")
        } else {
            ui.paint(Style::Red, "✗")
        };
        let looked_at = verdict.looked_at.get(name).copied().unwrap_or(0);
        ui.line(format!(
            "{mark} {name:name_width$}  {about:about_width$}  {looked_at:>9}"
        ));
        lines(
            ui,
            broken.iter().map(|violation| {
                ui.paint(
                    Style::Red,
                    format!(
                        "    {}: {} ({})",
                        violation.subject, violation.detail, violation.versions
                    ),
                )
            }),
        );
    }
    show_listed(ui, verdict);
    if !verdict.undecided.is_empty() {
        let text = format!(
            "· {} findings changed at every read; audit again",
            verdict.undecided.len()
        );
        ui.line(ui.paint(Style::Yellow, text));
    }
    let over = format!(
        "{} orders, {} stock rows",
        verdict.orders, verdict.stock_rows
    );
    ui.line(match (verdict.violations.len(), verdict.is_settled()) {
        (0, true) => ui.paint(
            Style::Green,
            format!("✓ the books agree: {over}, everything is settled"),
        ),
        (0, false) => ui.paint(Style::Green, format!("✓ the books agree: {over}")),
        (count, _) => ui.paint(Style::Red, format!("✗ {count} violations: {over}")),
    });
}

fn show_listed(ui: &Ui, verdict: &Verdict) {
    for (kind, headline) in [
        (Kind::Unsettled, "under way"),
        (Kind::Stuck, "waiting for an operator"),
        (Kind::ByHand, "settled by hand"),
        (Kind::Owed, "owed: the provider refuses to give it back"),
        (
            Kind::NotLookedUp,
            "charged on a voided payment, not yet looked up",
        ),
    ] {
        let listed: Vec<_> = verdict
            .listed
            .iter()
            .filter(|listed| listed.kind == kind)
            .collect();
        if !listed.is_empty() {
            ui.line(ui.paint(Style::Yellow, format!("· {} {headline}", listed.len())));
            lines(
                ui,
                listed
                    .iter()
                    .map(|listed| format!("    {}: {}", listed.subject, listed.detail)),
            );
        }
    }
}

fn lines(ui: &Ui, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(LINES_MAX);
    for line in lines.take(LINES_MAX) {
        ui.line(line);
    }
    if more > 0 {
        ui.line(format!("    … and {more} more"));
    }
}

/// The verdict for machines.
pub(super) fn json(verdict: &Verdict) -> String {
    let violation = |violation: &Violation| {
        json!({
            "invariant": violation.invariant,
            "subject": violation.subject,
            "detail": violation.detail,
        })
    };
    let listed: Vec<Value> = verdict
        .listed
        .iter()
        .map(|listed| {
            json!({ "kind": format!("{:?}", listed.kind), "subject": listed.subject, "detail": listed.detail })
        })
        .collect();
    json!({
        "clean": verdict.is_clean(),
        "settled": verdict.is_settled(),
        "orders": verdict.orders,
        "stock_rows": verdict.stock_rows,
        "looked_at": verdict.looked_at,
        "violations": verdict.violations.iter().map(violation).collect::<Vec<_>>(),
        "undecided": verdict.undecided.iter().map(violation).collect::<Vec<_>>(),
        "listed": listed,
    })
    .to_string()
}
