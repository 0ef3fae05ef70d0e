#!/bin/sh
# Takes a new certificate (chain and key, PEM, on standard input) into use; keeps the old one when the new one is no good.
set -eu
state=/var/lib/haproxy
umask 077
cat >"$state/tls.new"
cp "$state/tls.pem" "$state/tls.old"
mv "$state/tls.new" "$state/tls.pem"
if ! reload.sh; then
  mv "$state/tls.old" "$state/tls.pem"
  echo 'The certificate cannot be used; the old one stays.' >&2
  exit 1
fi
rm "$state/tls.old"
