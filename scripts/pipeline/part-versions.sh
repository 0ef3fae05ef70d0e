#!/bin/sh
# Does an image beside the application's own get another version when its files change? Without one it would be published
# under a name that hosts have already. BASE is the commit that the change starts from.
set -eu
cd "$(dirname "$0")/../.."
. scripts/pipeline/parts.sh

base=$(git merge-base "${BASE:-none}" HEAD 2>/dev/null || true)
[ -n "$base" ] || exit 0

status=0
for part in $PARTS; do
  git diff --quiet "$base" HEAD -- "deploy/$part" && continue
  before=$(git show "$base:$PART_VERSIONS" 2>/dev/null | version_of_part "$part")
  if [ "$(version_of_part "$part" < "$PART_VERSIONS")" = "$before" ]; then
    echo "deploy/$part has changed: raise the version of the $part in $PART_VERSIONS (it is $before)." >&2
    status=1
  fi
done
exit $status
