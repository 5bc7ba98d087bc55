"""Reads the Collector's files as the Collector does and fails where they do not say what we mean.

The binary is not part of this: names of components and fields are held against what its documentation lists for 0.156. That finds a
misspelt field, a component that no pipeline uses or that nobody declared, a wrong order, and a merge that lost something.
"""

import re
import sys
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
BASE, PROD = DEPLOY / "otel-collector-config.yaml", DEPLOY / "otel-collector-prod.yaml"

# The fields of each component that may be used here, as documented. A new one is added when its documentation was read.
CLIENT = {"endpoint", "tls", "timeout", "sending_queue", "retry_on_failure", "headers", "compression"}
FIELDS = {
    "receivers": {"otlp": {"protocols"}},
    "processors": {
        "memory_limiter": {"check_interval", "limit_mib", "spike_limit_mib", "limit_percentage", "spike_limit_percentage"},
        "batch": {"timeout", "send_batch_size", "send_batch_max_size"},
        "resource": {"attributes"},
        "tail_sampling": {"decision_wait", "num_traces", "expected_new_traces_per_sec", "decision_cache", "policies"},
    },
    "exporters": {
        "otlp_grpc": CLIENT,
        "otlp_http": CLIENT,
        "prometheus": {
            "endpoint", "namespace", "metric_expiration", "resource_to_telemetry_conversion", "translation_strategy", "without_scope_info",
        },
        "debug": {"verbosity", "sampling_initial", "sampling_thereafter", "use_internal_logger"},
    },
    "extensions": {"health_check": {"endpoint", "path"}},
    "connectors": {},
}
# The settings of a policy stand under a key of its type's name, with these fields.
POLICIES = {
    "status_code": {"status_codes"},
    "latency": {"threshold_ms", "upper_threshold_ms"},
    "string_attribute": {"key", "values", "enabled_regex_matching"},
    "probabilistic": {"sampling_percentage"},
}
# What each policy looks for on a span: the attribute and its value, None for any.
WANTED = {"stuck": ("saga.state", "STUCK"), "stuck-step": ("saga.step", "stuck"), "operators": ("operator.action", None)}

problems = []


def expect(holds, sentence):
    if not holds:
        problems.append(sentence)


def expand(value, environment):
    """`${env:NAME:-default}`, everywhere in a value; the result is read as YAML again, as the Collector does."""
    if isinstance(value, dict):
        return {key: expand(inner, environment) for key, inner in value.items()}
    if isinstance(value, list):
        return [expand(inner, environment) for inner in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def one(match):
        name, _, default = match.group(1).partition(":-")
        return environment.get(name, default)

    return yaml.safe_load(re.sub(r"\$\{env:([^}]*)\}", one, value))


def merge(base, over):
    """Maps key by key, everything else is replaced: lists too."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merge(base.get(key), value) for key, value in over.items()}
    return over


def check_components(config, where):
    service = config["service"]
    used = {kind: set() for kind in FIELDS}
    used["extensions"] = set(service.get("extensions", []))
    for pipeline in service["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            used[kind].update(pipeline.get(kind, []))
    for kind, types in FIELDS.items():
        declared = config.get(kind) or {}
        for name in sorted(used[kind] - set(declared)):
            expect(False, f"{where}: {name} is used and not declared under {kind}")
        for name in sorted(set(declared) - used[kind]):
            expect(False, f"{where}: {name} under {kind} is used by nothing")
        for name, settings in declared.items():
            component = name.split("/")[0]
            expect(component in types, f"{where}: {kind} knows no {component}")
            for field in sorted(set(settings or {}) - types.get(component, set())):
                expect(False, f"{where}: {name} has no field {field} in the documentation")


def check_pipelines(config, where):
    pipelines = config["service"]["pipelines"]
    expect(set(pipelines) == {"traces", "metrics", "logs"}, f"{where}: pipelines are {sorted(pipelines)}")
    for name, pipeline in pipelines.items():
        processors = pipeline["processors"]
        expect(pipeline["receivers"] == ["otlp"], f"{where}: {name} does not begin at otlp")
        expect(processors[0] == "memory_limiter", f"{where}: {name} does not begin with memory_limiter")
        expect(processors[-1] == "batch", f"{where}: {name} does not end with batch, what comes after it undoes it")
    exporters = {name: pipeline["exporters"] for name, pipeline in pipelines.items()}
    wanted = {"traces": ["otlp_grpc/jaeger"], "metrics": ["prometheus"], "logs": ["debug/logs"]}
    expect(exporters == wanted, f"{where}: signals leave through {exporters}")


def check_promises(config, where):
    protocols = config["receivers"]["otlp"]["protocols"]
    expect(set(protocols) == {"grpc", "http"}, f"{where}: OTLP over gRPC and HTTP is promised")
    ends = {
        "OTLP gRPC": (protocols["grpc"]["endpoint"], 4317),
        "OTLP HTTP": (protocols["http"]["endpoint"], 4318),
        "metrics": (config["exporters"]["prometheus"]["endpoint"], 8889),
        "Jaeger": (config["exporters"]["otlp_grpc/jaeger"]["endpoint"], 4317),
        "health": (config["extensions"]["health_check"]["endpoint"], 13133),
    }
    for what, (endpoint, port) in ends.items():
        expect(re.fullmatch(rf"[\w.-]+:{port}", str(endpoint)), f"{where}: {what} is at {endpoint!r}, not at :{port}")
    prometheus = config["exporters"]["prometheus"]
    expect(prometheus["namespace"] == "shopapi", f"{where}: the names on :8889 do not begin with shopapi_")
    expect(prometheus["resource_to_telemetry_conversion"] == {"enabled": True}, f"{where}: series have no service_name")
    expect(prometheus["translation_strategy"] == "UnderscoreEscapingWithSuffixes", f"{where}: counters have no _total")
    expect(config["exporters"]["otlp_grpc/jaeger"]["tls"]["insecure"] is True, f"{where}: a flag of the environment is no flag")
    reader = config["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]
    expect(reader["port"] == 8888, f"{where}: the Collector's own metrics are not on :8888")


def sources():
    """The Rust that runs in production."""
    roots = (DEPLOY.parent / "actors", DEPLOY.parent / "services")
    files = (path for root in roots for path in root.rglob("src/**/*.rs") if "tests" not in path.parts)
    return "\n".join(path.read_text() for path in files)


def check_attributes(policies):
    """A policy about an attribute that no span has keeps nothing."""
    rust = sources()
    about = {name: policy["string_attribute"] for name, policy in policies.items() if policy["type"] == "string_attribute"}
    expect(set(about) == set(WANTED), f"prod: policies about attributes are {sorted(about)}")
    for name, (key, value) in WANTED.items():
        policy = about.get(name, {})
        expect(policy.get("key") == key, f"prod: {name} looks at {policy.get('key')}, not at {key}")
        values, regex = ([".+"], True) if value is None else ([value], False)
        expect(policy.get("values") == values, f"prod: {name} wants {policy.get('values')}, not {values}")
        expect(policy.get("enabled_regex_matching", False) is regex, f"prod: {name} must {'' if regex else 'not '}match by expression")
        expect(re.search(rf"^\s*{re.escape(key)} = ", rust, re.M), f"prod: {name}: no span has the attribute {key}")
        expect(value is None or f'"{value}"' in rust, f"prod: {name}: no span says {value}")


def check_sampling(config):
    sampling = config["processors"]["tail_sampling"]
    policies = {policy["name"]: policy for policy in sampling["policies"]}
    expect(list(policies) == ["errors", "slow", "stuck", "stuck-step", "operators", "rest"], f"prod: policies are {list(policies)}")
    for name, policy in policies.items():
        kind = policy["type"]
        expect(kind in POLICIES, f"prod: {name}: no policy {kind}")
        expect(set(policy) == {"name", "type", kind}, f"prod: {name} does not configure {kind}")
        fields = POLICIES.get(kind, set())
        expect(set(policy.get(kind, {})) <= fields, f"prod: {name} has a field that {kind} does not know")
    check_attributes(policies)
    expect(policies["rest"]["probabilistic"]["sampling_percentage"] == 1, "prod: the rest is not sampled at 1 %")
    expect(policies["errors"]["status_code"]["status_codes"] == ["ERROR"], "prod: errors are not kept")
    expect("non_sampled_cache_size" not in sampling["decision_cache"], "prod: late spans of dropped traces would never be judged")
    processors = config["service"]["pipelines"]["traces"]["processors"]
    expect(processors == ["memory_limiter", "tail_sampling", "batch"], f"prod: traces go through {processors}")


def main():
    base, over = (yaml.safe_load(path.read_text()) for path in (BASE, PROD))
    merged = merge(base, over)
    for where, raw in (("base", base), ("prod", merged)):
        config = expand(raw, {})
        check_components(config, where)
        check_pipelines(config, where)
        check_promises(config, where)
    check_sampling(expand(merged, {}))
    without_traces = {**merged["service"]["pipelines"], "traces": None}
    expect(without_traces == {**base["service"]["pipelines"], "traces": None}, "prod: the overlay changes more than traces")
    expect(merged["service"]["telemetry"] == base["service"]["telemetry"], "prod: the merge lost the Collector's own telemetry")
    elsewhere = expand(base, {"JAEGER_OTLP_ENDPOINT": "shopapi-jaeger.shopapi.svc:4317"})
    expect(elsewhere["exporters"]["otlp_grpc/jaeger"]["endpoint"].startswith("shopapi-jaeger."), "base: Jaeger cannot be elsewhere")
    if problems:
        sys.exit("\n".join(problems))
    print("Collector: base and production are whole; 3 pipelines each, checked without the binary")


if __name__ == "__main__":
    main()
