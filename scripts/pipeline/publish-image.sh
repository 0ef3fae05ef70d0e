#!/bin/sh
# Makes one image of those that were built for the platforms, and names it by each of TAGS. BUILDS is a folder with a folder
# for each build: what npm run image left in dist/image.
#
#   image    the digest by which it is known from here on, with its repository
#   digest   alone
#   sbom     the file with its list of parts
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

set --
for file in "$BUILDS"/*/digests/*; do
  require_digest "$REPOSITORY@sha256:$(basename "$file")"
  set -- "$@" "$REPOSITORY@sha256:$(basename "$file")"
done
for tag in $TAGS; do
  set -- --tag "$REPOSITORY:$tag" "$@"
done
docker buildx imagetools create "$@"
image=$REPOSITORY@$(digest_of "$REPOSITORY:$tag")
require_digest "$image"

# What Debian and npm bring is the same on all platforms; one list stands for all.
set -- "$BUILDS"/*-ubuntu-24.04/*.cdx.json
[ -f "$1" ] || { echo "There is no list of parts in $BUILDS." >&2; exit 1; }
{
  echo "image=$image"
  echo "digest=${image#*@}"
  echo "sbom=$1"
} | tee -a "${GITHUB_OUTPUT:-/dev/null}"
