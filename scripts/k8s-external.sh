#!/usr/bin/env bash
# The release with external databases: PostgreSQL servers that do not belong to it, and migrations as hooks before install and upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-external.sh [--remove]

Shows what databases.mode external needs, and tests it, on the cluster of KUBECONFIG:

  1. certificates and keys (scripts/gen-certs.sh) and every Secret of the release (scripts/k8s-secrets.sh): the hooks mount them
  2. a PostgreSQL server per service, with its roles and databases, in NAMESPACE but not in the release: whoever uninstalls it keeps them
  3. helm upgrade --install --wait with tls.mode existingSecret, secrets.mode existing and databases.mode external: the hooks migrate, then
     the services start

Run again it upgrades; nothing is made twice. --remove uninstalls the release and takes the servers and the Secrets away; the servers' volumes stay (WIPE=1
deletes their claims and those of the release too).

  VALUES     a values file (default: local.yaml after `make images-local`, else the chart's defaults)
  PKI        folder of keys and certificates (default: .dev/pki/NAMESPACE-RELEASE), for scripts/k8s-chaos.sh rotate as well
  NAMESPACE, RELEASE, TIMEOUT as in scripts/k8s-up.sh
TXT
}

remove=
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --remove) remove=1; shift ;;
esac
[ $# -eq 0 ] || { usage >&2; exit 2; }

began=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }
k() { kubectl --namespace "$NAMESPACE" "$@"; }
# The servers have labels of their own, so that neither policies nor selectors of the release take them for parts of it.
servers=$RELEASE-databases

cluster_answers
if [ -n "$remove" ]; then
  K8S=existing scripts/k8s-down.sh
  k delete statefulset,service,configmap,serviceaccount --selector "app.kubernetes.io/instance=$servers" --ignore-not-found
  [ -z "${WIPE:-}" ] || k delete persistentvolumeclaim --selector "app.kubernetes.io/instance=$servers" --ignore-not-found
  scripts/k8s-secrets.sh --remove
  exit 0
fi

# Servers of a release would carry the same names.
mode=$(helm get values "$RELEASE" --namespace "$NAMESPACE" --all --output json 2>/dev/null |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["databases"]["mode"])' 2>/dev/null || true)
case $mode in
  '' | external) ;;
  *) fail "$RELEASE in $NAMESPACE has databases.mode $mode: take it away first (K8S=existing make k8s-down), or set NAMESPACE" ;;
esac
values=${VALUES:-$(default_values)}

step "certificates in $PKI, Secrets in $NAMESPACE"
ensure_namespace
mkdir -p "$(dirname "$PKI")"
scripts/gen-certs.sh --dir "$PKI" --namespace "$NAMESPACE" --prefix "$RELEASE" | tail -n 1
scripts/k8s-secrets.sh "$PKI" >/dev/null

step "PostgreSQL servers"
# The chart's own servers, rendered for another release: the same roles, limits and databases from the same Secrets.
helm template "$servers" "$chart" --namespace "$NAMESPACE" --show-only templates/postgres.yaml --values "$values" \
  --set "fullnameOverride=$RELEASE" --set databases.mode=bundled --set tls.mode=existingSecret --set secrets.mode=existing |
  k apply --filename - >/dev/null
for service in gateway orders inventory payments; do
  if ! k rollout status "statefulset/$RELEASE-$service-db" --timeout "$TIMEOUT" >/dev/null; then
    k get pods --selector "app.kubernetes.io/instance=$servers" >&2 || true
    fail "$RELEASE-$service-db does not start; see: kubectl --namespace $NAMESPACE describe pod $RELEASE-$service-db-0"
  fi
done

step "helm upgrade --install $RELEASE, values ${values##*/}, databases.mode external"
if ! helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --values "$values" --wait --timeout "$TIMEOUT" \
  --set "fullnameOverride=$RELEASE" --set databases.mode=external --set "databases.external.caSecret.name=$RELEASE-database-ca" \
  --set tls.mode=existingSecret --set secrets.mode=existing >/dev/null; then
  k get pods,jobs >&2 || true
  k logs --selector app.kubernetes.io/component=migrate --tail 20 >&2 || true
  k get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 15 >&2 || true
  fail "not installed within $TIMEOUT; see above. A failed migration is kept as Job $RELEASE-migrate-DATABASE"
fi
hooks=$(helm get hooks "$RELEASE" --namespace "$NAMESPACE" | grep -c 'helm.sh/hook: pre-install,pre-upgrade' || true)
[ "$hooks" -eq 5 ] || fail "$hooks migrations ran as hooks, not 5"
step "ready, $hooks databases migrated by hooks before it; next: scripts/smoke-k8s.sh"
