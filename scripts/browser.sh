#!/usr/bin/env bash
# The telemetry page in a real browser.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/browser.sh

Starts a stack of its own, opens its telemetry page in chromium, finds an order, looks at the actors, kills a service and sees it heal.
Without chromium and chromedriver it says so and does nothing; with SHOPAPI_BROWSER=required it fails instead.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

for tool in chromium chromedriver; do
  if ! command -v "$tool" >/dev/null; then
    echo "SKIPPED: the telemetry page was NOT tested in a browser: $tool is not installed (apt-get install chromium chromium-driver)" >&2
    [ "${SHOPAPI_BROWSER:-}" != required ] || exit 1
    exit 0
  fi
done
# Each by itself, as `make dev` builds them: what is built together has other features and is compiled once more.
cargo build --locked --quiet -p shopapi
cargo build --locked --quiet -p shopctl
python3 scripts/browser.py --shopctl "${CARGO_TARGET_DIR:-target}/debug/shopctl"
