#!/bin/sh
# Completes the draft of the release VERSION: IMAGE gets the version as a name, its signed list of parts and its digest are
# put beside the release, and only then is it published; from then on nothing of it can be changed.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

require_digest "$IMAGE"
TAG=$VERSION sh scripts/pipeline/tag-image.sh
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
printf '%s\n' "$IMAGE" > "$folder/image.txt"
statement=$(cosign verify-attestation "$IMAGE" --type cyclonedx \
  --certificate-identity "$(signer_of_images)" --certificate-oidc-issuer "$(issuer_of_signers)")
printf '%s\n' "$statement" | node --eval '
  const [envelope] = require("node:fs").readFileSync(0, "utf8").split("\n");
  const { predicate } = JSON.parse(Buffer.from(JSON.parse(envelope).payload, "base64"));
  console.log(JSON.stringify(predicate, undefined, 2));
' > "$folder/sbom.cdx.json"
gh release upload "v$VERSION" "$folder/image.txt" "$folder/sbom.cdx.json" --repo "$GITHUB_REPOSITORY" --clobber
gh release edit "v$VERSION" --repo "$GITHUB_REPOSITORY" --draft=false
