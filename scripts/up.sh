#!/usr/bin/env bash
# Starts the whole stack in containers and waits until everything is healthy.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/up.sh

Makes certificates and secrets that are missing or near their end, builds the images, starts everything, waits, and says where to look. Servers that run
already get renewed certificates: services read them by themselves, databases are restarted, NATS is told.

  SCALE=2        replicas of orders, inventory and payments (their gRPC ports are then not published)
  PROFILE=core   without Collector, Jaeger, Prometheus and Grafana
  BUILD=no       take the images as they are
  WAIT=300       seconds until it gives up
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

scale=${SCALE:-1}
case $scale in
  [1-9]) ;;
  *) echo "up: SCALE=$scale: from 1 to 9" >&2; exit 2 ;;
esac
[ "$scale" -eq 1 ] || export PORTS=no
wait_max=${WAIT:-300}
began=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || {
  echo "up: no Docker engine answers; start it, or use \`make dev\`, which needs none" >&2
  exit 1
}

step "certificates and secrets"
scripts/gen-certs.sh
# The folder is its owner's alone; below it each container reads what is mounted into it, under an account of its own.
chmod 0700 deploy/pki
chmod 0755 deploy/pki/*/
chmod 0644 deploy/pki/*/*
scripts/gen-secrets.sh

if [ "${BUILD:-}" != no ] && ! grep -qs '^BUILD=no' deploy/.env; then
  for target in shopapi shopctl; do
    step "building $target:dev"
    scripts/build-image.sh "$target" "$target:dev"
  done
fi

# Installs Compose where it is missing, before two of them would at once.
scripts/compose.sh version >/dev/null

# Databases copy their key at the start, and NATS reads its own again only when told to.
renewed=()
while read -r id service; do
  case $service in
    *-db) folder=postgres ;;
    nats) folder=nats ;;
    *) continue ;;
  esac
  started=$(docker inspect --format '{{.State.StartedAt}}' "$id")
  [ -z "$(find "deploy/pki/$folder" -type f -newermt "$started")" ] || renewed+=("$service")
done < <(docker ps --filter label=com.docker.compose.project=shopapi --format '{{.ID}} {{.Label "com.docker.compose.service"}}')
for service in "${renewed[@]}"; do
  step "$service gets its renewed certificate"
  case $service in
    # By the server's own account: after `docker kill`, whatever the signal, restart policies do not act.
    nats) scripts/compose.sh exec --no-TTY nats sh -c 'kill -HUP 1' ;;
    *) scripts/compose.sh restart "$service" 2>/dev/null ;;
  esac
done

step "starting (scale $scale)"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
scripts/compose.sh up --detach --no-build --remove-orphans \
  --scale orders="$scale" --scale inventory="$scale" --scale payments="$scale" 2>&1 |
  tee "$said" | { grep -E --line-buffered 'rror|Pulling|Pulled|unhealthy|failed' || true; } &
starting=$!

# One line per container: name, state, health, exit code. Chores are done when they ended with 0.
states() { scripts/compose.sh ps --all --format '{{.Name}} {{.State}} {{or .Health "-"}} {{.ExitCode}}' 2>/dev/null; }
verdict() {
  awk '
    $2 == "exited" && $4 == 0 { done++; next }
    $2 == "running" && ($3 == "healthy" || $3 == "-") { done++; next }
    { print $1 " is " $2 ($3 == "-" ? "" : ", " $3) ($2 == "exited" ? " with " $4 : "") }
    END { print "ok " done + 0 " of " NR }'
}

shown=
while :; do
  # A container that is being replaced may be gone before Compose has looked at it.
  now=$({ states || true; } | verdict)
  if [ "$now" != "$shown" ]; then
    step "$(tail -n 1 <<<"$now" | cut -c4-) ready$(head -n -1 <<<"$now" | sed 's/^shopapi-//' | head -n 4 | tr '\n' ';' | sed 's/^/; /; s/;$//; s/;/; /g; s/  */ /g')"
    shown=$now
  fi
  if ! kill -0 "$starting" 2>/dev/null; then
    wait "$starting" || true
    if [ "$now" = "ok 0 of 0" ]; then
      tail -n 20 "$said" >&2
      echo "up: Compose started nothing; see above" >&2
      exit 1
    fi
    [ "$(wc -l <<<"$now")" -gt 1 ] || break
    # Compose starts what depends on something only when that is ready: when it gave up, nothing else will come.
    states | awk '$2 == "created" { stuck = 1 } END { exit !stuck }' && failed=yes
    states | awk '$2 == "exited" && $4 != 0 { dead = 1 } END { exit !dead }' && failed=yes
  fi
  if [ "${failed:-}" = yes ] || [ $((SECONDS - began)) -gt "$wait_max" ]; then
    echo "up: not everything came up:" >&2
    head -n -1 <<<"$now" >&2
    for name in $(head -n -1 <<<"$now" | cut -d' ' -f1); do
      echo "── the end of the log of $name" >&2
      docker logs --tail 15 "$name" >&2 2>&1 || true
    done
    echo "up: see the rest with: make logs" >&2
    exit 1
  fi
  sleep 1
done

step "everything is healthy"
profiles=$(scripts/compose.sh ps --services 2>/dev/null | tr '\n' ' ')
cat <<TXT

  public API     http://127.0.0.1:${GATEWAY_PORT:-8080}/docs
  NATS           http://127.0.0.1:${NATS_MONITOR_PORT:-8222}
TXT
case $profiles in
  *jaeger* | *telemetry*)
    cat <<TXT
  traces         http://127.0.0.1:${JAEGER_PORT:-16686}
  metrics        http://127.0.0.1:${METRICS_PORT:-8889}/metrics
TXT
    ;;
esac
case $profiles in *prometheus*) echo "  Prometheus     http://127.0.0.1:${PROMETHEUS_PORT:-9090}" ;; esac
case $profiles in *grafana*) echo "  Grafana        http://127.0.0.1:${GRAFANA_PORT:-3000}   admin, password in deploy/.secrets/grafana/admin-password" ;; esac
[ "$scale" -gt 1 ] || echo "  gRPC (mTLS)    127.0.0.1:9001 orders, 9002 inventory, 9003 payments"
cat <<'TXT'

  make smoke     does it do what it should?
  make logs      what everything says
  make down      stops it; the data stays (make down WIPE=1 removes it)
  scripts/compose.sh run --rm shopctl --help
TXT
