#!/bin/sh
# Builds the static binaries of shopapi and shopctl and their bills of materials. POSIX sh: it also runs in the builder image.
set -eu
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/build-static.sh OUT

Puts shopapi, shopctl, shopapi.cdx.json and shopctl.cdx.json into the folder OUT.

  CARGO_PROFILE     cargo profile: image (default; with link-time optimisation), release or dev
  BUILD_JOBS        compilers at once (default: cargo's own)
  CARGO_TARGET_DIR  where cargo works

When /prebuilt holds these four files they are taken as they are.
TXT
}

case ${1:-} in
  -h | --help) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
esac
out=$1
mkdir -p "$out"

if [ -x /prebuilt/shopapi ]; then
  cp /prebuilt/shopapi /prebuilt/shopctl /prebuilt/shopapi.cdx.json /prebuilt/shopctl.cdx.json "$out/"
  exit 0
fi

profile=${CARGO_PROFILE:-image}
host=$(rustc -vV | sed -n 's/^host: //p')
# glibc linked in: needs no target that a toolchain may lack, and resolves names through DNS and /etc/hosts without any library.
# Naming the target keeps the flag away from build scripts and macros, which are loaded by the compiler.
RUSTFLAGS="-C target-feature=+crt-static"
export RUSTFLAGS
jobs=${BUILD_JOBS:-${CARGO_BUILD_JOBS:-}}
cargo build --locked --profile "$profile" --target "$host" ${jobs:+--jobs "$jobs"} --package shopapi --package shopctl
case $profile in dev) folder=debug ;; *) folder=$profile ;; esac
built=${CARGO_TARGET_DIR:-target}/$host/$folder
for name in shopapi shopctl; do
  cp "$built/$name" "$out/$name.new"
  # Symbols are a third of the file; a panic still names its place.
  strip "$out/$name.new"
  mv "$out/$name.new" "$out/$name"
  python3 scripts/sbom.py "$name" "$host" >"$out/$name.cdx.json"
done
