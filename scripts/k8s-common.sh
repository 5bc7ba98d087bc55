# shellcheck shell=bash
# What the k8s scripts share: settings, and helm and kubectl from PATH or from scripts/helm-tools.sh.

K8S=${K8S:-kind}
TLS=${TLS:-generated}
NAMESPACE=${NAMESPACE:-shopapi}
RELEASE=${RELEASE:-shopapi}
TIMEOUT=${TIMEOUT:-10m}
chart=deploy/helm/shopapi
export K8S TLS NAMESPACE RELEASE TIMEOUT chart

fail() { echo "${0##*/}: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is needed: $2"; }

case "${1:-}" in
  -h | --help) ;;
  *)
    if ! command -v helm >/dev/null || ! command -v kubectl >/dev/null; then
      PATH="$PATH:$(scripts/helm-tools.sh)"
    fi
    ;;
esac
