#!/bin/sh
# Starts HAProxy. Its configuration, its certificate and the traffic map lie on a volume, because all three change while it
# runs, without a restart; a restart goes on with what was there last.
set -eu

state=/var/lib/haproxy
umask 077

# What the stack gives is taken over when it is another than the last time; otherwise what was handed over at run time stays.
take_over() {
  given=$1
  kept=$2
  sum=$(sha256sum <"$given")
  if [ -s "$kept" ] && [ "$(cat "$kept.given" 2>/dev/null)" = "$sum" ]; then return; fi
  cp "$given" "$kept.new"
  mv "$kept.new" "$kept"
  printf '%s' "$sum" >"$kept.given"
}

take_over /etc/calculaud/haproxy.cfg "$state/haproxy.cfg"
take_over /run/secrets/tls "$state/tls.pem"

# Each key has to be there to be set at run time.
if [ ! -s "$state/traffic.map" ]; then
  printf 'active none\nnext none\ncanary 0\n' >"$state/traffic.map"
fi

# The addresses of servers are handed from one process to the next by a reload; those from before a restart are old.
printf '1\n' >"$state/servers.state"

exec haproxy -W -S /run/haproxy/master.sock,mode,600 -f "$state/haproxy.cfg"
