#!/usr/bin/env bash
# Checks the release from outside, through a port-forward, and from inside, with `shopctl smoke` as a pod.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/smoke-k8s.sh

From outside: /readyz and the catalogue through `kubectl port-forward`. From inside: `helm test`, which runs `shopctl smoke` and shows what it says.
K8S, NAMESPACE and RELEASE as in scripts/k8s-up.sh.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

service=$(kubectl --namespace "$NAMESPACE" get service --selector "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component=gateway" --output name)
[ -n "$service" ] || fail "no gateway of $RELEASE in $NAMESPACE: run make k8s-up"

log=$(mktemp)
kubectl --namespace "$NAMESPACE" port-forward "$service" :8080 >"$log" 2>&1 &
forward=$!
trap 'kill "$forward" 2>/dev/null || true; rm -f "$log"' EXIT
port=
for _ in $(seq 100); do
  port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$log" | head -n 1)
  [ -z "$port" ] || break
  sleep 0.1
done
[ -n "$port" ] || { cat "$log" >&2; fail "kubectl port-forward does not start"; }

# outside PATH: the answer, through the port-forward.
outside() { curl --silent --show-error --fail --max-time 10 "http://127.0.0.1:$port$1"; }
outside /readyz >/dev/null || fail "the gateway is not ready from outside"
echo "ok   from outside: /readyz"
products=$(outside /api/v1/products) || fail "the catalogue does not answer: look at inventory"
echo "ok   from outside: /api/v1/products, ${#products} bytes"

echo "     from inside: helm test"
if ! helm test "$RELEASE" --namespace "$NAMESPACE" --timeout 6m --logs; then
  fail "helm test failed; its pod is kept: kubectl --namespace $NAMESPACE logs $RELEASE-smoke"
fi
echo "ok   smoke"
