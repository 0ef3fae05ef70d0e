#!/bin/sh
# Was IMAGE built by the image workflow of this repository, on its main branch? Both proofs must hold.
# ATTESTATIONS=off leaves GitHub's own out, where they do not exist (docs/operations/ci.md).
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

require_digest "$IMAGE"
cosign verify "$IMAGE" --certificate-identity "$(signer_of_images)" \
  --certificate-oidc-issuer "$(issuer_of_signers)" > /dev/null
echo "Signed by $(signer_of_images): $IMAGE"

if [ "${ATTESTATIONS:-on}" = off ]; then
  echo "GitHub's attestation is not asked for (ATTESTATIONS=off)."
  exit
fi
gh attestation verify "oci://$IMAGE" --repo "$GITHUB_REPOSITORY" \
  --signer-workflow "$(maker_of_images)" --source-ref refs/heads/main \
  --deny-self-hosted-runners
