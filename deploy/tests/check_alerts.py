"""Each alert says how bad it is and where help stands, and has a test in which it fires and one in which it does not."""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
RULES, TESTS = ROOT / "deploy/prometheus/rules", ROOT / "deploy/prometheus/tests"
SEVERITIES = {"critical", "warning"}
ANNOTATIONS = {"summary", "description", "runbook_url"}
# What an entry of the runbook answers.
PARTS = ("What it means", "Look at", "Do", "Do not")


def anchors(markdown):
    """Heading → its text, under the anchor that Markdown viewers give it."""
    found = {}
    for chunk in re.split(r"^#+ ", markdown, flags=re.M)[1:]:
        heading, _, body = chunk.partition("\n")
        found[re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")] = body
    return found


def main():
    problems = []
    rules = [rule for path in sorted(RULES.glob("*.yml")) for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    alerts = {rule["alert"]: rule for rule in rules if "alert" in rule}
    runbook = anchors((ROOT / "RUNBOOK.md").read_text())

    for name, rule in alerts.items():
        severity = rule.get("labels", {}).get("severity")
        if severity not in SEVERITIES:
            problems.append(f"{name}: severity is {severity}")
        for missing in sorted(ANNOTATIONS - set(rule.get("annotations", {}))):
            problems.append(f"{name}: no {missing}")
        url = rule.get("annotations", {}).get("runbook_url", "")
        page, _, anchor = url.partition("#")
        entry = runbook.get(anchor)
        if not page.endswith("RUNBOOK.md") or anchor != name.lower() or entry is None:
            problems.append(f"{name}: {url or 'nothing'} leads to no entry of the runbook")
            continue
        for part in PARTS:
            if f"**{part}" not in entry:
                problems.append(f"{name}: its runbook entry does not say: {part}")

    fires, silent = set(), set()
    for path in sorted(TESTS.glob("*.yml")):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                if case["alertname"] not in alerts:
                    problems.append(f"{path.name}: tests {case['alertname']}, which does not exist")
                (fires if case.get("exp_alerts") else silent).add(case["alertname"])
    for name in alerts:
        if name not in fires:
            problems.append(f"{name}: no test in which it fires")
        if name not in silent:
            problems.append(f"{name}: no test in which it does not fire")
    # An entry whose name is written like an alert's is one.
    for heading in re.findall(r"^### ([A-Z]\w+)$", (ROOT / "RUNBOOK.md").read_text(), re.M):
        if heading not in alerts:
            problems.append(f"RUNBOOK.md: {heading} is no alert")
    if problems:
        sys.exit("\n".join(problems))
    print(f"alerts: {len(alerts)}, each with severity, runbook entry, and tests in which it fires and does not")


if __name__ == "__main__":
    main()
