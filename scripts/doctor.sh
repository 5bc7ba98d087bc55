#!/usr/bin/env bash
# Names what this machine lacks to build, run and test shopapi, with the command that installs it.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/doctor.sh

Checks for Rust, a C compiler, make and Python 3 with venv: all that `make demo` and `make test` need.
Exit status 0 when nothing is missing, 1 with a list and the commands otherwise.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

rust_min=1.92
missing=()
lack() { missing+=("$1|$2"); }

if command -v cargo >/dev/null && command -v rustc >/dev/null; then
  version=$(rustc --version | cut -d' ' -f2)
  if [ "$(printf '%s\n%s\n' "$rust_min" "$version" | sort -V | head -n 1)" != "$rust_min" ]; then
    lack "Rust $rust_min or newer (this is $version)" "rustup update stable"
  fi
else
  lack "Rust $rust_min or newer" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
fi
command -v cc >/dev/null || lack "a C compiler" "sudo apt-get install build-essential"
command -v make >/dev/null || lack "make" "sudo apt-get install make"
if ! command -v python3 >/dev/null; then
  lack "Python 3" "sudo apt-get install python3 python3-venv"
elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  lack "Python's venv" "sudo apt-get install python3-venv"
fi

if [ "${#missing[@]}" -gt 0 ]; then
  echo "shopapi needs a few things that this machine does not have:" >&2
  for entry in "${missing[@]}"; do
    printf '  %-44s install: %s\n' "${entry%%|*}" "${entry#*|}" >&2
  done
  exit 1
fi
