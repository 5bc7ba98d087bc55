#!/usr/bin/env bash
# Copies what compose and the chart share into the chart: Helm reads no file outside of it.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/helm-files.sh [--check]

Copies the Collector's configuration, NATS' permissions, Prometheus rules and Grafana dashboards from deploy/ to deploy/helm/shopapi/files. With
--check nothing is copied: exit status 1 and the names of the files that differ.
TXT
}

check=
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --check) check=1 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

files=deploy/helm/shopapi/files
wanted=()
status=0

# share FROM TO
share() {
  wanted+=("$2")
  cmp -s "$1" "$files/$2" && return
  if [ -n "$check" ]; then
    echo "$files/$2 is not $1: run scripts/helm-files.sh" >&2
    status=1
  else
    mkdir -p "$(dirname "$files/$2")"
    cp "$1" "$files/$2"
    echo "copied $1"
  fi
}

share deploy/otel-collector-config.yaml otel-collector-config.yaml
share deploy/otel-collector-prod.yaml otel-collector-prod.yaml
share deploy/nats/permissions.conf nats-permissions.conf
for file in deploy/prometheus/rules/*.yml; do share "$file" "rules/${file##*/}"; done
for file in deploy/grafana/dashboards/*.json; do share "$file" "dashboards/${file##*/}"; done

for file in "$files"/rules/*.yml "$files"/dashboards/*.json; do
  [ -e "$file" ] || continue
  case " ${wanted[*]} " in
    *" ${file#"$files"/} "*) ;;
    *)
      if [ -n "$check" ]; then
        echo "$file has no original: run scripts/helm-files.sh" >&2
        status=1
      else
        rm "$file"
      fi
      ;;
  esac
done
exit "$status"
