#!/bin/sh
# Does the title of a pull request say what kind of change it is? It becomes the commit on the main branch, and release
# notes and the next version are made of these.
set -eu
types='feat|fix|perf|refactor|docs|test|build|ci|chore|revert'
if ! printf '%s\n' "$TITLE" | grep -Eq "^($types)(\([a-z0-9-]+\))?!?: [^ ]"; then
  echo "The title of a pull request reads: <type>: <what changes for whom>. Types: $types" >&2
  echo "A \"!\" before the colon says that operators or clients have to do something. This one reads: $TITLE" >&2
  exit 1
fi
