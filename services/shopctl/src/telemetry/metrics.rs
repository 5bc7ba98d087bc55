//! The latest value of every metric, per process and per set of attributes: what the Collector's Prometheus exporter keeps, with the labels and the expiry
//! that `deploy/otel-collector-config.yaml` gives it, so that a query that works here works there.
//!
//! Counters arrive as running totals; one that arrives as increments is added up here. A series that is not sent for a while is forgotten, as
//! that exporter does, so that a process that is gone leaves the page.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
};

use super::model::{Process, Value, attributes};
use super::prometheus::{Kind, label_name, metric_name};

/// `metric_expiration` of that configuration.
const EXPIRES_AFTER: Duration = Duration::from_secs(120);
/// What a process says about its SDK and its machine: that configuration's `resource/metrics` deletes it, or it would be a label of every series.
const NO_LABELS: [&str; 4] = ["telemetry.sdk.", "process.", "host.", "os."];
/// Series at most; a label that takes any value must not eat the memory.
const SERIES_MAX: usize = 50_000;

/// Labels of a series, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A number.
    Number(f64),
    /// A distribution: how many, their sum, and how many fell into each bucket (not cumulative), the last one without an upper bound.
    Histogram {
        /// How many.
        count: u64,
        /// Their sum.
        sum: f64,
        /// Upper bounds, rising.
        bounds: Vec<f64>,
        /// One more than bounds.
        counts: Vec<u64>,
    },
}

impl Sample {
    /// Adds an increment to what came before; the increment alone where the two do not fit together.
    fn added_to(self, before: Option<&Self>) -> Self {
        match (before, self) {
            (Some(Self::Number(before)), Self::Number(more)) => Self::Number(before + more),
            (
                Some(Self::Histogram {
                    count: count_before,
                    sum: sum_before,
                    bounds: bounds_before,
                    counts: counts_before,
                }),
                Self::Histogram {
                    count,
                    sum,
                    bounds,
                    counts,
                },
            ) if *bounds_before == bounds && counts_before.len() == counts.len() => {
                let counts = counts.iter().zip(counts_before);
                Self::Histogram {
                    count: count + count_before,
                    sum: sum + sum_before,
                    bounds,
                    counts: counts.map(|(more, before)| more + before).collect(),
                }
            }
            (_, alone) => alone,
        }
    }
}

/// A metric with all its series.
#[derive(Debug)]
pub struct Family {
    /// counter, gauge or histogram.
    pub kind: Kind,
    /// What it measures.
    pub help: String,
    /// Its series.
    pub series: BTreeMap<Labels, (Sample, Instant)>,
}

/// All metrics, by their names for Prometheus.
#[derive(Debug, Default)]
pub struct Metrics {
    families: BTreeMap<String, Family>,
}

impl Metrics {
    /// Takes what a process sent.
    pub fn take(&mut self, sent: ResourceMetrics, now: Instant) {
        let process = Process::of(sent.resource);
        let labels = base_labels(&process);
        let scopes = sent.scope_metrics.into_iter();
        for metric in scopes.flat_map(|scope| scope.metrics) {
            self.take_metric(metric, &labels, now);
        }
    }

    fn take_metric(&mut self, metric: Metric, base: &Labels, now: Instant) {
        let (kind, is_delta) = match &metric.data {
            Some(Data::Gauge(_)) => (Kind::Gauge, false),
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                (Kind::Counter, delta(sum.aggregation_temporality))
            }
            Some(Data::Sum(sum)) => (Kind::UpDown, delta(sum.aggregation_temporality)),
            Some(Data::Histogram(histogram)) => {
                (Kind::Histogram, delta(histogram.aggregation_temporality))
            }
            // Kinds that nothing here sends.
            Some(_) | None => return,
        };
        let name = metric_name(&metric.name, &metric.unit, kind);
        let points: Vec<(Vec<KeyValue>, Option<Sample>)> = match metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().map(number).collect(),
            Some(Data::Sum(sum)) => sum.data_points.into_iter().map(number).collect(),
            Some(Data::Histogram(histogram)) => histogram
                .data_points
                .into_iter()
                .map(distribution)
                .collect(),
            _ => return,
        };
        let series_kept: usize = self
            .families
            .values()
            .map(|family| family.series.len())
            .sum();
        let family = self.families.entry(name).or_insert_with(|| Family {
            kind,
            help: metric.description,
            series: BTreeMap::new(),
        });
        for (point_attributes, sample) in points {
            let Some(sample) = sample else { continue };
            let labels = labels(point_attributes, base);
            let before = family.series.get(&labels).map(|(sample, _)| sample);
            if before.is_none() && series_kept >= SERIES_MAX {
                continue;
            }
            let sample = if is_delta {
                sample.added_to(before)
            } else {
                sample
            };
            family.series.insert(labels, (sample, now));
        }
    }

    /// All metrics by name, without what was not sent for a while.
    pub fn current(&mut self, now: Instant) -> &BTreeMap<String, Family> {
        for family in self.families.values_mut() {
            family
                .series
                .retain(|_, (_, at)| now.saturating_duration_since(*at) < EXPIRES_AFTER);
        }
        self.families.retain(|_, family| !family.series.is_empty());
        &self.families
    }
}

fn delta(temporality: i32) -> bool {
    temporality == AggregationTemporality::Delta as i32
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows only f64")]
fn number(point: NumberDataPoint) -> (Vec<KeyValue>, Option<Sample>) {
    let value = point.value.map(|value| match value {
        Number::AsDouble(value) => value,
        Number::AsInt(value) => value as f64,
    });
    (point.attributes, value.map(Sample::Number))
}

fn distribution(point: HistogramDataPoint) -> (Vec<KeyValue>, Option<Sample>) {
    let sample = Sample::Histogram {
        count: point.count,
        sum: point.sum.unwrap_or_default(),
        bounds: point.explicit_bounds,
        counts: point.bucket_counts,
    };
    (point.attributes, Some(sample))
}

/// What every series of a process says: `resource_to_telemetry_conversion` is on, `without_scope_info` too, and the exporter adds `job` and `instance`.
fn base_labels(process: &Process) -> Labels {
    let mut labels: Labels = process
        .attributes
        .iter()
        .filter(|(key, _)| !NO_LABELS.iter().any(|prefix| key.starts_with(prefix)))
        .map(|(key, value)| (label_name(key), value.to_string()))
        .collect();
    labels.insert("service_name".to_owned(), process.service.clone());
    let namespace = process
        .attributes
        .iter()
        .find(|(key, _)| key == "service.namespace");
    let job = match namespace {
        Some((_, namespace)) => format!("{namespace}/{}", process.service),
        None => process.service.clone(),
    };
    labels.insert("job".to_owned(), job);
    let instance = process.instance();
    if !instance.is_empty() {
        labels.insert("instance".to_owned(), instance);
    }
    labels
}

fn labels(point: Vec<KeyValue>, base: &Labels) -> Labels {
    let mut labels: Labels = attributes(point)
        .into_iter()
        .map(|(key, value): (String, Value)| (label_name(&key), value.to_string()))
        .collect();
    // What the resource says wins over a data point's attribute of the same name.
    labels.extend(base.iter().map(|(key, value)| (key.clone(), value.clone())));
    labels
}

#[cfg(test)]
mod tests;
