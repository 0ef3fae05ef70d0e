#!/bin/sh
# Lets a new process of HAProxy take over with the configuration and the certificate that lie on the volume. It gets the
# listening sockets and what is known of the servers, so that no request is lost.
set -eu
state=/var/lib/haproxy
haproxy -c -q -f "$state/haproxy.cfg"
umask 077
printf 'show servers state\n' | socat - UNIX-CONNECT:/run/haproxy/runtime.sock >"$state/servers.state.new"
mv "$state/servers.state.new" "$state/servers.state"
kill -USR2 1
