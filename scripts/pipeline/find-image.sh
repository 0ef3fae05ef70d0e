#!/bin/sh
# Has the image NAME been built from exactly these files already? Then it is used again instead of being built once more.
# REPOSITORY is where the images of the application are kept; the others lie beside it.
#
#   repository   where this one is kept, in the small letters that registries ask for
#   tags         the names that it gets: inputs-<digest of everything that goes into it>; a part's version besides
#   image        <repository>@<digest> of the image that has the first of them; empty: there is none
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh
. scripts/pipeline/parts.sh

repository=$(printf '%s' "$REPOSITORY" | tr '[:upper:]' '[:lower:]')
version=
if [ "$NAME" = app ]; then
  # One pathspec a line; none holds a blank.
  # shellcheck disable=SC2046
  files=$(git ls-files --stage -- $(cat scripts/pipeline/image-paths))
else
  repository=${repository%/*}/calculaud-$NAME
  files=$(git ls-files --stage -- "deploy/$NAME")
  version=$(version_of_part "$NAME" < "$PART_VERSIONS")
  [ -n "$version" ] || { echo "$PART_VERSIONS says no version of the $NAME." >&2; exit 1; }
fi
inputs=inputs-$(printf '%s\n' "$files" | git hash-object --stdin)
digest=$(digest_of "$repository:$inputs" 2>/dev/null || true)

if [ -z "$digest" ] && [ -n "$version" ] && digest_of "$repository:$version" > /dev/null 2>&1; then
  echo "$repository:$version is there already, made of other files: raise the version in $PART_VERSIONS." >&2
  exit 1
fi
{
  echo "repository=$repository"
  echo "tags=$inputs${version:+ $version}"
  echo "image=${digest:+$repository@$digest}"
} | tee -a "${GITHUB_OUTPUT:-/dev/null}"
