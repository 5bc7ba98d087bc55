#!/bin/sh
# Runs NATS as the first process, and has it read certificates and permissions again when they change.
set -eu
seen() { busybox cat /etc/shopapi/tls/tls.crt /etc/shopapi/tls/tls.key /etc/shopapi/tls/ca.crt /etc/nats/*.conf; }
(
  before=$(seen)
  while busybox sleep 5; do
    after=$(seen) || continue
    [ "$after" = "$before" ] || kill -HUP 1
    before=$after
  done
) &
exec nats-server "$@"
