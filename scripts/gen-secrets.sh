#!/usr/bin/env bash
# Passwords and keys for compose: random, made once, one file each, below a folder that only its owner can enter.
set -euo pipefail

dir=$(cd "$(dirname "$0")/.." && pwd)/deploy/.secrets

usage() {
  cat <<'TXT'
usage: scripts/gen-secrets.sh [--dir DIR]

Makes what is missing below DIR (default: deploy/.secrets) and never touches what is there. To change a password, remove its file, run this and
`make up`: the databases get the new one. The superusers' passwords (DIR/passwords/*-db) stay those of the first start.

  passwords/   database roles and superusers, one file each: read by `shopctl provision`
  SERVICE/     what one service reads: database-url, …     gateway/user-jwt-secret signs users' tokens
  migrate/     the owners' URLs, for migrations            shopctl/  the audit's URLs
  grafana/     admin-password
TXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --dir) dir=${2:?--dir needs a folder} ;;
  '') ;;
  *) usage >&2; exit 2 ;;
esac

umask 077
mkdir -p "$dir"
chmod 0700 "$dir"
# Below here everything is readable: each container runs as an account of its own and sees only what is mounted into it.
umask 022

# 256 random bits in hexadecimal, which needs no quoting anywhere.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# put FILE: from standard input, as a whole, only when it says something else.
put() {
  local text
  text=$(cat)
  [ -f "$dir/$1" ] && [ "$(cat "$dir/$1")" = "$text" ] && return
  mkdir -p "$(dirname "$dir/$1")"
  printf '%s\n' "$text" >"$dir/$1.new"
  mv "$dir/$1.new" "$dir/$1"
  echo "made    $1"
}

make_once() { [ -s "$dir/$1" ] || random | put "$1"; }
password() { cat "$dir/passwords/$1"; }
# Every connection is encrypted and the server's certificate verified, name included.
url() { echo "postgres://$1:$(password "$1")@$2-db:5432/$3?sslmode=require"; }

for server in orders inventory payments gateway; do
  make_once "passwords/$server-db"
done
make_once passwords/shopapi_audit
make_once gateway/user-jwt-secret
make_once grafana/admin-password
# database name, server
while read -r name server; do
  make_once "passwords/$name"
  make_once "passwords/${name}_owner"
  url "${name}_owner" "$server" "${name}db" | put "migrate/$name-url"
  case $name in
    provider) url provider payments providerdb | put payments/provider-database-url ;;
    *) url "$name" "$server" "${name}db" | put "$name/database-url" ;;
  esac
  url shopapi_audit "$server" "${name}db" | put "shopctl/$name-url"
done <<'TXT'
orders orders
inventory inventory
payments payments
provider payments
gateway gateway
TXT
