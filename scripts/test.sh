#!/usr/bin/env bash
# Runs every test, ring by ring (ARCHITECTURE.md, "Proofs"), and counts them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/test.sh [RING ...]

Rings, all by default:
  cores     pure rules: tables and random histories
  actors    actors on probes and paused time
  model     the protocol in every interleaving
  services  each service and tool against real PostgreSQL and NATS
  system    whole stacks: journeys, bad input, killed processes
  house     the tree of crates
With cargo-nextest each ring is run and counted on its own; without it `cargo test` runs everything at once.
TXT
}

all=(house cores actors model services system)
rings=()
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    *)
      case " ${all[*]} " in
        *" $argument "*) rings+=("$argument") ;;
        *) usage >&2; exit 2 ;;
      esac
      ;;
  esac
done
[ "${#rings[@]}" -gt 0 ] || rings=("${all[@]}")

if ! cargo nextest --version >/dev/null 2>&1; then
  echo "cargo-nextest is not installed: running 'cargo test' (for counts per ring: cargo install cargo-nextest --locked)"
  cargo build --locked -p shopapi
  exec cargo test --workspace --locked
fi

cores='(package(order-saga) & (kind(lib) | binary(faults))) | (package(payment) & (kind(lib) | binary(histories) | binary(rules_table)))
  | (package(stock) & test(/^(table|histories)::/)) | (package(outbox) & binary(plan)) | (package(jetstream) & kind(lib))'
actors='package(actor-kit) | (package(order-saga) & binary(actors)) | (package(payment) & binary(actors))
  | (package(stock) & test(/^keeper::/)) | (package(outbox) & binary(drainer))'
model='package(order-saga) & binary(model)'
house='package(shopapi-e2e) & test(/^house::/)'
filter() {
  case "$1" in
    cores) echo "$cores" ;;
    actors) echo "$actors" ;;
    model) echo "$model" ;;
    services) echo "all() - ($cores) - ($actors) - ($model) - package(shopapi-e2e)" ;;
    system) echo "package(shopapi-e2e) - ($house)" ;;
    house) echo "$house" ;;
  esac
}

# The whole-stack tests run the binary that lies beside them.
cargo build --locked -p shopapi
cargo nextest run --workspace --locked --no-run
summary=""
for ring in "${rings[@]}"; do
  printf '\n── ring: %s\n' "$ring"
  log=$(mktemp)
  status=0
  cargo nextest run --workspace --locked -E "$(filter "$ring")" 2>&1 | tee "$log" || status=$?
  line=$(grep -E 'tests? run:' "$log" | tail -n 1 | sed 's/^ *Summary *//')
  rm -f "$log"
  summary="$summary$(printf '  %-9s %s' "$ring" "$line")"$'\n'
  [ "$status" -eq 0 ] || { printf '\nTests per ring\n%s' "$summary"; exit "$status"; }
done
printf '\nTests per ring\n%s' "$summary"
