#!/bin/sh
# Makes one image of those of all platforms. DIGESTS is a folder with an empty file for each, called by its digest without
# "sha256:". Says `image`, the digest by which it is known from here on. TAG finds it again when the same files come along.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

set --
for file in "$DIGESTS"/*; do
  set -- "$@" "$REPOSITORY@sha256:$(basename "$file")"
  require_digest "$REPOSITORY@sha256:$(basename "$file")"
done
docker buildx imagetools create --tag "$REPOSITORY:$TAG" "$@"
image=$REPOSITORY@$(digest_of "$REPOSITORY:$TAG")
require_digest "$image"
echo "image=$image" | tee -a "${GITHUB_OUTPUT:-/dev/null}"
echo "digest=${image#*@}" >> "${GITHUB_OUTPUT:-/dev/null}"
