#!/bin/sh
# Every check that needs no database, each under its title; all run even when one fails.
cd "$(dirname "$0")/.." || exit 1
PATH="$PWD/node_modules/.bin:$PATH"
failed=""

check() {
  title=$1
  shift
  printf '\n== %s\n' "$title"
  if "$@"; then
    printf 'ok\n'
  else
    failed="$failed
  $title"
  fi
}

# The first nine migrations make the schema, on an empty database or during a takeover, when nobody else is there; every
# later one changes tables in use and is held to more rules.
founding_migrations() {
  squawk --config scripts/squawk-founding.toml packages/db/migrations/000*.sql
}
later_migrations() {
  set -- packages/db/migrations/00[1-9]*.sql packages/db/migrations/0[1-9]*.sql
  for file; do
    shift
    [ -e "$file" ] && set -- "$@" "$file"
  done
  [ $# -eq 0 ] || squawk --config .squawk.toml "$@"
}

check 'Types (tsc)' tsc -p tsconfig.json --noEmit
check 'Lint (oxlint)' oxlint
check 'Format (biome)' biome format .
check 'Unused files, exports and dependencies (knip)' knip --no-progress --treat-config-hints-as-errors
check 'Founding migrations (squawk)' founding_migrations
check 'Later migrations (squawk)' later_migrations

if [ -n "$failed" ]; then
  printf '\nFailed:%s\n' "$failed"
  exit 1
fi
printf '\nAll checks passed.\n'
