#!/usr/bin/env bash
# Takes away what k8s-up.sh made: the kind cluster, or the release on an existing one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-down.sh

  K8S=kind (default) deletes the cluster. K8S=existing uninstalls the release; its volumes stay (WIPE=1 deletes their claims too).
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

case $K8S in
  kind)
    need kind "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
    kind delete cluster --name shopapi
    ;;
  existing)
    helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait
    # What `helm test` made belongs to no release, and neither does a migration that ran as a hook and failed.
    kubectl --namespace "$NAMESPACE" delete pod,job --selector "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component in (smoke, migrate)" --ignore-not-found
    [ -z "${WIPE:-}" ] || kubectl --namespace "$NAMESPACE" delete persistentvolumeclaim --selector "app.kubernetes.io/instance=$RELEASE"
    ;;
  *) usage >&2; exit 2 ;;
esac
