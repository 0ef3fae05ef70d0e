#!/bin/sh
# Is this commit (HEAD) still the one to go on with, and does it make a release?
#
#   release   its version in .release-please-manifest.json is another than that of its parent
#   version   that version
#   fresh     it is the head of the main branch; or it makes the release that main still names as its newest
#
# A commit that is not fresh is left alone, not failed: the run of a newer one does its work.
set -eu
cd "$(dirname "$0")/../.."

manifest=.release-please-manifest.json
say() { echo "$1=$2" | tee -a "${GITHUB_OUTPUT:-/dev/null}"; }
version_in() { sed -n 's/.*"\.": *"\([^"]*\)".*/\1/p'; }

sha=$(git rev-parse HEAD)
version=$(git show "HEAD:$manifest" | version_in)
before=$(git show "HEAD^:$manifest" 2>/dev/null | version_in)
release=false
[ -z "$before" ] || [ "$version" = "$before" ] || release=true

fresh=false
main=$(gh api "repos/$GITHUB_REPOSITORY/commits/main" --jq .sha)
if [ "$main" = "$sha" ]; then
  fresh=true
elif [ $release = true ]; then
  newest=$(gh api "repos/$GITHUB_REPOSITORY/contents/$manifest?ref=main" \
    --header 'Accept: application/vnd.github.raw+json')
  [ "$(printf '%s\n' "$newest" | version_in)" != "$version" ] || fresh=true
fi

say release $release
say version "$version"
say fresh $fresh
[ $fresh = true ] || echo "The main branch has moved on from $sha; nothing is done for it." >&2
