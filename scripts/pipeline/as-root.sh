#!/bin/sh
# Runs a command as root, with everything else as it is: as-root.sh <command> … Tests that start daemons, namespaces and
# containers need it; runners of GitHub are not root, but may become it.
set -eu
exec sudo --preserve-env env "PATH=$PATH" "$@"
