#!/bin/sh
# Deploys IMAGE to an environment: deploy.sh <environment>. CONFIGURATION is the text of its calculaud.yml.
# The command judges the new version, watches it, and goes back by itself when it does not hold; it then ends with 4, and so
# does this. Says `image` when it is in place.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/image-proofs.sh

environment=$1
require_digest "$IMAGE"
fresh=$(sh scripts/pipeline/fresh.sh)
case $fresh in
  *fresh=true*) ;;
  *)
    echo "Nothing is deployed to $environment." >&2
    exit
    ;;
esac

umask 077
printf '%s\n' "${CONFIGURATION:?the configuration of the environment is missing}" > "calculaud.$environment.yml"
npx calculaud deploy --to "$environment" --image "$IMAGE" --yes --json
npx calculaud journey --to "$environment" --json
echo "image=$IMAGE" >> "${GITHUB_OUTPUT:-/dev/null}"
