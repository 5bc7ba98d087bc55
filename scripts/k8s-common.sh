# shellcheck shell=bash
# What the k8s scripts share: settings, and helm and kubectl from PATH or from scripts/helm-tools.sh.

K8S=${K8S:-kind}
TLS=${TLS:-generated}
NAMESPACE=${NAMESPACE:-shopapi}
RELEASE=${RELEASE:-shopapi}
TIMEOUT=${TIMEOUT:-10m}
PKI=${PKI:-.dev/pki/$NAMESPACE-$RELEASE}
chart=deploy/helm/shopapi
export K8S TLS NAMESPACE RELEASE TIMEOUT PKI chart

fail() { echo "${0##*/}: $*" >&2; exit 1; }
cluster_answers() { kubectl version >/dev/null 2>&1 || fail "no cluster answers: set KUBECONFIG, or use K8S=kind make k8s-up for a cluster of its own"; }
# What fits the nodes: the images of `make images-local` where those are in use.
default_values() { if [ -f deploy/.env ]; then echo "$chart/local.yaml"; else echo "$chart/values.yaml"; fi; }
# Helm makes a namespace only when it installs; Secrets are needed before.
ensure_namespace() { kubectl create namespace "$NAMESPACE" --dry-run=client --output yaml | kubectl apply --filename - >/dev/null; }
need() { command -v "$1" >/dev/null || fail "$1 is needed: $2"; }

case "${1:-}" in
  -h | --help) ;;
  *)
    if ! command -v helm >/dev/null || ! command -v kubectl >/dev/null; then
      PATH="$PATH:$(scripts/helm-tools.sh)"
    fi
    ;;
esac
