//! The bench's figures, as a table and as JSON.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::ui::{Style, Ui, human};

use super::cpu::CpuTimes;
use super::load::Outcome;

/// All figures of a run.
pub(super) struct Report {
    pub(super) products: usize,
    pub(super) seconds_per_level: u64,
    pub(super) debug_build: bool,
    pub(super) levels: Vec<Level>,
}

/// The figures of one level of concurrency.
pub(super) struct Level {
    /// Share of the traces that was kept; `None` with telemetry off.
    traces_kept: Option<f64>,
    in_flight: usize,
    orders: usize,
    refused: u64,
    unpaid: u64,
    orders_per_second: f64,
    p50: Duration,
    p99: Duration,
    journal_batch_mean: f64,
    /// CPU milliseconds per order by process.
    cpu_ms: Vec<(String, f64)>,
}

impl Level {
    pub(super) fn new(
        traces_kept: Option<f64>,
        in_flight: usize,
        elapsed: Duration,
        outcome: &Outcome,
        cpu: &CpuTimes,
        journal_batch_mean: f64,
    ) -> Self {
        let orders = outcome.latencies.len();
        let count = as_f64(orders).max(1.0);
        Self {
            traces_kept,
            in_flight,
            orders,
            refused: outcome.refused,
            unpaid: outcome.unpaid,
            orders_per_second: as_f64(orders) / elapsed.as_secs_f64(),
            p50: percentile(&outcome.latencies, 50),
            p99: percentile(&outcome.latencies, 99),
            journal_batch_mean,
            cpu_ms: cpu
                .iter()
                .map(|(name, time)| (name.to_owned(), time.as_secs_f64() * 1_000.0 / count))
                .collect(),
        }
    }

    fn traces(&self) -> String {
        self.traces_kept.map_or_else(
            || "off".to_owned(),
            |share| format!("{:.0} %", share * 100.0),
        )
    }

    /// Everything that serves orders; the bench's own client is not part of the system.
    fn system_cpu_ms(&self) -> f64 {
        self.cpu_ms
            .iter()
            .filter(|(name, _)| name != "client")
            .map(|(_, ms)| ms)
            .sum()
    }

    fn json(&self) -> Value {
        let cpu: serde_json::Map<String, Value> = self
            .cpu_ms
            .iter()
            .map(|(name, ms)| (name.clone(), json!(rounded(*ms))))
            .collect();
        json!({
            "in_flight": self.in_flight,
            "orders": self.orders,
            "traces_kept": self.traces_kept,
            "refused": self.refused,
            "unpaid": self.unpaid,
            "orders_per_second": rounded(self.orders_per_second),
            "p50_ms": rounded(self.p50.as_secs_f64() * 1_000.0),
            "p99_ms": rounded(self.p99.as_secs_f64() * 1_000.0),
            "journal_batch_mean": rounded(self.journal_batch_mean),
            "cpu_ms_per_order": rounded(self.system_cpu_ms()),
            "cpu_ms_per_order_by_process": cpu,
        })
    }
}

impl Report {
    pub(super) fn show(&self, ui: &Ui) {
        let processes: Vec<&str> = self
            .levels
            .first()
            .map(|level| level.cpu_ms.iter().map(|(name, _)| name.as_str()).collect())
            .unwrap_or_default();
        ui.line("");
        ui.line(ui.paint(
            Style::Bold,
            format!(
                "{:>6} {:>9} {:>8} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8}",
                "traces",
                "in flight",
                "orders",
                "orders/s",
                "p50",
                "p99",
                "batch",
                "refused",
                "unpaid"
            ),
        ));
        for level in &self.levels {
            ui.line(format!(
                "{:>6} {:>9} {:>8} {:>9.1} {:>9} {:>9} {:>7.1} {:>8} {:>8}",
                level.traces(),
                level.in_flight,
                level.orders,
                level.orders_per_second,
                human(level.p50),
                human(level.p99),
                level.journal_batch_mean,
                level.refused,
                level.unpaid
            ));
        }
        ui.line("");
        let columns: String = processes.iter().map(|name| format!(" {name:>9}")).collect();
        ui.line(ui.paint(
            Style::Bold,
            format!("traces  CPU-ms per order {:>7}{columns}", "system"),
        ));
        for level in &self.levels {
            let columns: String = level
                .cpu_ms
                .iter()
                .map(|(_, ms)| format!(" {ms:>9.3}"))
                .collect();
            ui.line(format!(
                "{:>6} {:>17} {:>7.3}{columns}",
                level.traces(),
                level.in_flight,
                level.system_cpu_ms()
            ));
        }
        if self.debug_build {
            ui.line(ui.paint(
                Style::Yellow,
                "a build without optimisations: these figures say nothing",
            ));
        }
        ui.line("");
    }

    pub(super) fn write(&self, out: &Path) -> Result<()> {
        let levels: Vec<Value> = self.levels.iter().map(Level::json).collect();
        let body = json!({
            "build": if self.debug_build { "debug" } else { "release" },
            "durability": "full",
            "products": self.products,
            "seconds_per_level": self.seconds_per_level,
            "levels": levels,
        });
        if let Some(dir) = out.parent() {
            std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        }
        std::fs::write(out, format!("{body:#}\n"))
            .with_context(|| format!("writing {}", out.display()))
    }
}

/// Nearest-rank percentile of sorted values; zero when there are none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn as_f64(count: usize) -> f64 {
    // Far below 2^32 in any run that ends.
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let values: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&values, 50), Duration::from_millis(50));
        assert_eq!(percentile(&values, 99), Duration::from_millis(99));
        assert_eq!(percentile(&values[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    #[test]
    fn the_client_is_not_part_of_the_system() {
        let mut cpu = CpuTimes::default();
        cpu.add("orders", Duration::from_millis(300));
        cpu.add("client", Duration::from_millis(900));
        let outcome = Outcome {
            latencies: vec![Duration::from_millis(2); 1_000],
            ..Outcome::default()
        };
        let level = Level::new(None, 64, Duration::from_secs(2), &outcome, &cpu, 5.0);
        assert!((level.system_cpu_ms() - 0.3).abs() < 1e-9);
        assert!((level.orders_per_second - 500.0).abs() < 1e-9);
    }
}
