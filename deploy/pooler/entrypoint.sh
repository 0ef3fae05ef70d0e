#!/bin/sh
# Starts PgBouncer. It knows one login, that of the API, whose password it takes from the API's connection URL.
set -eu
umask 077
sed -n 's#^postgresql://\([^:/@]*\):\([^@]*\)@.*#"\1" "\2"#p' /run/secrets/database-app >/run/pgbouncer/users
exec pgbouncer /etc/pgbouncer/pgbouncer.ini
