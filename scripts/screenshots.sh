#!/usr/bin/env bash
# Remakes the pictures of the README from a running stack.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/screenshots.sh

Takes services/shopctl/src/console/screenshots/*.png anew: the waterfall of an order, the actors while a service is killed and heals, the trace of
the order that it interrupted. Needs chromium and chromedriver; looks best with the fonts Inter and JetBrains Mono installed.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

pictures=services/shopctl/src/console/screenshots
mkdir -p "$pictures"
cargo build --locked --quiet -p shopapi
cargo build --locked --quiet -p shopctl
python3 scripts/browser.py --shopctl "${CARGO_TARGET_DIR:-target}/debug/shopctl" --screenshots "$pictures"
du -b "$pictures"/*.png
