#!/usr/bin/env bash
# Everything under deploy/ that can be checked without a cluster, a Collector or a browser.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/lint-deploy.sh
       scripts/lint-deploy.sh --scrape URL

Checks what operators rely on: YAML style, the Collector's configuration and its production overlay, Prometheus' configuration and rules, a
test for each alert, a runbook entry for each alert, and every query of dashboards and rules, asked of a real Prometheus over a sample scrape.
yamllint is installed under .dev/tools; Prometheus is taken from Debian's package, unpacked there and never started as a service.

--scrape URL holds a running stack's metrics (http://127.0.0.1:8889/metrics) against deploy/prometheus/metrics.yml instead.
TXT
}

scrape=
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --scrape)
    if [ $# -ne 2 ]; then usage >&2; exit 2; fi
    scrape=$2
    ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

tools=$(scripts/tools.sh yamllint)
root=$(dirname "$tools")
python="$root/venv/bin/python"
export PYTHONDONTWRITEBYTECODE=1

if [ -n "$scrape" ]; then
  exec "$python" deploy/tests/sample.py compare "$scrape"
fi

# Debian's package, unpacked: installing it would start a server on this machine.
unpack_prometheus() {
  local folder=$root/prometheus
  echo "fetching Debian's package prometheus into $folder (once)" >&2
  rm -rf "$folder"
  mkdir -p "$folder"
  (
    cd "$folder"
    if ! apt-get -q -o APT::Sandbox::User=root download prometheus >/dev/null 2>&1; then
      [ "$(id -u)" -eq 0 ] && apt-get -q update >/dev/null && apt-get -q -o APT::Sandbox::User=root download prometheus >/dev/null
    fi
    dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb
  )
}
bin=
if command -v promtool >/dev/null && command -v prometheus >/dev/null; then
  bin=$(dirname "$(command -v promtool)")
elif [ -x "$root/prometheus/usr/bin/promtool" ]; then
  bin=$root/prometheus/usr/bin
elif command -v apt-get >/dev/null && unpack_prometheus; then
  bin=$root/prometheus/usr/bin
else
  echo "Prometheus and promtool are needed: apt-get install prometheus, or put a release's two binaries on PATH" >&2
  exit 1
fi

# Runs a check, and shows what it said only when it fails.
quietly() {
  local out
  if ! out=$("$@" 2>&1); then
    printf '%s\n' "$out" >&2
    return 1
  fi
}

mapfile -t yaml < <(git ls-files --cached --others --exclude-standard -- '*.yml' '*.yaml')
"$tools/yamllint" --strict "${yaml[@]}"
echo "yamllint: ${#yaml[@]} files"

"$python" deploy/tests/check_collector.py

quietly "$bin/promtool" check config deploy/prometheus/prometheus.yml
rules=(deploy/prometheus/rules/*.yml)
quietly "$bin/promtool" check rules --lint=all --lint-fatal "${rules[@]}"
echo "promtool: configuration and ${#rules[@]} files of rules"
tests=(deploy/prometheus/tests/*.yml)
quietly "$bin/promtool" test rules "${tests[@]}"
echo "promtool: $(cat "${tests[@]}" | grep -c 'eval_time:') moments at which an alert fires or does not"

"$python" deploy/tests/check_alerts.py
"$python" deploy/tests/sample.py check
"$python" deploy/tests/check_queries.py "$bin/prometheus"
