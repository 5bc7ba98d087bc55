#!/usr/bin/env bash
# Installs the chart: on a kind cluster made for it, or on the cluster of KUBECONFIG.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-up.sh

  K8S        kind (default): makes the cluster of deploy/helm/kind-config.yaml, builds our images and loads them into it, under tags made of their ids
             existing: the cluster of KUBECONFIG; its nodes must know the images that VALUES names
  TLS        tls.mode of the chart: generated (default), certManager (installs cert-manager when it is missing), existingSecret (makes the Secrets from
             PKI with scripts/gen-certs.sh, unless there are some of yours)
  VALUES     a values file in place of kind.yaml (kind), local.yaml (existing, after `make images-local`) or the defaults (existing)
  PKI        folder of keys and certificates for existingSecret (default: .dev/pki/NAMESPACE-RELEASE)
  NAMESPACE  shopapi by default      RELEASE  shopapi by default
  TIMEOUT    how long to wait (10m)

Run again it upgrades, and replaces the pods when the images are others.
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

cert_manager=v1.20.2
began=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }
settings=()

case $K8S in
  kind)
    need kind "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
    need docker "https://docs.docker.com/engine/install/"
    if ! kind get clusters 2>/dev/null | grep -qx shopapi; then
      step "kind cluster"
      kind create cluster --config deploy/helm/kind-config.yaml --wait 120s
    fi
    kind export kubeconfig --name shopapi >/dev/null
    images=()
    for name in shopapi shopctl; do
      step "image $name"
      scripts/build-image.sh "$name" "$name:dev"
      # Under the tag of before, nothing in the manifests would change and no pod would be replaced.
      id=$(docker image inspect --format '{{.Id}}' "$name:dev")
      id=${id#sha256:}
      tag=dev-${id:0:12}
      docker tag "$name:dev" "$name:$tag"
      images+=("$name:$tag")
      case $name in
        shopapi) settings+=(--set-string "image.tag=$tag") ;;
        shopctl) settings+=(--set-string "shopctl.image.tag=$tag") ;;
      esac
    done
    kind load docker-image --name shopapi "${images[@]}"
    values=${VALUES:-$chart/kind.yaml}
    ;;
  existing)
    cluster_answers
    values=${VALUES:-$(default_values)}
    ;;
  *) usage >&2; exit 2 ;;
esac

if [ "$TLS" = certManager ] && ! kubectl get crd certificates.cert-manager.io >/dev/null 2>&1; then
  step "cert-manager $cert_manager"
  helm upgrade --install cert-manager oci://quay.io/jetstack/charts/cert-manager --version "$cert_manager" \
    --namespace cert-manager --create-namespace --set crds.enabled=true --wait --timeout 5m
fi

if [ "$TLS" = existingSecret ]; then
  ensure_namespace
  # Pods would wait for them until the time is up.
  by=$(kubectl --namespace "$NAMESPACE" get secret "$RELEASE-tls-gateway" --ignore-not-found --output jsonpath='{.metadata.name} {.metadata.labels.app\.kubernetes\.io/managed-by}')
  case $by in
    '' | *' k8s-secrets.sh')
      step "certificates in $PKI, Secrets in $NAMESPACE"
      mkdir -p "$(dirname "$PKI")"
      scripts/gen-certs.sh --dir "$PKI" --namespace "$NAMESPACE" --prefix "$RELEASE" | tail -n 1
      scripts/k8s-secrets.sh --tls-only "$PKI" >/dev/null
      ;;
    *) step "the Secrets $RELEASE-tls-… are not of scripts/k8s-secrets.sh, and stay as they are" ;;
  esac
fi

step "helm upgrade --install $RELEASE, values ${values##*/}, tls.mode $TLS"
if ! helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --create-namespace --values "$values" --set "tls.mode=$TLS" \
  "${settings[@]}" --wait --timeout "$TIMEOUT"; then
  echo >&2
  kubectl --namespace "$NAMESPACE" get pods >&2 || true
  kubectl --namespace "$NAMESPACE" get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 15 >&2 || true
  fail "not installed within $TIMEOUT; see above, and: kubectl --namespace $NAMESPACE describe pod …"
fi
step "ready; next: make smoke-k8s"
