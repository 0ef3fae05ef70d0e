#!/bin/bash
# The health check of the container: has the program started, and is it alive? Bash opens the connection itself; a
# process of Node would cost twenty times as much, every few seconds, in every container.
set -u

ask() {
  exec 3<>"/dev/tcp/127.0.0.1/${MANAGEMENT_PORT:-9090}" || exit 1
  printf 'GET %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
  local status=none
  read -r -t 2 _ status _ <&3
  exec 3>&-
  echo "$1 answered $status"
  [ "$status" = 200 ] || exit 1
}

ask /health/started
ask /health/live
