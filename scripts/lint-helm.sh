#!/usr/bin/env bash
# Everything about the Helm chart that can be checked without a cluster.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/lint-helm.sh

Files shared with compose, the README's table of values, then deploy/helm/tests: lint and template of every values file and TLS mode with Helm 3
and 4, strict schemas of Kubernetes 1.25 to 1.37, selectors, ports, probes, mounts, Secrets, security contexts, refusals of wrong values. Installs
its tools under .dev/tools (see scripts/helm-tools.sh).
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

bin=$(scripts/helm-tools.sh)
scripts/helm-files.sh --check
"$bin/helm-python" scripts/helm-docs.py --check
HELM3=$bin/helm HELM4=$bin/helm4 "$bin/helm-python" -B deploy/helm/tests/check_chart.py
