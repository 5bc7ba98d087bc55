#!/bin/sh
# Starts PostgreSQL with TLS. It insists on a key that only its own account can read, which a mounted file is not: so it gets a copy.
set -eu
umask 077
cp /etc/shopapi/tls/tls.key /var/run/postgresql/tls.key
# Where to listen is said, because not every build of PostgreSQL has the defaults of the public image.
exec docker-entrypoint.sh postgres \
  -c listen_addresses='*' \
  -c unix_socket_directories=/var/run/postgresql \
  -c ssl=on \
  -c ssl_cert_file=/etc/shopapi/tls/tls.crt \
  -c ssl_key_file=/var/run/postgresql/tls.key \
  -c ssl_min_protocol_version=TLSv1.3 \
  -c hba_file=/etc/shopapi/postgres/pg_hba.conf \
  -c max_connections="${MAX_CONNECTIONS:-150}" \
  -c shared_buffers=128MB \
  -c log_line_prefix='%m [%p] %u@%d '
