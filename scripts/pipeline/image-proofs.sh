#!/bin/sh
# Sourced: by what an image is known, and who vouches for it.

# An image is named by its digest from the build to production; a name that can move is refused.
require_digest() {
  case $1 in
    *[!a-z0-9./:@_-]*) ;;
    *) ! printf '%s\n' "$1" | grep -Eq '^[^@]+@sha256:[0-9a-f]{64}$' || return 0 ;;
  esac
  echo "An image is named as <repository>@sha256:<digest>; this is \"$1\"." >&2
  exit 1
}

# The digest that a registry has under a name.
digest_of() {
  docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
}

# The workflow that makes images.
maker_of_images() {
  echo "$GITHUB_REPOSITORY/.github/workflows/image.yml"
}

# Who signs them: that workflow, as it is on the main branch.
signer_of_images() {
  echo "${GITHUB_SERVER_URL:-https://github.com}/$(maker_of_images)@refs/heads/main"
}

# Who says that it is this workflow.
issuer_of_signers() {
  echo "${OIDC_ISSUER:-https://token.actions.githubusercontent.com}"
}
