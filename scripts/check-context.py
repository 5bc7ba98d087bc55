#!/usr/bin/env python3
"""Whether .dockerignore lets through what a build reads: every source of the workspace, what sources include from elsewhere, migrations, contracts.

usage: scripts/check-context.py

A file that is missing in the build context breaks the public images alone: everything else is built in the checkout.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# include_str!("…"), include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "…")): the literal, and whether it counts from the crate.
INCLUDE = re.compile(r'include(?:_str|_bytes)?!\(\s*(?:concat!\(\s*env!\("(\w+)"\),\s*)?"([^"]+)"')
# Folders that a build script reads.
JOINED = re.compile(r'"CARGO_MANIFEST_DIR"\)\??\)\s*\.join\("([^"]+)"\)')


def rules():
    """(regular expression, whether it lets through) of each line; the last that matches a path, or a folder above it, decides."""
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").strip("/")
        parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
        meant = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        expression = "".join(meant.get(part, re.escape(part)) for part in parts)
        yield re.compile(rf"{expression}(?:/.*)?"), line.startswith("!")


def is_sent(path, lines):
    sent = True
    for expression, lets_through in lines:
        if expression.fullmatch(path):
            sent = lets_through
    return sent


def crate_of(path):
    return next(folder for folder in path.parents if (folder / "Cargo.toml").exists())


def read_by(path):
    """(file or folder, where it is named) of everything that one source file reads at build time."""
    text = path.read_text()
    if path.name == "build.rs":
        for name in JOINED.findall(text):
            yield crate_of(path) / name
        return
    for variable, name in INCLUDE.findall(text):
        if variable == "OUT_DIR":
            continue
        yield (crate_of(path) / name.lstrip("/") if variable == "CARGO_MANIFEST_DIR" else path.parent / name)


def main():
    lines = list(rules())
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    tests = re.compile(r"(^|/)(tests|benches|fuzz)/")
    # What cargo compiles, and what the Dockerfile copies or runs.
    wanted = {name: "is part of the build" for name in tracked
              if re.search(r"\.rs$|(^|/)Cargo\.(toml|lock)$|^(migrations|proto)/|/queries/.*\.sql$|^LICENSE-|^scripts/(build-static\.sh|sbom\.py)$", name)
              and not tests.search(name)}
    outside = 0
    for name in [name for name in wanted if name.endswith(".rs")]:
        for target in read_by(ROOT / name):
            target = target.resolve()
            if not target.is_relative_to(ROOT) or not target.exists():
                sys.exit(f"{name} reads {target}, which is not there")
            found = target.relative_to(ROOT).as_posix()
            outside += not target.is_relative_to(crate_of(ROOT / name))
            for one in [file for file in tracked if file == found or file.startswith(f"{found}/")]:
                wanted.setdefault(one, f"is read by {name}")
    missing = [f"{name} {why}" for name, why in sorted(wanted.items()) if not is_sent(name, lines)]
    if missing:
        sys.exit("\n".join([".dockerignore keeps away what a build needs:", *missing]))
    # A check that finds nothing would look as if all were well.
    assert outside >= 2, "no source reads anything outside of its crate: this check reads them otherwise than they are written"
    for name in ("deploy/.secrets/gateway/user-jwt-secret", "deploy/pki/ca.key", "target/debug/shopapi", ".git/config"):
        if is_sent(name, lines):
            sys.exit(f".dockerignore lets {name} through")
    print(f"build context: {len(wanted)} files of the build are in it, {outside} of their includes lead out of a crate")


if __name__ == "__main__":
    main()
