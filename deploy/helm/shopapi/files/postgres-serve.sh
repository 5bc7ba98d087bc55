#!/bin/sh
# Runs PostgreSQL as the first process, and has it read certificates again when the Secret changes.
set -eu
seen() { cat /etc/shopapi/tls/tls.crt /etc/shopapi/tls/tls.key /etc/shopapi/tls/ca.crt; }
(
  before=$(seen)
  while sleep 5; do
    after=$(seen) || continue
    [ "$after" = "$before" ] || kill -HUP 1
    before=$after
  done
) &
exec postgres "$@"
