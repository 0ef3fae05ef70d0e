#!/bin/sh
# Makes the programs that tests use and npm does not carry, unless they are there. One that cannot be made says why.
cd "$(dirname "$0")/.." || exit 1
status=0
for tool in s3-server lint-tools; do
  node --import tsx "scripts/$tool.ts" || status=1
done
exit $status
