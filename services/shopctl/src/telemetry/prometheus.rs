//! Metrics in the text format of Prometheus, named as the Collector's Prometheus exporter names them: namespace `shopapi`, the unit as a suffix, `_total` once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::metrics::{Family, Labels, Sample};

/// The exporter's `namespace` in `deploy/otel-collector-config.yaml`.
const NAMESPACE: &str = "shopapi";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Whatever it is at the moment.
    Gauge,
    /// A sum that may fall: a gauge for Prometheus.
    UpDown,
    /// A distribution.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::UpDown => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The suffix for a unit of UCUM; units in braces are remarks, `1` has none of its own.
fn unit_suffix(unit: &str) -> Option<String> {
    let known = match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "kBy" | "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "%" => "percent",
        "Hz" => "hertz",
        "Cel" => "celsius",
        "" | "1" => return None,
        other if other.contains('{') => return None,
        other => other,
    };
    Some(known.to_owned())
}

/// The name of a metric.
#[must_use]
pub fn metric_name(name: &str, unit: &str, kind: Kind) -> String {
    let words = |text: &str| -> Vec<String> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut parts = words(name);
    let (main, per) = unit
        .split_once('/')
        .map_or((unit, None), |(main, per)| (main, Some(per)));
    let main = unit_suffix(main.trim()).filter(|suffix| !parts.contains(suffix));
    parts.extend(main.iter().flat_map(|suffix| words(suffix)));
    if let Some(per) = per.and_then(|per| unit_suffix(per.trim())) {
        // `s` is `seconds` on its own and `second` after `per`.
        parts.push("per".to_owned());
        parts.push(per.strip_suffix('s').unwrap_or(&per).to_owned());
    }
    let last = match kind {
        Kind::Counter => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        Kind::Gauge | Kind::UpDown | Kind::Histogram => None,
    };
    if let Some(last) = last {
        parts.retain(|part| part != last);
        parts.push(last.to_owned());
    }
    parts.insert(0, NAMESPACE.to_owned());
    parts.join("_")
}

/// The name of a label: what Prometheus does not allow becomes `_`.
#[must_use]
pub fn label_name(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    if clean.starts_with(|letter: char| letter.is_ascii_digit()) {
        return format!("key_{clean}");
    }
    clean
}

/// A number as Prometheus' own library writes it: the shortest text, with an exponent from a million up and below a ten-thousandth.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}

fn sample(text: &mut String, name: &str, labels: &Labels, bound: Option<&str>, value: f64) {
    let mut pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)))
        .collect();
    // The library writes `le` behind all other labels.
    pairs.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    // Writing into a String cannot fail.
    let _ = if pairs.is_empty() {
        writeln!(text, "{name} {}", number(value))
    } else {
        writeln!(text, "{name}{{{}}} {}", pairs.join(","), number(value))
    };
}

/// The page for Prometheus.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "Prometheus knows only f64")]
pub fn page(families: &BTreeMap<String, Family>) -> String {
    let mut text = String::new();
    for (name, family) in families {
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "# HELP {name} {help}");
        let _ = writeln!(text, "# TYPE {name} {}", family.kind.name());
        for (labels, (value, _)) in &family.series {
            match value {
                Sample::Number(value) => sample(&mut text, name, labels, None, *value),
                Sample::Histogram {
                    count,
                    sum,
                    bounds,
                    counts,
                } => {
                    let bucket = format!("{name}_bucket");
                    let mut below = 0;
                    for (bound, count) in bounds.iter().zip(counts) {
                        below += count;
                        let bound = number(*bound);
                        sample(&mut text, &bucket, labels, Some(&bound), below as f64);
                    }
                    sample(&mut text, &bucket, labels, Some("+Inf"), *count as f64);
                    sample(&mut text, &format!("{name}_sum"), labels, None, *sum);
                    sample(
                        &mut text,
                        &format!("{name}_count"),
                        labels,
                        None,
                        *count as f64,
                    );
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_collector() {
        let cases = [
            (
                "http_requests",
                "",
                Kind::Counter,
                "shopapi_http_requests_total",
            ),
            (
                "http_requests_total",
                "",
                Kind::Counter,
                "shopapi_http_requests_total",
            ),
            (
                "orders_created",
                "{order}",
                Kind::Counter,
                "shopapi_orders_created_total",
            ),
            (
                "http.server.request.duration",
                "s",
                Kind::Histogram,
                "shopapi_http_server_request_duration_seconds",
            ),
            (
                "order_completion_seconds",
                "s",
                Kind::Histogram,
                "shopapi_order_completion_seconds",
            ),
            (
                "saga_oldest_age",
                "s",
                Kind::Gauge,
                "shopapi_saga_oldest_age_seconds",
            ),
            (
                "process.memory",
                "By",
                Kind::UpDown,
                "shopapi_process_memory_bytes",
            ),
            ("cache.hits", "1", Kind::Gauge, "shopapi_cache_hits_ratio"),
            ("bus_connected", "", Kind::Gauge, "shopapi_bus_connected"),
            (
                "tls_certificate_expiry_timestamp",
                "s",
                Kind::Gauge,
                "shopapi_tls_certificate_expiry_timestamp_seconds",
            ),
            (
                "disk.io",
                "By/s",
                Kind::Gauge,
                "shopapi_disk_io_bytes_per_second",
            ),
        ];
        for (name, unit, kind, expected) in cases {
            assert_eq!(metric_name(name, unit, kind), expected);
        }
        assert_eq!(label_name("http.route"), "http_route");
        assert_eq!(label_name("2nd"), "key_2nd");
    }

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.005, "0.005"),
            (0.000_01, "1e-05"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.234567e+06"),
            (1_795_376_000.0, "1.795376e+09"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }
}
