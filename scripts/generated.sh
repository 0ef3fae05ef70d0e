#!/bin/sh
# Are the files that are generated what the generator makes of the sources today?
set -eu
cd "$(dirname "$0")/.."

state() {
  git status --porcelain
  git diff
}
before=$(state)
npm run --silent gen
[ "$(state)" = "$before" ] && exit
echo "npm run gen has just changed files: look at them, and commit them." >&2
git diff --stat >&2
exit 1
