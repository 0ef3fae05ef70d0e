#!/bin/sh
# As in the official image: options are HAProxy's, which runs in the foreground with a master and its workers.
set -eu
[ "${1#-}" = "$1" ] || set -- haproxy "$@"
if [ "$1" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
