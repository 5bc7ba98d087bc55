#!/bin/sh
# The part of the public image's entrypoint that the compose file uses: a fresh data directory when there is none, then the server.
set -eu
[ "${1:-}" = postgres ] || exec "$@"
PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD_FILE:?name a file with the password of the superuser}"
  chmod 0700 "$PGDATA"
  # The public image takes them as words, too.
  # shellcheck disable=SC2086
  initdb --pgdata "$PGDATA" --username="${POSTGRES_USER:-postgres}" --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
fi
export PGDATA
exec "$@"
