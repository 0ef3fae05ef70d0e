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

# Another deployment, of a run or of a person, has the lock (exit code 6): half an hour is waited for it to end.
attempts=60
status=6
while [ $status -eq 6 ] && [ $attempts -gt 0 ]; do
  [ $attempts -eq 60 ] || sleep "${LOCK_PAUSE:-30}"
  attempts=$((attempts - 1))
  status=0
  npx calculaud deploy --to "$environment" --image "$IMAGE" --yes --json || status=$?
done
[ $status -eq 0 ] || exit $status

if [ -n "${CALCULAUD_API_TOKEN:-}" ]; then
  npx calculaud journey --url "$URL" --json
fi
echo "image=$IMAGE" >> "${GITHUB_OUTPUT:-/dev/null}"
