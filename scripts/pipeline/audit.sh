#!/bin/sh
# Looks at the pipelines as the tests do, and asks GitHub besides: is each pinned commit one of that repository, is it the
# version that its comment says, is something known against it? GH_TOKEN lets it ask.
set -eu
cd "$(dirname "$0")/../.."
zizmor=$(node --import tsx --eval "import('./scripts/lint-binaries.ts').then(({ ZIZMOR }) => console.log(ZIZMOR))")
"$zizmor" --persona=auditor --no-progress .github
