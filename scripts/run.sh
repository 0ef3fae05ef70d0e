#!/bin/sh
# Runs a program of the server (start, api, worker or backup) as it is meant to run. The shell is replaced by it.
#
# Answers are large texts that die at once. A young generation of 2 MB and fewer arenas of malloc kept the server at 235 MB
# with 64 connections of mixed load, where it had taken 298; any bound of the old generation saved more (256 MB: 156 MB),
# but cost a quarter of the list pages a second.
set -eu
cd "$(dirname "$0")/.."
export MALLOC_ARENA_MAX=2
exec node --max-semi-space-size=2 --enable-source-maps "apps/server/dist/$1.js"
