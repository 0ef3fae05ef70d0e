#!/bin/sh
# Does the title of the pull request NUMBER say what kind of change it is? It becomes the commit on the main branch, and
# release notes and the next version are made of these. It is asked for anew each time, so that a mended title needs only
# this job to be run again.
set -eu
types='feat|fix|perf|refactor|docs|test|build|ci|chore|revert'
title=$(gh pr view "$NUMBER" --repo "$GITHUB_REPOSITORY" --json title --jq .title)
if ! printf '%s\n' "$title" | grep -Eq "^($types)(\([a-z0-9-]+\))?!?: [^ ]"; then
  echo "The title of a pull request reads: <type>: <what changes for whom>. Types: $types" >&2
  echo "A \"!\" before the colon says that operators or clients have to do something. This one reads: $title" >&2
  exit 1
fi
