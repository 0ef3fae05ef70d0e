#!/bin/bash
# Starts PgBouncer. It knows one login, that of the API, whose password it takes from the API's connection URL.
#
# Its resolver (c-ares from 1.31 on) keeps Docker's answers for their ten minutes, whatever its settings say, and a
# database that was restarted has another address. So the address is looked up here, each second, and a new one is told.
set -eu
umask 077
given=/etc/pgbouncer/pgbouncer.ini
used=/run/pgbouncer/pgbouncer.ini
name=$(sed -n 's/.* host=\([^ ]*\) .*/\1/p' "$given")

look_up() {
  getent ahostsv4 "$name" | sed -n '1s/ .*//p'
}

use() {
  sed "s/ host=$name / host=$1 /" "$given" >"$used.new"
  mv "$used.new" "$used"
}

sed -n 's#^postgresql://\([^:/@]*\):\([^@]*\)@.*#"\1" "\2"#p' /run/secrets/database-app >/run/pgbouncer/users
address=$(look_up)
use "${address:-$name}"

(
  while sleep 1; do
    found=$(look_up)
    if [ -n "$found" ] && [ "$found" != "$address" ]; then
      echo "The database is at $found now." >&2
      address=$found
      use "$address"
      kill -HUP 1
    fi
  done
) &
exec pgbouncer "$used"
