#!/usr/bin/env bash
# What reads bytes from outside, fed by libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(http_body jwt service_token event configuration)

usage() {
  cat <<'TXT'
usage: scripts/fuzz.sh [--seconds N] [--sanitizer NAME] [--keep] [TARGET ...]

Runs each target (http_body, jwt, service_token, event, configuration) for N seconds (60), beginning with its committed corpus in
services/e2e/corpus/. Ends at the first crash, with the input that did it.

  --sanitizer NAME   address (default) or none, which builds faster and finds panics all the same
  --keep             adds what reached new code to the committed corpus, which `make test` replays; keep it below 600 files per target

Needs: cargo-fuzz (cargo install --locked cargo-fuzz), a C++ compiler for libFuzzer (apt-get install g++), and Linux or macOS. Rust may be stable:
RUSTC_BOOTSTRAP is set here. The first build compiles every crate anew, with instrumentation, into services/e2e/fuzz/target (or CARGO_TARGET_DIR).
TXT
}

seconds=60
sanitizer=address
keep=
chosen=()
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --seconds | --sanitizer)
      [ "$#" -gt 1 ] || { usage >&2; exit 2; }
      if [ "$1" = --seconds ]; then seconds=$2; else sanitizer=$2; fi
      shift
      ;;
    --keep) keep=1 ;;
    *)
      case " ${targets[*]} " in
        *" $1 "*) chosen+=("$1") ;;
        *) usage >&2; exit 2 ;;
      esac
      ;;
  esac
  shift
done
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || { echo "--seconds takes a whole number from 1 on" >&2; exit 2; }
[ "${#chosen[@]}" -gt 0 ] || chosen=("${targets[@]}")

if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "cargo-fuzz is not installed: cargo install --locked cargo-fuzz" >&2
  exit 1
fi
if ! command -v c++ >/dev/null; then
  echo "libFuzzer needs a C++ compiler: sudo apt-get install g++" >&2
  exit 1
fi

# The versions that the workspace is built with; the fuzzers' own few packages come on top.
cp Cargo.lock services/e2e/fuzz/Cargo.lock
cd services/e2e
# The sanitizers are unstable options of a stable compiler.
export RUSTC_BOOTSTRAP=1
for target in "${chosen[@]}"; do
  # Found inputs stay here between runs, so that the next one begins where this one ended.
  found=fuzz/corpus/$target
  mkdir -p "$found"
  echo "== $target: $seconds s, $(find "corpus/$target" -type f | wc -l) committed inputs"
  cargo fuzz run --sanitizer "$sanitizer" "$target" "$found" "corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1
  if [ -n "$keep" ]; then
    cargo fuzz run --sanitizer "$sanitizer" "$target" "corpus/$target" "$found" -- -merge=1
    echo "corpus/$target: $(find "corpus/$target" -type f | wc -l) inputs"
  fi
done
