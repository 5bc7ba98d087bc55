#!/bin/sh
# Before each start of a bundled PostgreSQL: makes the data directory, then roles, databases and passwords as the Secrets say. Repeatable.
#   /etc/shopapi/provision/*.sql   what to make
#   /etc/shopapi/passwords/ROLE    one file per role
set -eu
umask 077

# Complete only with this mark: one that was cut short is never taken for data.
mark=$PGDATA/initdb-done
socket=/tmp/provision
mkdir -p "$socket"
if [ ! -e "$mark" ]; then
  rm -rf "$PGDATA"
  initdb --pgdata "$PGDATA" --username postgres --auth=scram-sha-256 --pwfile=/etc/shopapi/passwords/postgres \
    --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  : >"$mark"
fi

# This pod is the only user of its volume; a pid from its predecessor means nothing here.
rm -f "$PGDATA/postmaster.pid"
printf 'local all postgres trust\n' >"$socket/hba.conf"
options="-c listen_addresses='' -c unix_socket_directories=$socket -c hba_file=$socket/hba.conf"
pg_ctl --pgdata "$PGDATA" --wait --timeout 300 --log "$socket/log" --options "$options" start || { cat "$socket/log"; exit 1; }
failed=0
psql --host "$socket" --username postgres --dbname postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --file /etc/shopapi/provision/roles.sql || failed=$?
pg_ctl --pgdata "$PGDATA" --wait --mode fast stop
exit "$failed"
