#!/bin/bash
# The behaviour of the official image that a stack relies on: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB (each also
# as a file, *_FILE), POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, and the scripts of /docker-entrypoint-initdb.d.
set -euo pipefail

# The value of a variable, of the file that it names with _FILE, or a default.
setting() {
  local value=${!1:-} file_name="${1}_FILE"
  if [ -n "${!file_name:-}" ]; then
    if [ -n "$value" ]; then
      echo "error: both $1 and $file_name are set (but are exclusive)" >&2
      return 1
    fi
    value=$(cat "${!file_name}")
  fi
  printf '%s' "${value:-${2:-}}"
}

make_database() {
  local user password database method
  user=$(setting POSTGRES_USER postgres)
  password=$(setting POSTGRES_PASSWORD)
  database=$(setting POSTGRES_DB "$user")
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
    return 1
  fi

  # The arguments are split as a shell would, as the official image does.
  eval 'initdb --username="$user" --pwfile=<(printf "%s\n" "$password") '"${POSTGRES_INITDB_ARGS:-}"
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

  export PGHOST=/var/run/postgresql PGUSER=$user PGPASSWORD=$password
  pg_ctl --wait --options="-c listen_addresses=''" start
  [ "$database" = postgres ] ||
    psql --no-psqlrc --set ON_ERROR_STOP=1 --set db="$database" --dbname postgres <<< 'CREATE DATABASE :"db";'
  # What the scripts of the official image may use.
  export POSTGRES_USER=$user POSTGRES_DB=$database
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else bash "$script"; fi ;;
      *.sql) psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname "$database" --file "$script" ;;
    esac
  done
  pg_ctl --mode=fast --wait stop
}

[ "${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  install --directory --owner postgres --group postgres --mode 700 "$PGDATA"
  find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
  exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  (make_database)
fi
exec "$@"
