#!/usr/bin/env bash
# Takes away what k8s-up.sh made: the kind cluster, or the release on an existing one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-down.sh

  K8S=kind (default) deletes the cluster. K8S=existing uninstalls the release, with the certificates that cert-manager or k8s-up.sh made for it; its volumes
  stay (WIPE=1 deletes their claims too). Secrets that others brought stay too.
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
    # cert-manager leaves the Secrets of its Certificates behind. Their names are known only as long as these are there.
    mine=app.kubernetes.io/instance=$RELEASE
    mapfile -t secrets < <(kubectl --namespace "$NAMESPACE" get certificates.cert-manager.io --selector "$mine" \
      --output jsonpath='{range .items[*]}{.spec.secretName}{"\n"}{end}' 2>/dev/null || true)
    # Those of TLS=existingSecret, but no passwords.
    mapfile -t -O "${#secrets[@]}" secrets < <(kubectl --namespace "$NAMESPACE" get secrets --selector "$mine,app.kubernetes.io/managed-by=k8s-secrets.sh" \
      --output name | sed -n "s|^secret/\($RELEASE-tls-.*\)|\1|p")
    helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait
    # What `helm test` made belongs to no release, and neither does a migration that ran as a hook and failed.
    kubectl --namespace "$NAMESPACE" delete pod,job --selector "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component in (smoke, migrate)" --ignore-not-found
    [ "${#secrets[@]}" -eq 0 ] || kubectl --namespace "$NAMESPACE" delete secret "${secrets[@]}" --ignore-not-found
    [ -z "${WIPE:-}" ] || kubectl --namespace "$NAMESPACE" delete persistentvolumeclaim --selector "app.kubernetes.io/instance=$RELEASE"
    ;;
  *) usage >&2; exit 2 ;;
esac
