#!/bin/sh
# Runs a program of the server (start, api or worker) as it is meant to run. The shell is replaced by it.
#
# Answers are large texts that die at once, and Node lets garbage pile up as long as the machine has memory. With these
# bounds the server took 156 MB at 64 connections of mixed load where it had taken 298, and served as much. At 64
# connections that all read the largest pages (200 purposes) it stays within them, too.
set -eu
cd "$(dirname "$0")/.."
export MALLOC_ARENA_MAX=2
exec node --max-semi-space-size=4 --max-old-space-size=256 --enable-source-maps "apps/server/dist/$1.js"
