//! The standard `OTEL_*` variables, read once and checked.
//!
//! What is set wrongly is a problem with its variable's name, not a silent default: a service whose traces go nowhere looks healthy.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that the standard variables say.
#[derive(Debug, Clone, PartialEq)]
pub struct Otel {
    /// `OTEL_SDK_DISABLED`: no traces, no metrics, no exported logs, no trace ids.
    pub disabled: bool,
    /// `OTEL_RESOURCE_ATTRIBUTES`, decoded.
    pub resource: Vec<(String, String)>,
    /// `OTEL_SERVICE_NAME`, when it is not the service's own name: it is ignored, with a line in the log.
    pub other_service_name: Option<String>,
    /// `OTEL_TRACES_SAMPLER` and its argument.
    pub sampler: Sampling,
    /// Where spans go.
    pub traces: Option<Endpoint>,
    /// Where metrics go.
    pub metrics: Option<Endpoint>,
    /// Where logs go.
    pub logs: Option<Endpoint>,
    /// `OTEL_BSP_*`.
    pub span_batches: Batches,
    /// `OTEL_BLRP_*`.
    pub log_batches: Batches,
    /// `OTEL_METRIC_EXPORT_INTERVAL`.
    pub metric_interval: Duration,
}

impl Default for Otel {
    fn default() -> Self {
        Self {
            disabled: false,
            resource: Vec::new(),
            other_service_name: None,
            sampler: Sampling {
                parent_based: true,
                ratio: 1.0,
            },
            traces: None,
            metrics: None,
            logs: None,
            span_batches: Batches::new(Duration::from_secs(5)),
            log_batches: Batches::new(Duration::from_secs(1)),
            metric_interval: Duration::from_secs(5),
        }
    }
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Whether a trace that comes in with a decision keeps it.
    pub parent_based: bool,
    /// Share of the others, 0.0 to 1.0.
    pub ratio: f64,
}

/// One OTLP/gRPC receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Sent with each export; may hold credentials.
    pub headers: Vec<(String, String)>,
    /// How long one export may take.
    pub timeout: Duration,
    /// The CA that an `https` receiver is verified with.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// How spans or logs are gathered before they leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Longest time that one waits for others.
    pub delay: Duration,
    /// How many wait at most; past that they are dropped and counted.
    pub queue_max: usize,
    /// How many leave together.
    pub batch_max: usize,
    /// How long one batch may take to leave.
    pub export_timeout: Duration,
}

impl Batches {
    /// The specification's numbers.
    const fn new(delay: Duration) -> Self {
        Self {
            delay,
            queue_max: 2048,
            batch_max: 512,
            export_timeout: Duration::from_secs(30),
        }
    }
}

/// One variable that is set wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its name.
    pub key: String,
    /// What to do; never its value.
    pub text: &'static str,
}

/// Reads variables and gathers what is wrong with them.
struct Reader<F> {
    get: F,
    problems: Vec<Problem>,
}

impl Otel {
    /// Reads the variables through `get`, which answers with the value of a variable that is set and not empty.
    ///
    /// # Errors
    /// Every variable that is set wrongly.
    pub fn read(
        service_name: &str,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            get,
            problems: Vec::new(),
        };
        let defaults = Self::default();
        let otel = Self {
            // By the specification in any case, and any other value means no.
            disabled: reader
                .text("OTEL_SDK_DISABLED")
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            resource: reader
                .parse("OTEL_RESOURCE_ATTRIBUTES", pairs)
                .unwrap_or_default(),
            other_service_name: reader
                .text("OTEL_SERVICE_NAME")
                .filter(|name| name != service_name),
            sampler: reader.sampler(),
            traces: reader.endpoint("TRACES"),
            metrics: reader.endpoint("METRICS"),
            logs: reader.endpoint("LOGS"),
            span_batches: reader.batches("BSP", defaults.span_batches),
            log_batches: reader.batches("BLRP", defaults.log_batches),
            metric_interval: reader
                .parse("OTEL_METRIC_EXPORT_INTERVAL", milliseconds)
                .unwrap_or(defaults.metric_interval),
        };
        if reader.problems.is_empty() {
            Ok(otel)
        } else {
            Err(reader.problems)
        }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, key: &str) -> Option<String> {
        (self.get)(key)
    }

    fn parse<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(text) => {
                self.problem(key, text);
                None
            }
        }
    }

    fn problem(&mut self, key: &str, text: &'static str) {
        let key = key.to_owned();
        if !self.problems.iter().any(|problem| problem.key == key) {
            self.problems.push(Problem { key, text });
        }
    }

    fn sampler(&mut self) -> Sampling {
        let ratio = self
            .parse("OTEL_TRACES_SAMPLER_ARG", |text| {
                text.parse()
                    .ok()
                    .filter(|ratio| (0.0..=1.0).contains(ratio))
                    .ok_or("must be from 0.0 to 1.0")
            })
            .unwrap_or(1.0);
        let by_name = self.parse("OTEL_TRACES_SAMPLER", |name| {
            let (parent_based, ratio) = match name {
                "always_on" => (false, 1.0),
                "always_off" => (false, 0.0),
                "traceidratio" => (false, ratio),
                "parentbased_always_on" => (true, 1.0),
                "parentbased_always_off" => (true, 0.0),
                "parentbased_traceidratio" => (true, ratio),
                _ => {
                    return Err(
                        "must be always_on, always_off, traceidratio, or one of them with parentbased_ before it",
                    );
                }
            };
            Ok(Sampling {
                parent_based,
                ratio,
            })
        });
        by_name.unwrap_or(Sampling {
            parent_based: true,
            ratio,
        })
    }

    /// A signal's own variable, or the common one.
    fn own_or_common<T>(
        &mut self,
        signal: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
        if self.text(&own).is_some() {
            return self.parse(&own, parse);
        }
        self.parse(&format!("OTEL_EXPORTER_OTLP_{what}"), parse)
    }

    fn endpoint(&mut self, signal: &str) -> Option<Endpoint> {
        let exporter = format!("OTEL_{signal}_EXPORTER");
        let wanted = self.parse(&exporter, |name| match name {
            "otlp" => Ok(true),
            "none" => Ok(false),
            _ => Err("must be otlp or none"),
        });
        if wanted == Some(false) {
            return None;
        }
        let url = self.own_or_common(signal, "ENDPOINT", url)?;
        self.own_or_common(signal, "PROTOCOL", |name| match name {
            "grpc" => Ok(()),
            _ => Err("must be grpc: the collector's port 4317; port 4318 speaks http/protobuf"),
        });
        self.own_or_common(signal, "COMPRESSION", |name| match name {
            "none" => Ok(()),
            _ => Err("must be none: exports are not compressed"),
        });
        let headers = self
            .own_or_common(signal, "HEADERS", pairs)
            .unwrap_or_default();
        let timeout = self
            .own_or_common(signal, "TIMEOUT", milliseconds)
            .unwrap_or(Duration::from_secs(10));
        let ca = self.own_or_common(signal, "CERTIFICATE", |path| Ok(PathBuf::from(path)));
        if url.starts_with("https://") && ca.is_none() {
            self.problem(
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "is missing: an https endpoint is verified with the CA in this file",
            );
        }
        Some(Endpoint {
            url,
            headers,
            timeout,
            ca,
        })
    }

    fn batches(&mut self, prefix: &str, defaults: Batches) -> Batches {
        let key = |what: &str| format!("OTEL_{prefix}_{what}");
        let queue_max = self
            .parse(&key("MAX_QUEUE_SIZE"), count)
            .unwrap_or(defaults.queue_max);
        let batch_max = self
            .parse(&key("MAX_EXPORT_BATCH_SIZE"), count)
            .unwrap_or(defaults.batch_max);
        Batches {
            delay: self
                .parse(&key("SCHEDULE_DELAY"), milliseconds)
                .unwrap_or(defaults.delay),
            queue_max,
            // A batch that is larger than the queue would never be full.
            batch_max: batch_max.min(queue_max),
            export_timeout: self
                .parse(&key("EXPORT_TIMEOUT"), milliseconds)
                .unwrap_or(defaults.export_timeout),
        }
    }
}

fn url(text: &str) -> Result<String, &'static str> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.to_owned())
    } else {
        Err("must be a URL such as http://127.0.0.1:4317")
    }
}

fn milliseconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be milliseconds, 1 or more"),
        Ok(millis) => Ok(Duration::from_millis(millis)),
    }
}

fn count(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or("must be a number, 1 or more")
}

/// `key=value,key=value`, with `%2C` and the like in the values.
fn pairs(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    const SHAPE: &str = "must be key=value, separated by commas; other characters as %XX";
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').ok_or(SHAPE)?;
            let value = percent_decoded(value.trim()).ok_or(SHAPE)?;
            Ok((key.trim().to_owned(), value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Otel, Vec<Problem>> {
        Otel::read("orders", |key| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_is_the_default_and_exports_nothing() {
        assert_eq!(read(&[]).unwrap(), Otel::default());
    }

    #[test]
    fn a_signals_own_variables_come_before_the_common_ones() {
        let otel = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, x=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "700"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "800"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ])
        .unwrap();
        let traces = otel.traces.unwrap();
        assert_eq!(traces.url, "http://traces:4317");
        assert_eq!(traces.timeout, Duration::from_millis(700));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(traces.headers, [header("api-key", "a,b"), header("x", "1")]);
        let logs = otel.logs.unwrap();
        assert_eq!(
            (logs.url.as_str(), logs.timeout),
            ("http://all:4317", Duration::from_millis(800))
        );
        assert_eq!(otel.metrics, None);
        assert!(!format!("{traces:?}").contains("a,b"), "headers are secret");
    }

    #[test]
    fn samplers_go_by_their_standard_names() {
        let sampler = |name: &str| {
            let vars = [
                ("OTEL_TRACES_SAMPLER", name),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ];
            let sampling = read(&vars).unwrap().sampler;
            (sampling.parent_based, sampling.ratio)
        };
        assert_eq!(sampler("always_on"), (false, 1.0));
        assert_eq!(sampler("always_off"), (false, 0.0));
        assert_eq!(sampler("traceidratio"), (false, 0.25));
        assert_eq!(sampler("parentbased_always_on"), (true, 1.0));
        assert_eq!(sampler("parentbased_always_off"), (true, 0.0));
        assert_eq!(sampler("parentbased_traceidratio"), (true, 0.25));
        let alone = read(&[("OTEL_TRACES_SAMPLER_ARG", "0.25")]).unwrap();
        assert_eq!(alone.sampler.ratio, 0.25);
    }

    #[test]
    fn numbers_of_batches_intervals_and_resources_are_taken() {
        let otel = read(&[
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_SERVICE_NAME", "shop"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "k8s.pod.name=p-1,deployment.environment.name=a%20b",
            ),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "30"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "40"),
        ])
        .unwrap();
        assert!(otel.disabled);
        assert_eq!(otel.other_service_name.as_deref(), Some("shop"));
        assert_eq!(otel.resource[1].1, "a b");
        assert_eq!(
            (otel.span_batches.queue_max, otel.span_batches.batch_max),
            (10, 10)
        );
        assert_eq!(otel.span_batches.delay, Duration::from_millis(20));
        assert_eq!(otel.log_batches.export_timeout, Duration::from_millis(30));
        assert_eq!(otel.metric_interval, Duration::from_millis(40));
        let own_name = read(&[("OTEL_SERVICE_NAME", "orders")]).unwrap();
        assert_eq!(own_name.other_service_name, None);
    }

    #[test]
    fn the_sdk_is_disabled_by_true_in_any_case_and_by_nothing_else() {
        let is_disabled = |text| read(&[("OTEL_SDK_DISABLED", text)]).unwrap().disabled;
        for text in ["true", "True", "TRUE"] {
            assert!(is_disabled(text), "{text}");
        }
        for text in ["false", "1", "yes"] {
            assert!(!is_disabled(text), "{text}");
        }
    }

    #[test]
    fn whatever_is_set_wrongly_is_named_once() {
        let problems = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
            ("OTEL_RESOURCE_ATTRIBUTES", "x"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_LOGS_EXPORTER", "console"),
        ])
        .unwrap_err();
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "OTEL_RESOURCE_ATTRIBUTES",
                "OTEL_TRACES_SAMPLER_ARG",
                "OTEL_TRACES_SAMPLER",
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "OTEL_LOGS_EXPORTER",
                "OTEL_BSP_MAX_QUEUE_SIZE",
                "OTEL_METRIC_EXPORT_INTERVAL",
            ]
        );
    }
}
