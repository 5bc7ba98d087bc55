#!/usr/bin/env bash
# Keys and certificates for compose and Kubernetes: one certificate authority, one identity per service and server, one signing key
# per service. Needs openssl 1.1.1 or newer and nothing else. `shopctl dev` makes the same set without openssl.
set -euo pipefail

DIR=$(cd "$(dirname "$0")/.." && pwd)/deploy/pki
NAMESPACE=shopapi
PREFIX=shopapi
DAYS=365
CA_DAYS=3650
IDENTITIES="gateway orders inventory payments shopctl nats postgres"
JWT_SERVICES="gateway orders inventory payments shopctl"
DATABASE_SERVERS="orders-db inventory-db payments-db gateway-db"

usage() {
  cat <<USAGE
usage: scripts/gen-certs.sh [--dir DIR] [--namespace NAME] [--prefix NAME] [--days N]

Makes what is missing, renews what has less than a third of its life left, and never touches what is valid.

  --dir DIR         where to (default: deploy/pki)
  --namespace NAME  the Kubernetes namespace in the DNS names (default: $NAMESPACE)
  --prefix NAME     what stands before the name of each Service there: the release (default: $PREFIX)
  --days N          the life of a certificate (default: $DAYS); the authority lives $CA_DAYS days

  DIR/ca.crt ca.key                        the authority: keep ca.key off every server
  DIR/<identity>/tls.crt tls.key ca.crt    $IDENTITIES
  DIR/<service>/jwt.key                    Ed25519, signs the service's tokens
  DIR/jwt-public/<service>.pem             its public half
USAGE
}

die() {
  echo "gen-certs: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --dir | --namespace | --prefix | --days)
      [ $# -ge 2 ] || die "$1 needs a value; see --help"
      case $1 in
        --dir) DIR=$2 ;;
        --namespace) NAMESPACE=$2 ;;
        --prefix) PREFIX=$2 ;;
        --days) DAYS=$2 ;;
      esac
      shift 2
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) die "unknown argument $1; see --help" ;;
  esac
done
case $DAYS in
  '' | *[!0-9]* | 0*) die "--days must be a positive whole number" ;;
esac
for name in "$NAMESPACE" "$PREFIX"; do
  case $name in
    '' | *[!a-z0-9-]*) die "--namespace and --prefix must be Kubernetes names: a-z, 0-9 and -" ;;
  esac
done
command -v openssl > /dev/null || die "openssl is missing; install it with: apt-get install -y openssl"

umask 077
mkdir -p "$DIR"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# put FILE < text: replaces FILE as a whole, unless it already says the same. Who could read it still can: servers under accounts of their own do.
put() {
  cat > "$WORK/put"
  if [ -f "$1" ] && cmp -s "$WORK/put" "$1"; then
    return
  fi
  [ ! -f "$1" ] || cp -p "$1" "$1.new"
  cat "$WORK/put" > "$1.new"
  mv "$1.new" "$1"
}

quiet() {
  "$@" 2> "$WORK/errors" || die "\`$1 $2\` failed: $(cat "$WORK/errors")"
}

new_p256_key() {
  quiet openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve
}

# fits CERTIFICATE KEY: do they belong together? Only the first certificate of a file counts.
fits() {
  [ -n "$(openssl x509 -in "$1" -noout -pubkey 2> /dev/null)" ] &&
    [ "$(openssl x509 -in "$1" -noout -pubkey 2> /dev/null)" = "$(openssl pkey -in "$2" -pubout 2> /dev/null)" ]
}

# has_life CERTIFICATE: is at least a third of its life left?
has_life() {
  local from to
  from=$(seconds "$1" -startdate) && to=$(seconds "$1" -enddate) || return 1
  openssl x509 -in "$1" -noout -checkend $(((to - from) / 3)) > /dev/null 2>&1
}

# seconds CERTIFICATE -startdate|-enddate: since March of the year 0. Counted here, because every system's `date` reads dates in its own way.
seconds() {
  local months=JanFebMarAprMayJunJulAugSepOctNovDec month day clock year before hours minutes rest
  read -r month day clock year _ < <(openssl x509 -in "$1" -noout "$2" 2> /dev/null | cut -d= -f2) || return 1
  before=${months%%"$month"*}
  # Years begin in March, so that the leap day is their last.
  month=$(((${#before} / 3 + 10) % 12))
  year=$((year - month / 10))
  IFS=: read -r hours minutes rest <<< "$clock"
  echo $((((year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day) * 24 + 10#$hours) * 3600 + 10#$minutes * 60 + 10#$rest))
}

new_authority() {
  # Two authorities in one bundle need two names: chains are built by name.
  cat > "$WORK/ca.cnf" << CNF
[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = shopapi CA $(openssl rand -hex 4)
[ext]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF
  new_p256_key > "$WORK/ca.key"
  quiet openssl req -new -x509 -config "$WORK/ca.cnf" -key "$WORK/ca.key" -sha256 -days "$CA_DAYS" \
    -set_serial "0x$(serial)" > "$WORK/ca.crt"
}

# 127 random bits: positive, and never two the same.
serial() {
  printf '4%s' "$(openssl rand -hex 15)"
}

ensure_authority() {
  if [ ! -e "$DIR/ca.crt" ] && [ ! -e "$DIR/ca.key" ]; then
    new_authority
    put "$DIR/ca.key" < "$WORK/ca.key"
    put "$DIR/ca.crt" < "$WORK/ca.crt"
    echo "made    ca.crt ca.key"
    return
  fi
  for file in ca.crt ca.key; do
    [ -e "$DIR/$file" ] || die "$DIR/$file is missing: put it back, or remove $DIR to make a new set"
  done
  fits "$DIR/ca.crt" "$DIR/ca.key" ||
    die "$DIR/ca.key does not belong to the first certificate in $DIR/ca.crt: remove $DIR to make a new set"
  if ! has_life "$DIR/ca.crt"; then
    # The old one stays trusted: certificates it signed go on to work until they are renewed.
    new_authority
    cat "$WORK/ca.crt" "$DIR/ca.crt" > "$WORK/bundle"
    put "$DIR/ca.key" < "$WORK/ca.key"
    put "$DIR/ca.crt" < "$WORK/bundle"
    echo "renewed ca.crt ca.key"
  fi
}

# names IDENTITY: every name by which somebody connects to it, as openssl prints them.
names() {
  local host service name hosts=$1
  [ "$1" = postgres ] && hosts="$1 $DATABASE_SERVERS"
  echo "DNS:localhost"
  for host in $hosts; do
    echo "DNS:$host"
    service=$PREFIX-$host
    for name in "$service" "$service.$NAMESPACE" "$service.$NAMESPACE.svc" "$service.$NAMESPACE.svc.cluster.local"; do
      # The pods behind a headless service have one label more.
      echo "DNS:$name"
      echo "DNS:*.$name"
    done
  done
  echo "IP Address:127.0.0.1"
  echo "IP Address:0:0:0:0:0:0:0:1"
  echo "URI:spiffe://shopapi/svc/$1"
}

is_good() {
  local dir=$DIR/$1 have want
  [ -f "$dir/tls.crt" ] && [ -f "$dir/tls.key" ] || return 1
  fits "$dir/tls.crt" "$dir/tls.key" || return 1
  has_life "$dir/tls.crt" || return 1
  openssl verify -CAfile "$DIR/ca.crt" "$dir/tls.crt" > /dev/null 2>&1 || return 1
  have=$(openssl x509 -in "$dir/tls.crt" -noout -ext subjectAltName | grep -v 'X509v3' | tr ',' '\n' | sed 's/^ *//' | sort)
  want=$(names "$1" | sort)
  [ "$have" = "$want" ]
}

ensure_identity() {
  local dir=$DIR/$1 verb=made
  mkdir -p "$dir"
  if ! is_good "$1"; then
    [ -e "$dir/tls.crt" ] && verb=renewed
    cat > "$WORK/leaf.cnf" << CNF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $(names "$1" | sed 's/^IP Address:/IP:/' | paste -s -d, -)
CNF
    new_p256_key > "$WORK/leaf.key"
    quiet openssl req -new -key "$WORK/leaf.key" -subj "/CN=$1" > "$WORK/leaf.csr"
    quiet openssl x509 -req -in "$WORK/leaf.csr" -CA "$DIR/ca.crt" -CAkey "$DIR/ca.key" -set_serial "0x$(serial)" -sha256 \
      -days "$DAYS" -extfile "$WORK/leaf.cnf" > "$WORK/leaf.crt"
    put "$dir/tls.key" < "$WORK/leaf.key"
    put "$dir/tls.crt" < "$WORK/leaf.crt"
    printf '%-7s %s/tls.crt tls.key\n' "$verb" "$1"
  fi
  put "$dir/ca.crt" < "$DIR/ca.crt"
}

ensure_jwt_key() {
  local key=$DIR/$1/jwt.key
  if [ ! -e "$key" ]; then
    quiet openssl genpkey -algorithm ED25519 > "$WORK/jwt.key"
    put "$key" < "$WORK/jwt.key"
    echo "made    $1/jwt.key"
  fi
  quiet openssl pkey -in "$key" -pubout > "$WORK/jwt.pem"
  put "$DIR/jwt-public/$1.pem" < "$WORK/jwt.pem"
}

ensure_authority
for identity in $IDENTITIES; do
  ensure_identity "$identity"
done
mkdir -p "$DIR/jwt-public"
for service in $JWT_SERVICES; do
  ensure_jwt_key "$service"
done
echo "$DIR is complete: certificates for $DAYS days, renewed by running this again in the last third"
