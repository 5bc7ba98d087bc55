#!/usr/bin/env bash
# What happens to a release on Kubernetes under load: an upgrade that replaces every service pod, a rollback, pods deleted, certificates replaced.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-chaos.sh upgrade | rollback | pods | rotate PKI-DIR | audit

All but `audit` place orders meanwhile, each once, on a connection of its own, count every answer that is not 2xx, and end with the audit. They fail when an
order was lost, when an old pod is left, or when the books do not agree; `pods` takes away the only server of each database, so there lost answers are
printed and the audit decides.

  upgrade    helm upgrade that gives the pods of the four services another annotation, waits until the old ones are gone
  rollback   helm rollback to the revision before, the same way: run it after `upgrade`
  pods       deletes each pod in turn, those of databases and NATS too, and waits until it is back
  rotate     renews every certificate of PKI-DIR (a set of scripts/gen-certs.sh) and replaces the Secrets; waits until it is served
  audit      the books of every database, in a pod of shopctl

  RATE       orders a second (25)
  URL        the public API; default: the Service's address, which only a node of the cluster reaches
  NAMESPACE, RELEASE as in scripts/k8s-up.sh
TXT
}

what=${1:-}
case $what in
  -h | --help) usage; exit 0 ;;
  upgrade | rollback | pods | audit) ;;
  rotate) [ -f "${2:-}/ca.crt" ] || { usage >&2; exit 2; } ;;
  *) usage >&2; exit 2 ;;
esac

k() { kubectl --namespace "$NAMESPACE" "$@"; }
mine="app.kubernetes.io/instance=$RELEASE"
rate=${RATE:-25}
report=$(mktemp)
load=
trap '[ -z "$load" ] || kill "$load" 2>/dev/null || true; rm -f "$report"' EXIT

# Goods that no load sells out, by the chart's own Job with another argument.
stock_up() {
  helm get manifest "$RELEASE" --namespace "$NAMESPACE" |
    python3 -c '
import re, sys
for one in re.split(r"^---$", sys.stdin.read(), flags=re.M):
    if re.search(r"^kind: Job$", one, re.M) and "args: [offer, " in one:
        one = re.sub(r"^  name: (\S+)$", r"  name: \1-for-load", one, count=1, flags=re.M)
        print(one.replace("args: [offer, ", "args: [offer, --for-load=20, ", 1))
' | k apply --filename - >/dev/null
  local jobs
  jobs=$(k get jobs --selector "$mine" --output name | grep -- '-for-load$')
  # shellcheck disable=SC2086
  k wait $jobs --for condition=complete --timeout 120s >/dev/null
  # shellcheck disable=SC2086
  k delete $jobs >/dev/null
}

load_for() {
  stock_up
  local url=${URL:-}
  [ -n "$url" ] || url=http://$(k get service "$RELEASE-gateway" --output jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}')
  python3 scripts/order-load.py --url "$url" --rate "$rate" --seconds "$1" >"$report" 2>&1 &
  load=$!
  sleep 5
  kill -0 "$load" 2>/dev/null || { cat "$report" >&2; fail "no orders can be placed at $url"; }
}
problems=()
# load_end must-not-lose | may-lose
load_end() {
  local lost=0
  kill -TERM "$load" 2>/dev/null || problems+=("the load ended before what it was there for")
  wait "$load" || lost=1
  load=
  cat "$report"
  if ! grep -q ' never accepted$' "$report"; then
    problems+=("the load broke off")
  elif [ "$lost" = 1 ] && [ "$1" = must-not-lose ]; then
    problems+=("orders were lost")
  fi
}
# Says all that is wrong, and ends.
verdict() {
  [ "${#problems[@]}" -eq 0 ] || fail "$what:$(printf ' %s;' "${problems[@]}")"
  echo "✓ $what"
}
audit() {
  k delete pod "$RELEASE-audit" --ignore-not-found --wait >/dev/null
  # The pod of `helm test` with another command: it has the addresses and the passwords.
  helm get hooks "$RELEASE" --namespace "$NAMESPACE" |
    python3 -c '
import sys, re
text = sys.stdin.read()
for one in re.split(r"^---$", text, flags=re.M):
    if re.search(r"^kind: Pod$", one, re.M) and "smoke" in one:
        one = re.sub(r"name: (\S+)-smoke$", r"name: \1-audit", one, count=1, flags=re.M)
        print(re.sub(r"args: \[.*\]", "args: [audit, --final]", one, count=1))
        break
' | k apply --filename - >/dev/null
  for _ in $(seq 120); do
    phase=$(k get pod "$RELEASE-audit" --output jsonpath='{.status.phase}')
    case $phase in Succeeded | Failed) break ;; esac
    sleep 1
  done
  k logs "$RELEASE-audit"
  k delete pod "$RELEASE-audit" --wait=false >/dev/null
  [ "$phase" = Succeeded ] || problems+=("the audit ended as $phase")
}
# Helm waits for new pods to be ready; those of before stay for minReadySeconds after that.
rolled_out() {
  local name
  for name in gateway orders inventory payments; do
    k rollout status "deployment/$RELEASE-$name" --timeout 300s >/dev/null || problems+=("$name is not rolled out")
  done
}
# Those that stay.
pods() { k get pods --selector "$mine" --field-selector status.phase=Running --output go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}pod/{{.metadata.name}}{{"\n"}}{{end}}{{end}}'; }
# The pods that are there and ready, by uid.
uids() { k get pods --selector "$mine,app.kubernetes.io/component in (gateway, orders, inventory, payments)" --output go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.uid}}{{"\n"}}{{end}}{{end}}' | sort; }

began=$SECONDS
case $what in
  audit) audit ;;
  upgrade | rollback)
    before=$(uids)
    load_for 3600
    if [ "$what" = upgrade ]; then
      settings=()
      for name in gateway orders inventory payments; do settings+=(--set-string "$name.podAnnotations.rolled=$began-$(date +%s)"); done
      helm upgrade "$RELEASE" "$chart" --namespace "$NAMESPACE" --reset-then-reuse-values --wait --timeout "$TIMEOUT" "${settings[@]}" >/dev/null
    else
      helm rollback "$RELEASE" --namespace "$NAMESPACE" --wait --timeout "$TIMEOUT"
    fi
    rolled_out
    left=$(comm -12 <(echo "$before") <(uids) | wc -l)
    echo "$what took $((SECONDS - began - 5)) s; pods of before that are still there: $left of $(wc -l <<<"$before")"
    [ "$left" -eq 0 ] || problems+=("$left pods of before are still there")
    sleep 15
    load_end must-not-lose
    audit
    ;;
  pods)
    mapfile -t all < <(pods)
    load_for 3600
    for pod in "${all[@]}"; do
      at=$SECONDS
      # Whoever replaces it: a pod of the same name, or another one of its ReplicaSet.
      wanted=$(pods | wc -l)
      k delete "$pod" --wait=true >/dev/null
      for _ in $(seq 180); do
        ready=$(k get pods --selector "$mine" --output jsonpath='{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True || true)
        [ "$ready" -ge "$wanted" ] && break
        sleep 0.5
      done
      [ "$ready" -ge "$wanted" ] || fail "$pod is not replaced"
      printf '✓ %-46s deleted, all ready again after %2d s\n' "${pod#pod/}" $((SECONDS - at))
    done
    load_end may-lose
    audit
    ;;
  rotate)
    pki=$2
    restarts() { k get pods --selector "$mine" --output jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\n"}{end}' | sort; }
    serial() { openssl x509 -noout -serial -in "$pki/$1/tls.crt"; }
    before=$(restarts)
    was=$(serial orders)
    load_for 3600
    rm -f "$pki"/*/tls.crt "$pki"/*/tls.key
    scripts/gen-certs.sh --dir "$pki" --namespace "$NAMESPACE" | tail -n 1
    scripts/k8s-secrets.sh --tls-only "$pki" >/dev/null
    echo "orders: $was -> $(serial orders)"
    address=$(k get service "$RELEASE-orders" --output jsonpath='{.spec.clusterIP}')
    [ "$address" != None ] && [ -n "$address" ] || address=$(k get pods --selector "$mine,app.kubernetes.io/component=orders" --output jsonpath='{.items[0].status.podIP}')
    for _ in $(seq 150); do
      served=$(openssl s_client -connect "$address:9001" -cert "$pki/shopctl/tls.crt" -key "$pki/shopctl/tls.key" -CAfile "$pki/ca.crt" </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null || true)
      [ "$served" = "$(serial orders)" ] && break
      sleep 1
    done
    [ "$served" = "$(serial orders)" ] || fail "orders serves $served still"
    echo "✓ orders serves the new certificate $((SECONDS - began - 5)) s after the load began"
    sleep 30
    load_end must-not-lose
    if [ "$(restarts)" = "$before" ]; then echo "✓ no pod was restarted"; else problems+=("pods were restarted"); fi
    audit
    ;;
esac
verdict
