#!/bin/sh
# Looks at every Dockerfile of the product: hadolint, and the builder's own checks where it is BuildKit.
set -eu
cd "$(dirname "$0")/.."

hadolint=$(node --import tsx --eval "import('./scripts/lint-binaries.ts').then(({ HADOLINT }) => console.log(HADOLINT))")
if [ ! -x "$hadolint" ]; then
  echo "$hadolint is missing. Install it once: npm run tools" >&2
  exit 1
fi
files=$(git ls-files -- 'deploy/*Dockerfile' 'deploy/*.Dockerfile')
[ -n "$files" ] || { echo "There is no Dockerfile below deploy/." >&2; exit 1; }

status=0
for file in $files; do
  "$hadolint" "$file" && echo "ok: $file" || status=1
done

if docker buildx version > /dev/null 2>&1; then
  for file in $files; do
    docker build --check --file "$file" . || status=1
  done
else
  echo "The builder's own checks are left out: docker has no BuildKit here."
fi
exit $status
