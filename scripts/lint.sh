#!/usr/bin/env bash
# Everything that is checked without running the system.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/lint.sh

rustfmt, clippy (warnings are errors), cargo-deny (bans, licences, sources), shellcheck, the generated SQL against queries and migrations,
and deploy/ (scripts/lint-deploy.sh). Tools that are not on the machine are installed under .dev/tools (see scripts/tools.sh).
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

step() { printf '\n── %s\n' "$*"; }

tools=$(scripts/tools.sh)
export PATH="$tools:$PATH"

step "rustfmt"
cargo fmt --all --check

step "clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "cargo-deny: bans, licences, sources"
cargo deny --log-level error check bans licenses sources
echo "advisories: not checked (their database comes from the network: cargo deny check advisories)"

step "shellcheck"
shellcheck -x scripts/*.sh .ci/run

step "generated SQL"
cargo run --quiet --locked -p shopctl -- sql check

step "deploy"
scripts/lint-deploy.sh

step "Helm chart"
scripts/lint-helm.sh

step "containers"
scripts/lint-containers.sh
