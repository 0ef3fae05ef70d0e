#!/bin/sh
# Did all jobs succeed? RESULTS holds the result of each. One that was skipped had nothing to do.
set -eu
[ -n "${RESULTS:-}" ] || { echo "No results were handed over." >&2; exit 1; }
status=0
for result in $RESULTS; do
  case $result in
    success | skipped) ;;
    *)
      echo "A job ended as: $result" >&2
      status=1
      ;;
  esac
done
exit $status
