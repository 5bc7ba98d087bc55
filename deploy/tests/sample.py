"""Makes a scrape of the metrics in deploy/prometheus/metrics.yml, as the Collector's exporter would show them.

    sample.py write            rewrites deploy/prometheus/tests/sample.prom and sample-collector.prom
    sample.py check            fails when they are out of date
    sample.py compare URL      holds a running stack's scrape against the list
"""

import math
import re
import sys
import urllib.request
from pathlib import Path

import yaml

PROMETHEUS = Path(__file__).resolve().parent.parent / "prometheus"
FILES = {"metrics": PROMETHEUS / "tests/sample.prom", "collector": PROMETHEUS / "tests/sample-collector.prom"}
# What the Collector adds to each series, and what a histogram or a version may add.
ADDED = {"service_name", "service_instance_id", "job", "instance", "le"}
PLACE = {"value", "mean"}


def load():
    return yaml.safe_load((PROMETHEUS / "metrics.yml").read_text())


def own_labels(series):
    return {key: value for key, value in series.items() if key not in PLACE}


def line(name, labels, value):
    inside = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels))
    number = repr(float(value)) if isinstance(value, float) and not value.is_integer() else str(int(value))
    return f"{name}{{{inside}}} {number}"


def histogram(name, labels, series, bounds):
    """Observations spread as an exponential distribution around their mean."""
    count, mean = series["value"], series["mean"]
    for bound in bounds:
        yield line(f"{name}_bucket", labels | {"le": f"{bound:g}"}, int(count * (1 - math.exp(-bound / mean))))
    yield line(f"{name}_bucket", labels | {"le": "+Inf"}, count)
    yield line(f"{name}_sum", labels, float(count * mean))
    yield line(f"{name}_count", labels, count)


def text(listed, part):
    """The scrape of one part of the list."""
    lines = []
    for metric in listed[part]:
        name = metric["name"]
        lines.append(f"# TYPE {name} {metric['type']}")
        for service in metric.get("services", [None]):
            of_service = {}
            if service:
                instance = f"{service}-0"
                of_service = {"service_name": service, "service_instance_id": instance, "job": service, "instance": instance}
            for series in metric["series"]:
                labels = own_labels(series) | of_service
                if metric["type"] == "histogram":
                    lines.extend(histogram(name, labels, series, listed["buckets"][metric["buckets"]]))
                else:
                    lines.append(line(name, labels, series["value"]))
    return "\n".join(lines) + "\n"


def check():
    listed = load()
    stale = [path.name for part, path in FILES.items() if not path.exists() or path.read_text() != text(listed, part)]
    if stale:
        sys.exit(f"{', '.join(stale)} differ from deploy/prometheus/metrics.yml: run python3 deploy/tests/sample.py write")


def scraped(body):
    """name → label names, histograms under their base name."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", body, re.M))
    found = {}
    for name, inside in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+", body, re.M):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        key = base if types.get(base) == "histogram" else name
        found.setdefault(key, set()).update(re.findall(r'(\w+)="', inside))
    return types, found


def tellers(types, body):
    """name → services that tell it, histograms under their base name."""
    told_by = {}
    for name, inside in re.findall(r"^([a-zA-Z_:][\w:]*)\{(.*)\} \S+", body, re.M):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        key = base if types.get(base) == "histogram" else name
        told_by.setdefault(key, set()).update(re.findall(r'\bservice_name="([^"]*)"', inside))
    return told_by


def differences(listed, body):
    """What is missing or wrong in a scrape, in sentences."""
    types, found = scraped(body)
    told_by = tellers(types, body)
    for name in sorted(found):
        if "_total_total" in name:
            yield f"{name}: the suffix is there twice"
    for metric in listed["metrics"]:
        name = metric["name"]
        if name not in found:
            yield f"{name}: missing"
            continue
        if metric["type"] == "histogram":
            inside = "".join(re.findall(rf"^{name}_bucket(.*)$", body, re.M))
            has = {float(bound) for bound in re.findall(r'le="([^"+]+)"', inside)}
            lacking = sorted(set(listed["buckets"][metric["buckets"]]) - has)
            if lacking:
                yield f"{name}: has no bucket up to {', '.join(map(str, lacking))}"
        if types.get(name) not in (metric["type"], None):
            yield f"{name}: is a {types[name]}, the list says {metric['type']}"
        wanted = set().union(*(own_labels(series) for series in metric["series"])) | {"service_name"}
        silent = sorted(set(metric["services"]) - told_by.get(name, set()))
        if silent:
            yield f"{name}: not told by {', '.join(silent)}"
        for label in sorted(wanted - found[name]):
            yield f"{name}: has no label {label} (it has {', '.join(sorted(found[name] - ADDED)) or 'none of its own'})"


def compare(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        body = answer.read().decode()
    wrong = list(differences(load(), body))
    for sentence in wrong:
        print(sentence)
    print(f"{len(load()['metrics'])} metrics are promised; {len(wrong)} differences")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    verb, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if verb == "write" and not arguments:
        for part, path in FILES.items():
            path.write_text(text(load(), part))
    elif verb == "check" and not arguments:
        check()
    elif verb == "compare" and len(arguments) == 1:
        compare(arguments[0])
    else:
        sys.exit(__doc__)
