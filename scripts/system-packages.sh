#!/bin/sh
# Installs the Debian packages that tests need beside Node and npm, unless they are there. Asks for root with sudo.
set -eu

# postgresql: whichever version the distribution has, to compare our backups with.
packages='debian-archive-keyring haproxy iproute2 iptables mmdebstrap openssh-client openssh-server pgbackrest postgresql'
# Machines that have Docker from elsewhere keep it: the two do not go together.
command -v dockerd > /dev/null || packages="docker.io $packages"

missing=
for package in $packages; do
  status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = 'install ok installed' ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update
# One name a word.
# shellcheck disable=SC2086
$sudo apt-get install --yes --no-install-recommends $missing
