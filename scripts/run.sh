#!/bin/sh
# Runs a program of the server (start, api or worker) as it is meant to run. The shell is replaced by it.
#
# A young generation of 4 MB, where Node would let it grow to 16 or more: answers are large texts that die at once, and 64
# connections at the same time took 257 MB instead of 298.
set -eu
cd "$(dirname "$0")/.."
exec node --max-semi-space-size=4 --enable-source-maps "apps/server/dist/$1.js"
