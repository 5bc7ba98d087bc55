#!/usr/bin/env bash
# Runs every test, ring by ring (ARCHITECTURE.md, "Proofs"), and counts them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/test.sh [RING ...]

Rings: cores (pure rules), actors (actors on probes), services (against real PostgreSQL and NATS), house (the tree of crates), all (default).
With cargo-nextest each ring is run and counted on its own; without it `cargo test` runs everything at once.
TXT
}

rings=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    cores | actors | services | house) rings+=("$argument") ;;
    all) rings=() ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ "${#rings[@]}" -gt 0 ] || rings=(cores actors services house)

if ! cargo nextest --version >/dev/null 2>&1; then
  echo "cargo-nextest is not installed: running 'cargo test' (for counts per ring: cargo install cargo-nextest --locked)"
  exec cargo test --workspace --locked
fi

# Everything in actors/* is pure or runs on probes; what has its own test binary named after a server, and every service, meets real ones.
actors='package(actor-kit) | package(order-saga) | package(outbox) | package(jetstream) | package(stock) | package(payment)'
real='binary(nats) | binary(postgres)'
cores='test(/(^|::)(rules|plan|disposition|saga|pure|properties|backoff|queue|model|ids|desk|status|moves|table|charge|refund|policy|lanes|envelope)(_test|_tests|s)?::/) | binary(/^(rules|properties|table|pure)/)'
filter() {
  case "$1" in
    cores) echo "($actors) & ($cores) - ($real)" ;;
    actors) echo "(($actors) - ($cores)) - ($real)" ;;
    services) echo "(all() - ($actors) - test(/^house::/)) | (($actors) & ($real))" ;;
    house) echo "package(shopapi-e2e) & test(/^house::/)" ;;
  esac
}

cargo nextest run --workspace --locked --no-run
summary=""
for ring in "${rings[@]}"; do
  echo
  echo "── ring: $ring"
  log=$(mktemp)
  status=0
  cargo nextest run --workspace --locked -E "$(filter "$ring")" 2>&1 | tee "$log" || status=$?
  line=$(grep -E 'tests? run:' "$log" | tail -n 1 | sed 's/^ *Summary *//')
  rm -f "$log"
  summary="$summary$(printf '  %-9s %s' "$ring" "$line")"$'\n'
  [ "$status" -eq 0 ] || { printf '\n%s' "$summary"; exit "$status"; }
done
printf '\nTests per ring\n%s' "$summary"
