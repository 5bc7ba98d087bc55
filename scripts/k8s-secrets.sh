#!/usr/bin/env bash
# Secrets for tls.mode existingSecret and secrets.mode existing, from scripts/gen-certs.sh and random passwords.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/k8s-common.sh

usage() {
  cat <<'TXT'
usage: scripts/k8s-secrets.sh [--tls-only] PKI-DIR
       scripts/k8s-secrets.sh --remove

Makes or replaces in NAMESPACE the Secrets that deploy/helm/shopapi/README.md lists: certificates and service keys from PKI-DIR (a set of
scripts/gen-certs.sh); with user names, passwords, URLs and the key of user tokens unless they are there already. Run it again after a renewal: services notice by
themselves. --tls-only leaves everything but the certificates alone. --remove takes away what this script made.

  NAMESPACE, RELEASE   shopapi by default
  DATABASE_HOST        host of each database server, with SERVICE for its name (default: RELEASE-SERVICE-db)
TXT
}

# So that CloudNativePG, where it runs the databases, follows renewals.
reload=cnpg.io/reload=true
made_here=app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/managed-by=k8s-secrets.sh
tls_only=
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --tls-only) tls_only=1; shift ;;
  --remove)
    kubectl --namespace "$NAMESPACE" delete secret --selector "$made_here" --ignore-not-found
    exit 0
    ;;
esac
[ $# -eq 1 ] && [ -f "$1/ca.crt" ] || { usage >&2; exit 2; }
pki=$1
host=${DATABASE_HOST:-$RELEASE-SERVICE-db}

k() { kubectl --namespace "$NAMESPACE" "$@"; }
exists() { k get secret "$1" >/dev/null 2>&1; }
# put NAME KEY=FILE ...: from files, so that no value is an argument of a process.
put() {
  local name=$1 item arguments=()
  shift
  for item; do arguments+=(--from-file="$item"); done
  k create secret generic "$name" "${arguments[@]}" --dry-run=client --output yaml |
    kubectl label --local --filename - --output yaml "$reload" "${labels[@]}" | k apply --filename - >/dev/null
  echo "$name"
}
IFS=, read -ra labels <<<"$made_here"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for name in gateway orders inventory payments shopctl nats postgres; do
  put "$RELEASE-tls-$name" "tls.crt=$pki/$name/tls.crt" "tls.key=$pki/$name/tls.key" "ca.crt=$pki/$name/ca.crt"
done
# For databases.external.caSecret: migrations have no identity of their own.
put "$RELEASE-database-ca" "ca.crt=$pki/ca.crt"
[ -z "$tls_only" ] || exit 0

public=()
for name in gateway orders inventory payments shopctl; do
  put "$RELEASE-service-key-$name" "jwt.key=$pki/$name/jwt.key"
done
for file in "$pki"/jwt-public/*.pem; do public+=("${file##*/}=$file"); done
put "$RELEASE-service-keys-public" "${public[@]}"

if ! exists "$RELEASE-user-jwt"; then
  random >"$work/secret"
  put "$RELEASE-user-jwt" "secret=$work/secret"
fi
# database SECRET USER SERVER DATABASE PASSWORD-FILE
database() {
  printf 'postgres://%s:%s@%s:5432/%s?sslmode=require' "$2" "$(cat "$5")" "${host//SERVICE/$3}" "$4" >"$work/url"
  printf '%s' "$2" >"$work/username"
  put "$1" "username=$work/username" "password=$5" "url=$work/url"
}
for server in gateway orders inventory payments; do
  exists "$RELEASE-$server-db-superuser" && continue
  random >"$work/audit"
  for name in "$server" provider; do
    if [ "$name" = provider ] && [ "$server" != payments ]; then continue; fi
    random >"$work/runtime"
    random >"$work/owner"
    database "$RELEASE-$name-db-runtime" "$name" "$server" "${name}db" "$work/runtime"
    database "$RELEASE-$name-db-owner" "${name}_owner" "$server" "${name}db" "$work/owner"
    database "$RELEASE-$name-db-audit" shopapi_audit "$server" "${name}db" "$work/audit"
  done
  # Last: it says that the others are complete.
  random >"$work/superuser"
  put "$RELEASE-$server-db-superuser" "password=$work/superuser"
done
