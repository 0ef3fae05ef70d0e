#!/bin/sh
# Gives IMAGE (by digest) another name in its repository: TAG. It stays the same image; what the registry then has under
# that name is compared.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

require_digest "$IMAGE"
name=${IMAGE%@*}:$TAG
docker buildx imagetools create --tag "$name" "$IMAGE"
digest=$(digest_of "$name")
if [ "$digest" != "${IMAGE#*@}" ]; then
  echo "$name is $digest, not $IMAGE." >&2
  exit 1
fi
