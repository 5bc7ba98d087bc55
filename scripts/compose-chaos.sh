#!/usr/bin/env bash
# Kills the process of each container in turn, under load, and sees everything heal.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: scripts/compose-chaos.sh [SERVICE ...]

For every container of the running `make up` (or of these services): sends SIGKILL to its process from the host, so that the restart policy acts (after
`docker kill` it would not), and waits until it is healthy again. Orders are placed all the time. At the end every order has to be settled and the books
have to agree. Needs root, or an engine of your own, because the processes are not yours otherwise.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
esac

heal_max=90
project=(--filter label=com.docker.compose.project=shopapi)
containers() { docker ps "${project[@]}" --format '{{.Names}}' | sort; }
wanted() {
  if [ $# -eq 0 ]; then containers; else for service in "$@"; do containers | grep -E "^shopapi-$service-[0-9]+$"; done; fi
}
mapfile -t names < <(wanted "$@" | grep -v -- '-run-')
[ "${#names[@]}" -gt 0 ] || { echo "compose-chaos: nothing runs; start it with: make up" >&2; exit 1; }

# Enough goods that every order is about money too.
scripts/compose.sh run --rm --no-deps --quiet-pull --env SHOPCTL_OFFER_FOR_LOAD=20 catalogue
seconds=$((${#names[@]} * 8 + 10))
report=$(mktemp)
python3 scripts/order-load.py --seconds "$seconds" >"$report" 2>&1 &
load=$!
trap 'kill "$load" 2>/dev/null || true; rm -f "$report"' EXIT
sleep 2

state() { docker inspect --format '{{.State.Pid}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}-{{end}}' "$1"; }
for name in "${names[@]}"; do
  read -r pid _ _ < <(state "$name")
  began=$SECONDS
  kill -KILL "$pid"
  while :; do
    read -r now status health < <(state "$name")
    [ "$now" != "$pid" ] && [ "$status" = running ] && { [ "$health" = healthy ] || [ "$health" = - ]; } && break
    [ $((SECONDS - began)) -le "$heal_max" ] || { echo "✗ $name is $status, $health after $heal_max s" >&2; exit 1; }
    sleep 0.5
  done
  printf '✓ %-26s killed, healthy again after %2d s\n' "$name" $((SECONDS - began))
  sleep 3
done
echo "waiting for the load to end"
wait "$load" || { cat "$report"; exit 1; }
cat "$report"
scripts/compose.sh run --rm --no-deps --quiet-pull shopctl audit --final
