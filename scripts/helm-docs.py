#!/usr/bin/env python3
"""Writes the table of values into the chart's README from the comments of values.yaml; with --check it only compares.

usage: scripts/helm-docs.py [--check]
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "deploy/helm/shopapi"
BEGIN, END = "<!-- values: made by scripts/helm-docs.py from values.yaml -->", "<!-- end of values -->"
KEY = re.compile(r"^( *)([A-Za-z0-9_]+):(.*)$")
# Keys that come more than once are described where they come first.
SHARED = {"inventory": "gateway", "orders": "gateway", "payments": "gateway"}


def rows(text, values):
    """(path, default, comment) of every key that has a comment, or is a leaf."""
    described, path, comment = {}, [], []
    for line in text.splitlines():
        match = KEY.match(line)
        if line.strip().startswith("#"):
            comment.append(line.strip().lstrip("# "))
        elif match:
            depth = len(match[1]) // 2
            path = [*path[:depth], match[2]]
            yield ".".join(path), value_at(values, path), explain(path, " ".join(comment), described), bool(match[3].strip())
            described[".".join(path)] = " ".join(comment)
            comment = []
        else:
            comment = []


def explain(path, comment, described):
    if comment:
        return comment
    for known in (".".join([SHARED.get(path[0], ""), *path[1:]]), ".".join(["image", path[-1]]) if "image" in path else ""):
        if described.get(known):
            return f"As `{known}`."
    return ""


def value_at(values, path):
    for key in path:
        values = values[key]
    return values


def table():
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for path, default, comment, is_leaf in rows(text, values):
        if not is_leaf and not comment:
            continue
        shown = f"`{json.dumps(default)}`" if is_leaf else ""
        lines.append(f"| `{path}` | {shown} | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    readme = CHART / "README.md"
    old = readme.read_text()
    before, rest = old.split(BEGIN, 1)
    new = f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END, 1)[1]}"
    if new == old:
        return 0
    if arguments:
        print("deploy/helm/shopapi/README.md does not say what values.yaml says: run scripts/helm-docs.py", file=sys.stderr)
        return 1
    readme.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
