#!/bin/sh
# Says which parts of the repository a change touches, so that a pipeline runs only what the change can break.
# BASE is the commit that it starts from. When there is none, or it is unknown here, every part counts as touched.
set -eu
cd "$(dirname "$0")/../.."

base=$(git merge-base "${BASE:-none}" HEAD 2>/dev/null || true)

# Is there a changed path among these pathspecs?
touches() {
  [ -z "$base" ] || [ -n "$(git diff --name-only --no-renames "$base" HEAD -- "$@")" ]
}

# Text for readers is no product; but the commands of the README are tested.
product() {
  touches . ':(exclude)docs' ':(exclude)*.md' || touches README.md
}

# Those of the stack beside the application's own, too.
image() {
  # One pathspec a line; none holds a blank.
  # shellcheck disable=SC2046
  touches deploy $(cat scripts/pipeline/image-paths)
}

pipelines() {
  touches .github scripts .ci package.json
}

for part in product image pipelines; do
  if $part; then answer=true; else answer=false; fi
  echo "$part=$answer" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
done
