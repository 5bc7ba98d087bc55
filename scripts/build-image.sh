#!/usr/bin/env bash
# Builds one image of deploy/Dockerfile, with BuildKit where docker has it and without where it has not.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/build-image.sh TARGET TAG

TARGET is shopapi or shopctl.

  BUILDER_IMAGE, BASE_IMAGE, CARGO_PROFILE, BUILD_JOBS   arguments of deploy/Dockerfile
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=unknown
if head=$(git rev-parse HEAD 2>/dev/null); then
  revision=$head
  git diff --quiet HEAD || revision=$head-dirty
fi
arguments=(--build-arg VERSION="$version" --build-arg REVISION="$revision")
for name in BUILDER_IMAGE BASE_IMAGE CARGO_PROFILE BUILD_JOBS; do
  [ -z "${!name:-}" ] || arguments+=(--build-arg "$name=${!name}")
done
if docker buildx version >/dev/null 2>&1; then
  export DOCKER_BUILDKIT=1
  arguments+=(--load)
else
  export DOCKER_BUILDKIT=0
fi
if ! log=$(docker build --file deploy/Dockerfile --target "$1" --tag "$2" "${arguments[@]}" . 2>&1); then
  echo "$log" >&2
  exit 1
fi
