//! Turns rows into a verdict: counts, violations, and what is listed without being one.
//!
//! The databases are read one after the other while the system works, so a first finding may be an artefact of the
//! reading. It becomes a violation when a later read finds it again while nothing about its subject has changed.

use std::collections::BTreeMap;

use super::books::{OrderCase, StockRow};
use super::checks::is_not_yet_looked_up;
use super::invariants::{Finding, Invariant, ORDERS, STOCK};

/// An invariant that does not hold for a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// "order 17", "SKU X".
    pub subject: String,
    /// What is wrong, with the figures.
    pub detail: String,
    /// The order, to read it again.
    pub order_id: Option<i64>,
    /// What the databases said about the subject at the time.
    pub versions: String,
}

/// Something to know that is no violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which kind.
    pub kind: Kind,
    /// "order 17".
    pub subject: String,
    /// In a sentence.
    pub detail: String,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Under way.
    Unsettled,
    /// Waits for an operator.
    Stuck,
    /// An operator settled it; its money rests on that word.
    ByHand,
    /// Money that the provider refuses to give back.
    Owed,
    /// A charge on a voided payment that the sweep has not looked up yet.
    NotLookedUp,
}

/// What a reading of the books found.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Rows held against each invariant.
    pub looked_at: BTreeMap<&'static str, u64>,
    /// What does not hold.
    pub violations: Vec<Violation>,
    /// What is listed.
    pub listed: Vec<Listed>,
    /// Orders seen.
    pub orders: u64,
    /// Stock rows seen.
    pub stock_rows: u64,
}

impl Reading {
    /// Holds a stock row against its invariants.
    pub fn stock(&mut self, row: &StockRow) {
        self.stock_rows += 1;
        // The row and its sums come from one snapshot; the gaps must persist, the figures may move.
        let versions = format!(
            "{}/{}",
            row.on_hand - row.initial - row.adjusted + row.committed,
            row.reserved - row.held
        );
        self.hold(&STOCK, row, &format!("SKU {}", row.sku), None, &versions);
    }

    /// Holds an order against its invariants and lists what is to be listed.
    pub fn order(&mut self, case: &OrderCase) {
        self.orders += u64::from(case.order.is_some());
        let subject = format!("order {}", case.order_id);
        self.hold(
            &ORDERS,
            case,
            &subject,
            Some(case.order_id),
            &case.versions(),
        );
        self.listed
            .extend(listed(case).into_iter().map(|(kind, detail)| Listed {
                kind,
                subject: subject.clone(),
                detail,
            }));
    }

    fn hold<Row>(
        &mut self,
        invariants: &[Invariant<Row>],
        row: &Row,
        subject: &str,
        order_id: Option<i64>,
        versions: &str,
    ) {
        for invariant in invariants {
            let looked_at = self.looked_at.entry(invariant.name).or_default();
            let finding = (invariant.check)(row);
            if finding != Finding::NotApplicable {
                *looked_at += 1;
            }
            if let Finding::Violated(detail) = finding {
                self.violations.push(Violation {
                    invariant: invariant.name,
                    subject: subject.to_owned(),
                    detail,
                    order_id,
                    versions: versions.to_owned(),
                });
            }
        }
    }
}

fn listed(case: &OrderCase) -> Vec<(Kind, String)> {
    let mut listed = Vec::new();
    if let Some(order) = &case.order {
        if order.is_stuck() {
            listed.push((Kind::Stuck, format!("{} {}", order.status, order.details)));
        } else if !order.is_at_rest() {
            listed.push((
                Kind::Unsettled,
                format!("{}, {:.1} s old", order.status, order.age_secs),
            ));
        }
    }
    if let Some(cause) = case
        .order
        .as_ref()
        .and_then(|order| order.settled_by_hand.clone())
    {
        listed.push((Kind::ByHand, cause));
    }
    let Some(payment) = &case.payment else {
        return listed;
    };
    let at_rest = case
        .order
        .as_ref()
        .is_none_or(super::books::OrderRow::is_at_rest);
    if at_rest && payment.is_open() {
        listed.push((
            Kind::Unsettled,
            format!("the order is at rest, its payment is {}", payment.state),
        ));
    }
    if at_rest && payment.is_refunding() {
        listed.push((
            Kind::Unsettled,
            format!("{} cents are on their way back", payment.net_cents()),
        ));
    }
    if payment.refund_state == "STUCK" {
        let reason = payment.reason.as_deref().unwrap_or("no reason given");
        listed.push((
            Kind::Owed,
            format!(
                "{} {} to the customer: {reason}",
                payment.net_cents(),
                payment.currency
            ),
        ));
    }
    let charged = case
        .charges
        .iter()
        .any(super::books::ChargeRow::is_captured);
    if charged && is_not_yet_looked_up(payment) {
        listed.push((
            Kind::NotLookedUp,
            format!("{} {}", payment.amount_cents, payment.currency),
        ));
    }
    listed
}

/// Sorts the findings of one read by those of the next.
#[derive(Debug, Default)]
pub struct Confirmed {
    /// Found twice while nothing changed: they count.
    pub violations: Vec<Violation>,
    /// Found again, but the subject has moved on: read once more.
    pub moving: Vec<Violation>,
}

/// Holds earlier findings against those of a later read. What is not found again was an artefact.
#[must_use]
pub fn confirm(earlier: &[Violation], later: Vec<Violation>) -> Confirmed {
    let mut confirmed = Confirmed::default();
    for violation in later {
        let before = earlier.iter().find(|before| {
            before.invariant == violation.invariant && before.subject == violation.subject
        });
        match before {
            Some(before) if before.versions == violation.versions => {
                confirmed.violations.push(violation);
            }
            Some(_) => {
                confirmed.moving.push(violation);
            }
            // New since: its own first finding, which the next audit confirms.
            None => {}
        }
    }
    confirmed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(subject: &str, versions: &str) -> Violation {
        Violation {
            invariant: "one-capture",
            subject: subject.to_owned(),
            detail: String::new(),
            order_id: None,
            versions: versions.to_owned(),
        }
    }

    #[test]
    fn a_violation_counts_when_found_twice_with_unchanged_versions() {
        let earlier = [
            violation("order 1", "v3"),
            violation("order 2", "v3"),
            violation("order 3", "v3"),
        ];
        let later = vec![
            violation("order 1", "v3"),
            violation("order 2", "v4"),
            violation("order 9", "v1"),
        ];
        let confirmed = confirm(&earlier, later);
        assert_eq!(confirmed.violations, [violation("order 1", "v3")]);
        assert_eq!(confirmed.moving, [violation("order 2", "v4")]);
    }
}
