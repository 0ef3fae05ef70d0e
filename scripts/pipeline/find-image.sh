#!/bin/sh
# Has an image been built from exactly these files already? Then it is used again instead of being built once more.
#
#   repository   where images are kept (REPOSITORY, in the small letters that registries ask for)
#   tag          inputs-<digest of everything that goes into the image>
#   image        <repository>@<digest> of the image that has this tag; empty: there is none
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

repository=$(printf '%s' "$REPOSITORY" | tr '[:upper:]' '[:lower:]')
# One pathspec a line; none holds a blank.
# shellcheck disable=SC2046
tag=inputs-$(git ls-files --stage -- $(cat scripts/pipeline/image-paths) | git hash-object --stdin)
digest=$(digest_of "$repository:$tag" 2>/dev/null || true)
{
  echo "repository=$repository"
  echo "tag=$tag"
  echo "image=${digest:+$repository@$digest}"
} | tee -a "${GITHUB_OUTPUT:-/dev/null}"
