#!/bin/sh
# Signs IMAGE, and that SBOM is its list of parts, with the identity of this workflow run: no key to keep or to lose.
# It is the second proof of where an image comes from beside GitHub's attestations, which private repositories below
# Enterprise Cloud and GitHub Enterprise Server do not have.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

require_digest "$IMAGE"
cosign sign --yes "$IMAGE"
cosign attest --yes --type cyclonedx --predicate "$SBOM" "$IMAGE"
