#!/bin/sh
# Deploys IMAGE to an environment: deploy.sh <environment>. CONFIGURATION is the text of its calculaud.yml.
# The command judges the new version, watches it, and goes back by itself when it does not hold; it then ends with 4, and so
# does this. With CALCULAUD_API_TOKEN everything that people do is then done once by the front door, URL.
# Says `image` when it is in place.
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
# Half an hour for another deployment, of a run or of a person, to end.
npx calculaud deploy --to "$environment" --image "$IMAGE" --wait 1800 --yes --json
if [ -n "${CALCULAUD_API_TOKEN:-}" ]; then
  npx calculaud journey --url "$URL" --json
fi
echo "image=$IMAGE" >> "${GITHUB_OUTPUT:-/dev/null}"
