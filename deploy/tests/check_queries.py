"""Asks a real Prometheus every query of dashboards and rules, over the sample scrape, and fails when one errors or answers nothing.

    sample.prom, sample-collector.prom ──HTTP──▶ Prometheus (prometheus.yml and rules as shipped; only the targets are these)
                                                     ▲ each panel's and each rule's expression

Counters and histograms grow between scrapes, so that rates are rates. An alert's expression answers nothing while all is well: instead each
series that it reads must be there. Labels that a legend shows or a recording rule keeps must be on each answer. Names that metrics.yml does
not list are refused.
"""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

import sample

DEPLOY = Path(__file__).resolve().parent.parent
# Grafana fills these in; $__rate_interval is four scrapes.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$service": ".*", "${service}": ".*"}
SETTLE_DEADLINE = 20.0
# An alert over several kinds of series keeps other labels of each; these none of them must have.
TOGETHER = {"CollectorLosingData": ()}
PROMETHEUS_OWN = {"up", "ALERTS"}
KEYWORDS = {
    "abs", "absent", "and", "avg", "bool", "by", "ceil", "changes", "clamp_min", "count", "group", "group_left", "histogram_quantile",
    "increase", "irate", "last_over_time", "le", "max", "max_over_time", "min", "offset", "on", "or", "rate", "sum", "time", "topk", "unless",
    "vector", "without",
}


def growing(body, factor):
    """The sample, with everything that only grows multiplied."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", body, re.M))
    lines = []
    for line in body.splitlines():
        name = re.match(r"[\w:]+", line)
        base = re.sub(r"_(bucket|sum|count)$", "", name.group()) if name else ""
        kind = types.get(base) or (types.get(name.group()) if name else None)
        if not line.startswith("#") and kind in ("counter", "histogram"):
            head, _, value = line.rpartition(" ")
            line = f"{head} {float(value) * factor:.6f}"
        lines.append(line)
    return "\n".join(lines) + "\n"


class Scraped(http.server.BaseHTTPRequestHandler):
    """Serves both samples, by path."""

    began = time.monotonic()
    bodies = {}

    def do_GET(self):
        body = growing(self.bodies[self.path], 1 + (time.monotonic() - self.began) / 10).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def configuration(target):
    """The shipped configuration with fast scrapes of the sample."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / pattern) for pattern in config["rule_files"]]
    paths = {"shopapi": "/metrics", "otel-collector": "/collector"}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [target]}]
        job["metrics_path"] = paths[job["job_name"]]
    return config


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries():
    """(where, expression, labels that the legend shows) of each panel's targets and each variable."""
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in panels(dashboard):
            if panel["type"] == "row":
                continue
            if not panel.get("targets"):
                raise SystemExit(f"{path.name}: {panel['title']} asks nothing")
            for target in panel["targets"]:
                labels = frozenset(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                yield f"{path.name}: {panel['title']}", target["expr"], labels
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
                yield f"{path.name}: variable {variable['name']}", f"group by ({metric.group(2)}) ({metric.group(1)})", frozenset([metric.group(2)])


def rule_queries():
    """(where, expression, labels that the result must have) of recording rules and of the series that alerts read."""
    for path in sorted((DEPLOY / "prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    kept = {label for inside in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in inside.split(", ")}
                    yield f"{path.name}: {rule['record']}", rule["expr"], frozenset(kept - {"le"})
                else:
                    for selector in re.findall(r"\b(?:shopapi|otelcol)[\w:]*(?:\{[^}]*\})?|\bup\{[^}]*\}", rule["expr"]):
                        kept = {label for inside in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in inside.split(", ")}
                        own = kept & set(TOGETHER.get(rule["alert"], kept))
                        yield f"{path.name}: {rule['alert']} reads {selector}", selector, frozenset(own)


def misdrawn():
    """What Grafana would show badly or not at all, in sentences."""
    uids = set()
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        if dashboard["uid"] in uids:
            yield f"{path.name}: its uid is taken"
        uids.add(dashboard["uid"])
        ids, cells = set(), set()
        for panel in panels(dashboard):
            title, place = panel["title"], panel["gridPos"]
            if panel["id"] in ids:
                yield f"{path.name}: {title}: its id is taken"
            ids.add(panel["id"])
            if place["x"] + place["w"] > 24:
                yield f"{path.name}: {title}: wider than the page"
            own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            if own & cells:
                yield f"{path.name}: {title}: lies over another panel"
            cells |= own
            if panel["type"] != "row" and not panel.get("description"):
                yield f"{path.name}: {title}: says nothing about itself"


def names(expression):
    """The metrics that an expression reads."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|group_left)\s*\([^)]*\)", " ", bare)
    return {name for name in re.findall(r"[a-zA-Z_:][\w:]*", bare) if name not in KEYWORDS}


def known_names():
    listed = sample.load()
    known = set(PROMETHEUS_OWN)
    for metric in listed["metrics"] + listed["collector"]:
        suffixes = ("_bucket", "_sum", "_count") if metric["type"] == "histogram" else ("",)
        known.update(metric["name"] + suffix for suffix in suffixes)
    for path in (DEPLOY / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            known.update(rule["record"] for rule in group["rules"] if "record" in rule)
    return known


def ask(address, expression, labels):
    """What is wrong with the answer, or nothing."""
    query = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"{address}/api/v1/query?{query}", timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        return json.load(error).get("error", str(error))
    except OSError as error:
        return str(error)
    if not result:
        return "nothing comes back"
    if all(point["value"][1] == "NaN" for point in result):
        return "only NaN comes back"
    lacking = sorted({label for point in result for label in labels - set(point["metric"])})
    if lacking:
        return f"comes back without {', '.join(lacking)}"
    return None


def started(binary, folder, target):
    port = free_port()
    config = Path(folder) / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(target)))
    log = open(Path(folder) / "log", "wb")
    command = [
        binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True), f"http://127.0.0.1:{port}"


def answers(address, queries, process):
    """Repeats what has no answer yet until all have one, or time is up: rules feed rules, one evaluation after the other."""
    deadline = time.monotonic() + SETTLE_DEADLINE
    open_queries = dict.fromkeys(queries)
    while True:
        for query in open_queries:
            expression = query[1]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            open_queries[query] = ask(address, expression, query[2])
        open_queries = {query: wrong for query, wrong in open_queries.items() if wrong}
        if not open_queries or time.monotonic() > deadline or process.poll() is not None:
            return open_queries
        time.sleep(0.5)


def main(binary):
    queries = list(dict.fromkeys([*dashboard_queries(), *rule_queries()]))
    known = known_names()
    strangers = [f"{where}: {name} is not in metrics.yml" for where, query, _ in queries for name in sorted(names(query) - known)]
    strangers.extend(misdrawn())
    if strangers:
        sys.exit("\n".join(strangers))
    Scraped.bodies = {"/metrics": sample.FILES["metrics"].read_text(), "/collector": sample.FILES["collector"].read_text()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scraped)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        process, address = started(binary, folder, f"127.0.0.1:{server.server_port}")
        try:
            wrong = answers(address, queries, process)
            if process.poll() is not None:
                sys.exit("Prometheus ended:\n" + (Path(folder) / "log").read_text())
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
                process.wait(timeout=10)
            server.shutdown()
    if wrong:
        sys.exit("\n".join(f"{where}\n    {query}\n    {why}" for (where, query, _), why in wrong.items()))
    print(f"queries: {len(queries)} of dashboards and rules, each answered by Prometheus over the sample")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "prometheus")
