#!/bin/sh
# What the container is to be: `api`, `worker`, `backup`, or `calculaud` with a command.
set -eu
case ${1:-} in
  api | worker | backup) exec sh /app/scripts/run.sh "$1" ;;
  calculaud) exec "$@" ;;
esac
echo "This image runs as 'api', as 'worker', as 'backup', or 'calculaud <command>' (see 'calculaud --help'), not as '${1:-}'." >&2
exit 3
