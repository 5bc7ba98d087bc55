//! Rows in columns, times as people read them.

use prost_types::Timestamp;
use serde_json::{Value, json};
use shopapi_proto::admin::v1::RecordedAct;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::ui::{Style, Ui};

/// Prints rows below their headings; the last column takes what it needs.
pub(super) fn print<const N: usize>(ui: &Ui, headings: [&str; N], rows: &[[String; N]]) {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    ui.line(ui.paint(Style::Bold, line(headings)));
    for row in rows {
        ui.line(line(row.each_ref().map(String::as_str)));
    }
}

/// Prints what is known about one thing, a name and a value per line; empty values are left out.
pub(super) fn facts(ui: &Ui, facts: &[(&str, String)]) {
    let known = facts.iter().filter(|(_, value)| !value.is_empty());
    let width = known.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in known {
        let name = ui.paint(Style::Dim, format!("{name:width$}"));
        ui.line(format!("{name}  {value}"));
    }
}

/// Prints what was done by hand, if anything was.
pub(super) fn acts(ui: &Ui, acts: &[RecordedAct]) {
    if acts.is_empty() {
        return;
    }
    ui.line("");
    let rows: Vec<[String; 6]> = acts
        .iter()
        .map(|act| {
            [
                time(act.at.as_ref()),
                act.who.clone(),
                act.action.clone(),
                act.outcome.clone(),
                act.detail.clone(),
                act.why.clone(),
            ]
        })
        .collect();
    print(ui, ["AT", "WHO", "ACT", "OUTCOME", "DETAIL", "WHY"], &rows);
}

pub(super) fn acts_json(acts: &[RecordedAct]) -> Vec<Value> {
    acts.iter()
        .map(|act| {
            json!({ "at": time(act.at.as_ref()), "who": act.who, "why": act.why, "action": act.action,
                    "outcome": act.outcome, "detail": act.detail })
        })
        .collect()
}

fn at(stamp: &Timestamp) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(stamp.seconds).ok()
}

/// `2026-03-01 14:05:09Z`; empty when there is none.
pub(super) fn time(stamp: Option<&Timestamp>) -> String {
    stamp
        .and_then(at)
        .and_then(|at| {
            at.format(format_description!(
                "[year]-[month]-[day] [hour]:[minute]:[second]Z"
            ))
            .ok()
        })
        .unwrap_or_default()
}

/// How long ago by this machine's clock: `45s`, `12m`, `5h`, `3d`.
pub(super) fn age(stamp: Option<&Timestamp>) -> String {
    stamp
        .and_then(at)
        .map(|at| span((OffsetDateTime::now_utc() - at).as_seconds_f64()))
        .unwrap_or_default()
}

/// A number of seconds as `45s`, `12m`, `5h`, `3d`.
pub(super) fn span(seconds: f64) -> String {
    let (sign, seconds) = if seconds < 0.0 {
        ("-", -seconds)
    } else {
        ("", seconds)
    };
    let (number, unit) = match seconds {
        s if s < 120.0 => (s, "s"),
        s if s < 7_200.0 => (s / 60.0, "m"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    format!("{sign}{number:.0}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_read_well() {
        let stamp = Timestamp {
            seconds: 1_772_373_909,
            nanos: 7,
        };
        assert_eq!(time(Some(&stamp)), "2026-03-01 14:05:09Z");
        assert_eq!(time(None), "");
        assert_eq!(span(45.2), "45s");
        assert_eq!(span(-3.0), "-3s");
        assert_eq!(span(600.0), "10m");
        assert_eq!(span(36_000.0), "10h");
        assert_eq!(span(864_000.0), "10d");
    }
}
